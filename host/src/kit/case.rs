//! A test case: a directory with flows and what belongs to them.
//!
//! | file | holds |
//! |---|---|
//! | `flows.csv`, `flows.parquet` or `hospital.toml` | the flows: a table of them, or the options of a synthetic hospital |
//! | `devices.csv` | the device list, as the inventory of a workspace; optional |
//! | `gaps.csv` | when the sensors delivered nothing; without it, wherever no flow ended for 15 minutes; optional |
//! | `case.toml` | settings, with the keys of `wardflow.toml`: parameters, peer groups, networks, slices; optional |
//! | `expected.json` | the findings, see [`expected`] |

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use wardflow_datasets::{Hospital, Options};

use super::{
    bed::{Bed, Made},
    expected, flow_table, gap_table,
};
use crate::{
    archive::read_inventory,
    error::{Context, Error, Result},
    synthetic,
};

/// Files that hold flows.
const FLOWS: [&str; 3] = ["flows.csv", "flows.parquet", "hospital.toml"];

/// The other files.
const REST: [&str; 4] = ["case.toml", "devices.csv", gap_table::FILE, expected::FILE];

/// Bytes that they may have.
const MOST_FLOWS: u64 = 512 << 20;
const MOST_REST: u64 = 64 << 20;

/// A test case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its directory's name.
    pub name: String,
    /// Its directory.
    pub directory: PathBuf,
}

impl Case {
    /// The cases of a plugin's project, in order of name: the directories in its `cases`.
    ///
    /// # Errors
    /// There are none.
    pub fn all(project: &Path) -> Result<Vec<Self>> {
        let directory = project.join("cases");
        let doing = || format!("the test cases in {} cannot be read", directory.display());
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(none(&directory)),
            entries => entries.context(doing)?,
        };
        let mut cases = Vec::new();
        for entry in entries {
            let directory = entry.context(doing)?.path();
            if directory.is_dir() {
                let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
                cases.push(Self { name, directory });
            }
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        if cases.is_empty() { Err(none(&directory)) } else { Ok(cases) }
    }

    /// The case as a workspace.
    ///
    /// # Errors
    /// It has no flows or several files of them, or one of its files is wrong.
    pub async fn workspace(&self) -> Result<Made> {
        let there: Vec<_> = FLOWS.into_iter().filter(|file| self.directory.join(file).exists()).collect();
        let [flows] = there.as_slice() else {
            let what = if there.is_empty() { "no flows".to_owned() } else { there.join(" and ") };
            let error = Error::usage(format!("the case {} has {what}", self.directory.display()));
            return Err(error.remedy(format!("give it one of {}", FLOWS.join(", "))));
        };
        for (file, most) in FLOWS.map(|file| (file, MOST_FLOWS)).into_iter().chain(REST.map(|file| (file, MOST_REST))) {
            check_file(&self.directory.join(file), most)?;
        }
        let file = self.directory.join(flows);
        let hospital = if *flows == "hospital.toml" { Some(hospital(&file)?) } else { None };
        let settings = self.directory.join("case.toml");
        let text = match fs::read_to_string(&settings) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The inventory is given by itself.
                let config = hospital.as_ref().map(synthetic::config).unwrap_or_default();
                config
                    .lines()
                    .filter(|line| !line.starts_with("inventory"))
                    .fold(String::new(), |all, line| all + line + "\n")
            }
            Err(error) => return Err(Error::usage(format!("cannot read {}", settings.display())).because(error)),
        };
        let mut bed = Bed::new(&settings, &text)?;
        let devices = self.directory.join("devices.csv");
        match &hospital {
            _ if devices.exists() => bed.devices(&read_inventory(&devices)?)?,
            Some(hospital) => bed.devices(&synthetic::entries(hospital))?,
            None => {}
        }
        match (hospital, *flows) {
            (Some(hospital), _) => bed.hospital(&hospital).await?,
            (None, "flows.parquet") => bed.parquet(&file)?,
            (None, _) => {
                let mut writer = bed.writer()?;
                flow_table::read(&file, &mut writer)?;
                writer.finish("flows").await?;
            }
        }
        bed.settings = settings.exists().then_some(settings);
        bed.gaps = gap_table::read(&self.directory)?.map(Into::into);
        bed.open().await
    }
}

/// A case may come from someone else: no pipe that never ends, no device.
fn check_file(file: &Path, most: u64) -> Result<()> {
    let Ok(metadata) = fs::metadata(file) else { return Ok(()) };
    let shown = file.display();
    if !metadata.is_file() {
        return Err(Error::usage(format!("{shown} is no regular file")).remedy("a case consists of regular files"));
    }
    if metadata.len() > most {
        let error = Error::usage(format!("{shown} has {} bytes; it may have {most}", metadata.len()));
        return Err(error.remedy("leave out flows that the case does not need"));
    }
    Ok(())
}

fn none(directory: &Path) -> Error {
    Error::usage(format!("there is no test case in {}", directory.display()))
        .remedy("a case is a directory in it with a flows.csv; `wardflow plugin new` makes a project that has some")
}

fn hospital(file: &Path) -> Result<Hospital> {
    let wrong = || format!("{} is wrong", file.display());
    let text = fs::read_to_string(file).map_err(|error| Error::usage(wrong()).because(error))?;
    let options: Options = toml::from_str(&text).map_err(|error| {
        Error::usage(format!("{}: {}", wrong(), error.message())).remedy(
            "it may have devices, days, seed, start, flows, timezone, incidents, variant and oddities: plugins/README.md says what each is",
        )
    })?;
    Hospital::new(options).map_err(|error| Error::usage(format!("{}: {error}", wrong())))
}
