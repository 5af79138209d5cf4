//! Time to detection: how much of an incident must have happened before it is found.
//!
//! A batch finds what it is given; so incidents are cut. Of each, flows that end later than so long after its first are left
//! out, and what is found of the rest was found within that time, had the analysis run then. The truth is cut alike.

use std::{collections::BTreeMap, fs};

use wardflow::synthetic;
use wardflow_datasets::{Hospital, Incident, Options, Truth};

use crate::{
    Args, Result,
    command::evaluate,
    report::Figure,
    sensors::ingested,
    synthetic::{LEARNING, clear},
};

/// Minutes of an incident that are left.
const MINUTES: [i64; 5] = [2, 5, 15, 60, 360];

/// Of loud incidents, how many are found how soon.
pub(crate) fn measure(args: &Args) -> Result<Figure> {
    let seed = *args.seeds.first().ok_or("no seed")?;
    let options = Options { devices: 120, days: args.days, seed, ..Options::default() };
    let hospital = Hospital::new(options)?;
    // What falls silent leaves no flows that could be cut.
    let mut began = BTreeMap::<Incident, i64>::new();
    for truth in hospital.truth().iter().filter(|truth| truth.flows > 0) {
        let first = began.entry(truth.incident).or_insert(truth.first_us);
        *first = truth.first_us.min(*first);
    }
    let mut found = Vec::new();
    for minutes in MINUTES {
        let is_left = |flow: &wardflow_datasets::Flow| {
            let since = flow.incident.and_then(|incident| began.get(&incident));
            since.is_none_or(|since| flow.end_us <= since + minutes * 60_000_000)
        };
        let flows = Box::new(hospital.flows().filter(is_left));
        let workspace = ingested(args, &hospital, vec![("one", flows)], &[])?;
        let until = |row: &Truth| began.get(&row.incident).map_or(i64::MAX, |began| began + minutes * 60_000_000);
        let cut = |row: &Truth| Truth { last_us: row.last_us.min(until(row)), ..row.clone() };
        let truth: Vec<_> = hospital.truth().iter().filter(|row| row.first_us <= until(row)).map(cut).collect();
        synthetic::write_truth(&truth, &workspace)?;
        // That of the whole incidents, of which nothing is asked here.
        fs::remove_file(workspace.join(synthetic::TRUTH_HOURS))?;
        let report = evaluate(&workspace, &workspace.join("truth.csv"), "medium", Some(LEARNING))?;
        let scenarios = report["by_scenario"].as_array().ok_or("the evaluation has no scenarios")?;
        let is_of_flows = |name: &str| began.keys().any(|incident| incident.as_str() == name);
        let is_found = |scenario: &&serde_json::Value| {
            scenario["incident"].as_str().is_some_and(is_of_flows)
                && scenario["found_by"].as_array().is_some_and(|by| !by.is_empty())
        };
        found.push((minutes, scenarios.iter().filter(is_found).count()));
        clear(args, &workspace)?;
    }
    let within = found.iter().map(|(minutes, found)| format!("{found} within {minutes} min"));
    let within = within.collect::<Vec<_>>().join(", ");
    // What is not found within the longest time counts as later.
    let median = found.iter().find(|(_, found)| 2 * found >= began.len());
    let median = median.map_or_else(|| "more than 360 min".to_owned(), |(minutes, _)| format!("at most {minutes} min"));
    Ok(Figure::new(
        format!("synthetic hospital, 120 devices, seed {seed}, easy"),
        "median time to detection by medium severity and above ≤ 15 min of traffic",
        format!("{median}; of {} incidents {within}", began.len()),
    ))
}
