//! Hospitals without incidents, as poorer sensors see them.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
};

use wardflow::synthetic;
use wardflow_datasets::{
    Flow, Hospital, Options, View, ViewKind,
    export::{Format, Log, Zeek},
};

use crate::{
    Args, Result,
    command::{evaluate, text, wardflow},
    report::Figure,
    synthetic::{Counts, LEARNING, clear},
};

/// Devices of each hospital.
const DEVICES: u32 = 120;

/// A way to see less than all.
struct Sensors {
    what: &'static str,
    /// What each sensor sees.
    views: Vec<(&'static str, Vec<ViewKind>)>,
    /// Further arguments of `wardflow ingest`.
    ingest: &'static [&'static str],
}

/// Bytes, flows and clocks as good sensors never show them.
fn all() -> Vec<Sensors> {
    let one = |what, kind| Sensors { what, views: vec![("one", vec![kind])], ingest: &[] };
    let overlap = 0.5;
    let (north, south) = (ViewKind::North { overlap }, ViewKind::South { overlap });
    let late = ViewKind::Skewed { by_us: -3_000_000 };
    vec![
        one("a tenth of the packets lost", ViewKind::Lossy { ratio: 0.1 }),
        one("flows cut each minute", ViewKind::TimedOut { after_us: 60_000_000 }),
        one("one side of a tenth of the flows", ViewKind::Asymmetric { ratio: 0.1 }),
        Sensors { what: "two sensors", views: vec![("north", vec![north]), ("south", vec![south])], ingest: &[] },
        Sensors {
            what: "two sensors, one three seconds late",
            views: vec![("north", vec![north]), ("south", vec![south, late])],
            ingest: &[],
        },
        Sensors {
            what: "one packet in a hundred",
            views: vec![("one", vec![ViewKind::Sampled { one_in: 100 }])],
            ingest: &["--sampling", "100"],
        },
    ]
}

/// Findings of medium severity and above where there should be none.
pub(crate) fn quiet(args: &Args) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for sensors in all() {
        let mut counts = Counts::default();
        for seed in &args.seeds {
            counts.add(&sensors.evaluated(args, *seed)?)?;
        }
        figures.push(Figure::new(
            format!("synthetic hospital, {DEVICES} devices, no incident: {}", sensors.what),
            "groups of medium severity and above, a device and day ≤ 0.001",
            counts.false_ones(),
        ));
    }
    Ok(figures)
}

impl Sensors {
    /// What the evaluation says of a hospital as they see it.
    fn evaluated(&self, args: &Args, seed: u64) -> Result<serde_json::Value> {
        let options = Options { devices: DEVICES, days: args.days, seed, incidents: Vec::new(), ..Options::default() };
        let hospital = Hospital::new(options)?;
        let flows = |kinds: &[ViewKind]| {
            let mut flows: Box<dyn Iterator<Item = Flow> + '_> = Box::new(hospital.flows());
            for kind in kinds {
                flows = Box::new(View::new(*kind).of(flows));
            }
            flows
        };
        let seen = self.views.iter().map(|(name, kinds)| (*name, flows(kinds))).collect();
        let workspace = ingested(args, &hospital, seen, self.ingest)?;
        let report = evaluate(&workspace, &workspace.join("truth.csv"), "medium", Some(LEARNING))?;
        clear(args, &workspace)?;
        Ok(report)
    }
}

/// A workspace of a hospital, with flows that went through Zeek logs, a directory of them for each sensor; analysed.
pub(crate) fn ingested<'a>(
    args: &Args,
    hospital: &Hospital,
    seen: Vec<(&str, Box<dyn Iterator<Item = Flow> + 'a>)>,
    ingest: &[&str],
) -> Result<PathBuf> {
    let workspace = args.dir.join("hospital");
    if workspace.exists() {
        fs::remove_dir_all(&workspace)?;
    }
    let dir = text(&workspace)?;
    wardflow(&["-q", "init", dir])?;
    fs::write(workspace.join("wardflow.toml"), synthetic::config(hospital))?;
    synthetic::write_inventory(hospital, &workspace.join("inventory.csv"))?;
    synthetic::write_truth(hospital.truth(), &workspace)?;
    let opened = hospital.flows().next().ok_or("a hospital without flows")?.start_us;
    for (sensor, flows) in seen {
        let logs = args.dir.join("logs");
        write_logs(&logs, flows, opened)?;
        let mut arguments = vec!["-C", dir, "-q", "ingest", "zeek", text(&logs)?, "--sensor", sensor];
        arguments.extend(ingest);
        wardflow(&arguments)?;
        fs::remove_dir_all(&logs)?;
    }
    wardflow(&["-C", dir, "-q", "analyze"])?;
    Ok(workspace)
}

fn write_logs(directory: &Path, flows: impl Iterator<Item = Flow>, opened: i64) -> Result<()> {
    fs::create_dir_all(directory)?;
    let file = BufWriter::new(File::create(directory.join("conn.log"))?);
    let mut log = Zeek::new(file, Log::Conn, Format::Tsv, opened)?;
    for flow in flows {
        log.write(&flow)?;
    }
    log.finish()?;
    Ok(())
}
