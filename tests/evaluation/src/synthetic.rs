//! Synthetic hospitals: with incidents, and without.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::Value;

use crate::{
    Args, Result,
    command::{evaluate, text, wardflow},
    report::Figure,
};

/// Incidents are in the second half of two weeks. The model of modalities asks for ten days, and the others for less.
pub(crate) const LEARNING: &str = "168h";

/// Hospitals with all incidents, loud (`easy`) or careful (`stealthy`).
pub(crate) fn incidents(args: &Args, variant: &str) -> Result<Vec<Figure>> {
    let (mut of_any, mut of_medium) = (Counts::default(), Counts::default());
    let mut missed = Vec::new();
    for seed in &args.seeds {
        let workspace = make(args, *seed, &["--variant", variant])?;
        let truth = workspace.join("truth.csv");
        let medium = evaluate(&workspace, &truth, "medium", Some(LEARNING))?;
        missed.extend(names_of_missed(&medium).into_iter().map(|name| format!("{name} ({seed})")));
        of_medium.add(&medium)?;
        of_any.add(&evaluate(&workspace, &truth, "low", Some(LEARNING))?)?;
        clear(args, &workspace)?;
    }
    let wanted = if variant == "easy" { 0.95 } else { 0.75 };
    let data = format!("synthetic hospital, {} devices, {} days, {variant}", args.devices, args.days);
    let missed = if missed.is_empty() { String::new() } else { format!("; missed: {}", missed.join(", ")) };
    Ok(vec![
        Figure::new(
            &data,
            format!("recall of incidents ≥ {wanted}"),
            format!(
                "{} by findings of medium severity and above{missed}; {} by low and above",
                of_medium.recall(),
                of_any.recall()
            ),
        ),
        Figure::new(&data, "false groups of medium severity and above, a device and day", of_medium.false_ones()),
        Figure::new(
            &data,
            "the true cause is behind no false finding of its device",
            format!("{} of {}", of_any.first, of_any.found),
        ),
    ])
}

/// Hospitals in which nothing happens but what only looks odd.
pub(crate) fn quiet(args: &Args) -> Result<Vec<Figure>> {
    let mut counts = Counts::default();
    for seed in &args.seeds {
        let workspace = make(args, *seed, &["--incident", "none"])?;
        counts.add(&evaluate(&workspace, &workspace.join("truth.csv"), "medium", Some(LEARNING))?)?;
        clear(args, &workspace)?;
    }
    Ok(vec![Figure::new(
        format!("synthetic hospital, {} devices, {} days, no incident, every look-alike", args.devices, args.days),
        "groups of medium severity and above, a device and day ≤ 0.001",
        counts.false_ones(),
    )])
}

/// Makes and analyses a hospital.
pub(crate) fn make(args: &Args, seed: u64, options: &[&str]) -> Result<PathBuf> {
    let workspace = args.dir.join("hospital");
    if workspace.exists() {
        fs::remove_dir_all(&workspace)?;
    }
    let (devices, days, seed) = (args.devices.to_string(), args.days.to_string(), seed.to_string());
    eprintln!("making a hospital of seed {seed} {}", options.join(" "));
    let mut arguments = vec!["-q", "--json", "demo", text(&workspace)?];
    arguments.extend(["--devices", &devices, "--days", &days, "--seed", &seed]);
    arguments.extend(options);
    wardflow(&arguments)?;
    Ok(workspace)
}

/// Removes a hospital, unless it is to be kept.
pub(crate) fn clear(args: &Args, workspace: &PathBuf) -> Result<()> {
    if args.keep { Ok(()) } else { Ok(fs::remove_dir_all(workspace)?) }
}

/// Names of the incidents that an evaluation says were not found.
fn names_of_missed(report: &Value) -> Vec<String> {
    let scenarios = report["by_scenario"].as_array().into_iter().flatten();
    let missed = scenarios.filter(|scenario| scenario["found_by"].as_array().is_none_or(Vec::is_empty));
    missed.filter_map(|scenario| scenario["incident"].as_str().map(str::to_owned)).collect()
}

/// Sums over several evaluations.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    found: u64,
    of: u64,
    first: u64,
    false_groups: u64,
    device_days: f64,
    /// Of the false groups, those of each plugin.
    by_plugin: BTreeMap<String, u64>,
    slices: u64,
    incomplete: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, report: &Value) -> Result<()> {
        let number = |value: &Value| value.as_u64().ok_or("the evaluation lacks a number");
        self.found += number(&report["incidents"]["hits"])?;
        self.of += number(&report["incidents"]["of"])?;
        self.first += number(&report["first"]["hits"])?;
        self.slices += number(&report["slices"])?;
        self.incomplete += number(&report["incomplete_slices"])?;
        self.device_days += report["device_days"].as_f64().ok_or("the evaluation lacks device-days")?;
        let groups = report["false_groups"].as_array().into_iter().flatten();
        let medium = groups.filter(|groups| groups["severity"] == "medium");
        self.false_groups += medium.filter_map(|groups| groups["groups"].as_u64()).sum::<u64>();
        for plugin in report["by_detector"].as_array().into_iter().flatten() {
            let (name, groups) = (plugin["plugin"].as_str(), number(&plugin["wrong_groups_of_medium"])?);
            if let Some(name) = name.filter(|_| groups > 0) {
                *self.by_plugin.entry(name.to_owned()).or_default() += groups;
            }
        }
        Ok(())
    }

    fn recall(&self) -> String {
        format!("{:.3} ({} of {})", self.found as f64 / self.of.max(1) as f64, self.found, self.of)
    }

    /// False groups a device and day, whose they are, up to how many the rate may be by so few, and what was not looked at.
    pub(crate) fn false_ones(&self) -> String {
        if self.device_days == 0.0 {
            return "nothing is claimed: no plugin looked at any device".to_owned();
        }
        let rate = self.false_groups as f64 / self.device_days.max(1.0);
        let by =
            self.by_plugin.iter().map(|(name, groups)| format!("{groups} of {name}")).collect::<Vec<_>>().join(", ");
        let by = if by.is_empty() { by } else { format!(": {by}") };
        // The upper end of the exact interval of a Poisson count at 95 % for the first few (Garwood, "Fiducial limits for the
        // Poisson distribution", Biometrika 28, 1936); for none the rule of three, as in the evaluation.
        const AT_MOST: [f64; 6] = [3.0, 5.572, 7.225, 8.767, 10.242, 11.668];
        let at_most = AT_MOST
            .get(self.false_groups as usize)
            .map_or_else(String::new, |most| format!(", at most {:.5} at 95 %", most / self.device_days.max(1.0)));
        let incomplete = match self.incomplete {
            0 => String::new(),
            some => format!("; {some} of {} slices of plugins not looked at in full", self.slices),
        };
        format!("{rate:.5} ({} in {:.0} device-days{by}{at_most}){incomplete}", self.false_groups, self.device_days)
    }
}
