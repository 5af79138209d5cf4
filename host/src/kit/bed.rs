//! A workspace that is made for a moment: settings, an inventory and flows in a directory that goes with it.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use wardflow_datasets::Hospital;
use wardflow_manifest::PluginId;

use crate::{
    archive::{Archive, ArchiveWriter, FlowRecord, write_inventory_csv},
    config::Config,
    detector::{Gap, Stop},
    device::Entry,
    error::{Context, Error, Result},
    pseudonym::Key,
    synthetic,
    workspace::Workspace,
};

/// The pseudonym key of every such workspace, so that what depends on it is the same each time. It protects nothing:
/// these flows are the author's own.
const KEY: [u8; Key::LEN] = [7; Key::LEN];

/// A workspace in the making.
#[derive(Debug)]
pub struct Bed {
    directory: TempDir,
    /// What it is set to; places are those of the temporary directory.
    pub config: Config,
    /// The sensors' gaps, where they are not those that the flows show.
    pub gaps: Option<Arc<[Gap]>>,
    /// The file of settings, if somebody wrote one.
    pub settings: Option<PathBuf>,
}

/// A workspace that lasts as long as this.
#[derive(Debug)]
pub struct Made {
    /// The workspace.
    pub workspace: Workspace,
    /// The sensors' gaps, where they are not those that the flows show.
    pub gaps: Option<Arc<[Gap]>>,
    settings: Option<PathBuf>,
    _directory: TempDir,
}

impl Made {
    /// Whether the settings that somebody wrote are for this plugin.
    ///
    /// # Errors
    /// They are for another one, and so would do nothing.
    pub fn fits(&self, plugin: &PluginId) -> Result<()> {
        let other = self.workspace.config.plugin.keys().find(|id| id.as_str() != plugin.as_str());
        match (&self.settings, other) {
            (Some(file), Some(other)) => {
                Err(Error::usage(format!("{} has settings of {other}; the plugin is {plugin}", file.display()))
                    .remedy(format!("write [plugin.\"{plugin}\"], or leave them out")))
            }
            _ => Ok(()),
        }
    }
}

impl Bed {
    /// An empty one with the settings of a `wardflow.toml`, whose text stands in `file`.
    ///
    /// # Errors
    /// A setting is wrong, or nothing can be written to the directory for temporary files.
    pub fn new(file: &Path, settings: &str) -> Result<Self> {
        let directory = tempfile::tempdir().context(|| "no temporary directory can be made".to_owned())?;
        let root = directory.path();
        let doing = || format!("cannot write to {}", root.display());
        for part in ["archive", "lake", "plugins"] {
            fs::create_dir(root.join(part)).context(doing)?;
        }
        let mut config = Config::parse(file, settings, root)?;
        let given = config.inventory.take();
        if given.is_some() {
            let error = Error::usage(format!("{} says `inventory`", file.display()));
            return Err(error.remedy("put the devices into devices.csv beside it"));
        }
        let place = |part: &str| root.join(part).display().to_string();
        (config.archive, config.mapping, config.lake) = (place("archive"), None, place("lake"));
        (config.plugins, config.key) = (root.join("plugins"), root.join("pseudonym.key"));
        let key = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&config.key);
        key.and_then(|mut key| key.write_all(&KEY)).context(doing)?;
        Ok(Self { directory, config, gaps: None, settings: None })
    }

    /// Gives it these devices.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn devices(&mut self, entries: &[Entry]) -> Result<()> {
        let place = self.directory.path().join("devices.csv");
        write_inventory_csv(entries, &place)?;
        self.config.inventory = Some(place);
        Ok(())
    }

    /// Gives it flows.
    ///
    /// # Errors
    /// They cannot be written.
    pub async fn flows<'a>(&self, flows: impl IntoIterator<Item = FlowRecord<'a>>) -> Result<()> {
        let mut writer = self.writer()?;
        for flow in flows {
            writer.push(&flow)?;
        }
        writer.finish("flows").await.map(drop)
    }

    /// A writer of its flows, to be finished as `flows`.
    ///
    /// # Errors
    /// Nothing can be written.
    pub fn writer(&self) -> Result<ArchiveWriter> {
        let archive = Archive::open(&self.config.archive, &self.config.root)?;
        ArchiveWriter::new(&archive.lock()?, self.config.space.clone())
    }

    /// Gives it a Parquet file of flows, as it is.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn parquet(&self, file: &Path) -> Result<()> {
        let place = Path::new(&self.config.archive).join("flows.parquet");
        fs::copy(file, place).context(|| format!("cannot copy {}", file.display())).map(drop)
    }

    /// Gives it the flows of a synthetic hospital.
    ///
    /// # Errors
    /// They cannot be written.
    pub async fn hospital(&self, hospital: &Hospital) -> Result<()> {
        synthetic::write_flows(&self.config, hospital, &Stop::default(), &|_| {}).await.map(drop)
    }

    /// Opens it.
    ///
    /// # Errors
    /// A file in it cannot be used; where it is one of flows, this says why.
    pub async fn open(self) -> Result<Made> {
        let workspace = Workspace::open(self.config, &[]).await?;
        if let Some(broken) = workspace.listing.broken.first() {
            return Err(Error::usage(format!("the flows cannot be used: {}", broken.reason)));
        }
        Ok(Made { workspace, gaps: self.gaps, settings: self.settings, _directory: self.directory })
    }
}
