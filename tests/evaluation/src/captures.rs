//! Captures of real networks: whether what is known of them is found, and before all else of its device.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    Args, Result,
    command::{evaluate, query, text, wardflow},
    report::Figure,
};

/// A capture, and what is known of it.
struct Capture {
    /// What is ingested, as `wardflow ingest auto` reads it.
    path: &'static str,
    /// Whether its times count from its own beginning.
    is_relative: bool,
    /// Which addresses are its own, where they are not private ones.
    internal: Option<&'static str>,
    known: Known,
}

/// What is known of a capture.
enum Known {
    /// Labels, in this log.
    Labels(&'static str),
    /// A device that does harm, and what a finding of it must fulfil, in SQL over `findings`.
    Named { device: &'static str, what: &'static str, finding: &'static str },
}

const CAPTURES: &[Capture] = &[
    labelled("zeek-iot23-34-1/conn.log.labeled", "zeek-iot23-34-1/conn.log.labeled"),
    Capture {
        is_relative: true,
        ..labelled(
            "stratosphere/001-zeek-scenario-malicious/conn.log",
            "stratosphere/001-zeek-scenario-malicious/labeled-conn.log",
        )
    },
    named(
        "stratosphere/002-zeek-scenario-port-scanning/conn.log",
        ("172.16.1.11", "scans of three networks"),
        "kind IN ('horizontal-scan', 'vertical-scan')",
    ),
    named(
        "stratosphere/003-zeek-scenario-malicious/conn.log",
        ("10.8.0.61", "remote access by port 1337 of 147.32.83.234"),
        "peer_ip = '147.32.83.234'",
    ),
    Capture {
        internal: Some("147.32.81.167"),
        ..labelled(
            "stratosphere/008-zeek-mixed/data/conn.log.labeled",
            "stratosphere/008-zeek-mixed/data/conn.log.labeled",
        )
    },
    Capture {
        internal: Some("147.32.83.234"),
        ..labelled(
            "stratosphere/010-zeek-mixed/data/conn.log.labeled",
            "stratosphere/010-zeek-mixed/data/conn.log.labeled",
        )
    },
    Capture {
        is_relative: true,
        ..named(
            "slips/port-scans/horizontal/conn.log",
            ("10.0.2.112", "scan of many hosts"),
            "kind = 'horizontal-scan'",
        )
    },
    named("slips/port-scans/vertical/conn.log", ("192.168.1.9", "scan of many ports"), "kind = 'vertical-scan'"),
    named("slips/test11-portscan.binetflow", ("10.8.0.69", "scan of many ports"), "kind LIKE '%-scan'"),
    // What Slips' own tests of these files expect: of test2 some connection of 25 minutes, of test4 this scan.
    named("slips/test2-malicious.binetflow", ("10.8.0.69", "long connection"), "kind = 'long-connection'"),
    named(
        "slips/test4-malicious.binetflow",
        ("192.168.2.12", "scan of port 81"),
        "kind = 'horizontal-scan' AND peer_port = 81",
    ),
    named("rita/proxy_rolling", ("10.0.0.238", "regular contact with 75.75.75.75"), "peer_ip = '75.75.75.75'"),
];

const fn labelled(path: &'static str, labels: &'static str) -> Capture {
    Capture { path, is_relative: false, internal: None, known: Known::Labels(labels) }
}

const fn named(path: &'static str, (device, what): (&'static str, &'static str), finding: &'static str) -> Capture {
    Capture { path, is_relative: false, internal: None, known: Known::Named { device, what, finding } }
}

/// Tries all of them.
pub(crate) fn try_all(args: &Args, data: &Path) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for capture in CAPTURES {
        if data.join(capture.path).exists() {
            figures.push(capture.try_out(args, data)?);
        } else {
            figures.push(Figure::new(capture.path, "to be tried", format!("skipped: not in {}", data.display())));
        }
    }
    Ok(figures)
}

impl Capture {
    fn try_out(&self, args: &Args, data: &Path) -> Result<Figure> {
        let workspace = args.dir.join("capture");
        if workspace.exists() {
            fs::remove_dir_all(&workspace)?;
        }
        let (dir, log) = (text(&workspace)?, data.join(self.path));
        wardflow(&["-q", "init", dir])?;
        if let Some(address) = self.internal {
            let settings = workspace.join("wardflow.toml");
            let template = fs::read_to_string(&settings)?;
            fs::write(&settings, format!("internal = [\"{address}\"]\n{template}"))?;
        }
        let mut ingest = vec!["-C", dir, "-q", "ingest", "auto", text(&log)?];
        ingest.extend(if self.is_relative { ["--start", "2020-01-01"].as_slice() } else { &[] });
        wardflow(&ingest)?;
        wardflow(&["-C", dir, "-q", "analyze"])?;
        let figure = match &self.known {
            Known::Labels(labels) => self.labelled(&workspace, &data.join(labels)),
            Known::Named { device, what, finding } => self.named(&workspace, device, what, finding),
        };
        fs::remove_dir_all(&workspace)?;
        figure
    }

    fn labelled(&self, workspace: &Path, labels: &Path) -> Result<Figure> {
        let report = evaluate(workspace, labels, "low", Some("0h"))?;
        let scenarios = report["by_scenario"].as_array().ok_or("the evaluation has no scenarios")?;
        let told = scenarios.iter().map(|scenario| {
            let by = scenario["found_by"].as_array().and_then(|by| by.first()).and_then(Value::as_str);
            let place = if scenario["is_first"] == true { "behind none that is false" } else { "behind a false one" };
            let name = scenario["incident"].as_str().unwrap_or_default();
            by.map_or_else(|| format!("{name}: MISSED"), |by| format!("{name}: {by}, {place}"))
        });
        let goal = "each label is found, with the right peer, and behind nothing else";
        let groups = report["false_groups"].as_array().into_iter().flatten();
        let medium =
            groups.filter(|groups| groups["severity"] == "medium").filter_map(|groups| groups["groups"].as_u64());
        let told = told.collect::<Vec<_>>().join("; ");
        let medium = medium.sum::<u64>();
        Ok(Figure::new(self.path, goal, format!("{told}; false groups of medium severity and above: {medium}")))
    }

    fn named(&self, workspace: &Path, device: &str, what: &str, finding: &str) -> Result<Figure> {
        let found = query(workspace, &format!(
            "SELECT plugin, kind, severity, row_number() OVER (ORDER BY severity_id DESC, score DESC) AS place, {finding} AS is_it
             FROM findings WHERE device_id = '{device}' ORDER BY place"
        ))?;
        let told = match found.iter().find(|row| row["is_it"] == true) {
            None => format!("MISSED; {} other findings", found.len()),
            Some(row) => {
                let name = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
                let kind = format!("{} {}, {}", name("plugin"), name("kind"), name("severity"));
                format!("{kind}, number {} of {} of its device", row["place"], found.len())
            }
        };
        Ok(Figure::new(self.path, format!("{device}: {what} is found first"), told))
    }
}
