//! Everything that a hospital's host would refuse or dislike in a plugin, at once, each with the remedy.

mod used;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use wardflow_manifest::{Column, Manifest};

use self::used::Most;
use super::{
    bed::Made,
    capture::is_narrow,
    case::Case,
    inputs::{self, Input},
    probe::{self, Alone, Cut, Watched, Watcher},
    trial::{self, Asked, Missed, Trial},
};
use crate::{
    coverage::Status,
    detect::{UNREADABLE, parse_cidr},
    detector::Detector,
    error::{Error, Result},
    limits::Limits,
    parameters::check_defaults,
    sandbox::{Compiler, Sandbox, check_complexity, check_memory, inspect, problems},
    zone::{AddressSpace, IpScope},
};

/// Flows of a batch where batches are cut otherwise. Odd, so that they end elsewhere than any block.
const OTHER_BATCH: usize = 997;

/// What is wrong with a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// How wrong.
    pub weight: Weight,
    /// Where it shows, such as `the file` or `hostile flows`.
    pub place: String,
    /// What.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// How wrong something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// A host would refuse it, or devices would be lost.
    Refused,
    /// It would run, and a hospital would have reason to complain.
    Disliked,
}

/// What came of a check.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Checked {
    /// What is wrong, worst first.
    pub remarks: Vec<Remark>,
    /// What was tried, in order.
    pub tried: Vec<String>,
    /// The most that was used of each limit.
    pub used: BTreeMap<&'static str, Used>,
}

/// How much was used of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Used {
    /// At most.
    pub most: u64,
    /// Allowed.
    pub allowed: u64,
    /// In this unit.
    pub unit: &'static str,
}

impl Checked {
    /// Whether a host would refuse it.
    pub fn is_refused(&self) -> bool {
        self.remarks.iter().any(|remark| remark.weight == Weight::Refused)
    }

    fn add(&mut self, weight: Weight, place: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let remark = Remark { weight, place: place.to_owned(), what: what.into(), remedy: remedy.into() };
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    fn refuse(&mut self, place: &str, error: &Error) {
        let remedy = error.remedy_text().unwrap_or("see wit/detector.wit").to_owned();
        self.add(Weight::Refused, place, error.reason(), remedy);
    }
}

/// Checks a plugin's bytes under these limits, with the kit's flows and those of `cases`. `progress` is told what is tried.
///
/// # Errors
/// The kit itself cannot go on: no temporary files, no compiler. What the plugin does wrong is a [`Remark`].
pub async fn check(
    bytes: &[u8],
    limits: &Limits,
    cases: &[Case],
    compiler: Compiler,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Checked> {
    let mut checked = Checked::default();
    checked.tried.push("the file".to_owned());
    for problem in problems(bytes, limits) {
        checked.refuse("the file", &problem);
    }
    if checked.is_refused() {
        return Ok(checked);
    }
    let inspection = inspect(bytes, limits)?;
    look_at(&inspection.manifest, &inspection.columns, &mut checked);
    let manifest = &inspection.manifest;
    for wrong in [check_defaults(manifest), check_memory(manifest, limits), check_complexity(bytes)] {
        if let Err(error) = wrong {
            checked.refuse("the file", &error);
        }
    }
    if checked.is_refused() {
        return Ok(checked);
    }
    progress("compiling it");
    let detector: Arc<dyn Detector> = match Sandbox::new(limits.clone(), compiler)?.load(bytes) {
        Ok(plugin) => Arc::new(plugin),
        Err(error) => {
            checked.refuse("the file", &error);
            return Ok(checked);
        }
    };
    let mut reported = BTreeSet::new();
    for input in Input::ALL {
        progress(&format!("trying {}", input.name()));
        let made = input.workspace(detector.manifest()).await?;
        let flows =
            Flows { place: input.name().to_owned(), flag: format!("--input {}", input.word()), input: Some(input) };
        reported.extend(try_out(&made, &detector, limits, &flows, &mut checked).await?);
    }
    for case in cases {
        let place = format!("the case {}", case.name);
        progress(&format!("trying {place}"));
        let made = case.workspace().await;
        match made.and_then(|made| made.fits(&detector.manifest().id).map(|()| made)) {
            Ok(made) => {
                let flows = Flows { place, flag: format!("--case {}", case.directory.display()), input: None };
                reported.extend(try_out(&made, &detector, limits, &flows, &mut checked).await?);
            }
            Err(error) => checked.refuse(&place, &error),
        }
    }
    let kinds = detector.manifest().findings.iter().map(|declared| declared.kind.as_str());
    let never: Vec<_> = kinds.filter(|kind| !reported.contains(*kind)).collect();
    if !never.is_empty() {
        checked.add(
            Weight::Disliked,
            "all flows",
            format!("it never reported {}, so what reports it was not tried", never.join(", ")),
            "write cases that show it, and give them with --cases",
        );
    }
    checked.remarks.sort_by_key(|remark| remark.weight);
    Ok(checked)
}

/// What can be seen without running it.
fn look_at(manifest: &Manifest, linked: &BTreeSet<Column>, checked: &mut Checked) {
    let place = "the file";
    let names = |columns: &mut dyn Iterator<Item = &Column>| {
        let names: Vec<_> = columns.map(|column| column.name()).collect();
        names.join(", ")
    };
    let unused = names(&mut manifest.columns.difference(linked));
    if !unused.is_empty() {
        checked.add(
            Weight::Disliked,
            place,
            format!("plugin.toml declares columns that the code never pulls: {unused}"),
            "take them out: a hospital grants what is declared, and reads it from disk",
        );
    }
    // A language runtime links every column, which says nothing.
    let undeclared = names(&mut linked.difference(&manifest.columns));
    if !undeclared.is_empty() && linked.len() < Column::ALL.len() {
        checked.add(
            Weight::Disliked,
            place,
            format!("the code can pull columns that plugin.toml does not declare: {undeclared}"),
            "declare them or do not use them: pulling one is a fault",
        );
    }
    let private = AddressSpace::default();
    for group in &manifest.peer_groups {
        let is_odd = |cidr: &&String| {
            parse_cidr(cidr).is_some_and(|net| !is_narrow(&net) || private.scope(net.addr()) == IpScope::Internal)
        };
        let odd: Vec<_> = group.cidrs.iter().filter(is_odd).map(String::as_str).collect();
        if !odd.is_empty() {
            checked.add(
                Weight::Disliked,
                place,
                format!(
                    "the peer group {} lists networks that are private or of many owners: {}",
                    group.name,
                    odd.join(", ")
                ),
                "list the maker's own networks, /16 (IPv6 /32) or narrower; let the hospital map its own to the group",
            );
        }
    }
    if let Some(end) = manifest.support_end.filter(|end| *end < Timestamp::now().to_zoned(TimeZone::UTC).date()) {
        checked.add(Weight::Disliked, place, format!("support ended on {end}"), "raise support_end, or leave it out");
    }
    if manifest.security_contact.is_empty() {
        checked.add(
            Weight::Disliked,
            place,
            "plugin.toml has no security_contact",
            "say where a weakness of the plugin can be reported",
        );
    }
    for kind in &manifest.findings {
        if kind.possible_causes.is_empty() {
            checked.add(
                Weight::Disliked,
                place,
                format!("the finding {} has no possible_causes", kind.kind),
                "name what may have caused it, benign causes too: who reads it must know what to rule out",
            );
        }
    }
}

/// What it is tried on.
struct Flows {
    place: String,
    /// With which `wardflow plugin run` shows the same.
    flag: String,
    input: Option<Input>,
}

/// Runs it over a workspace in every way that must not matter. Returns the kinds of findings that it reported.
async fn try_out(
    made: &Made,
    detector: &Arc<dyn Detector>,
    limits: &Limits,
    flows: &Flows,
    checked: &mut Checked,
) -> Result<BTreeSet<String>> {
    let place = flows.place.as_str();
    checked.tried.push(place.to_owned());
    let most = Arc::new(Most::default());
    let watched = probe::ask(detector, Watched(Arc::clone(&most) as Arc<dyn Watcher>));
    let asked = Asked { gaps: made.gaps.clone(), ..Asked::default() };
    let first = match trial::run(&made.workspace, watched, &asked).await {
        Ok((first, _)) => first,
        Err(error) => {
            checked.refuse(place, &error);
            return Ok(BTreeSet::new());
        }
    };
    let reported: BTreeSet<_> = first.findings.iter().map(|seen| seen.kind.clone()).collect();
    blame(&first, flows, checked);
    if flows.input == Some(Input::Weeks) {
        most.judge_growth(inputs::days(detector.manifest()), limits, checked);
    }
    most.judge(detector.manifest(), limits, place, checked);
    if first.devices == 0 && first.missed.is_empty() {
        checked.add(
            Weight::Disliked,
            place,
            "no device is in the plugin's scope",
            "correct [scope] in plugin.toml, or the devices of the case",
        );
        return Ok(reported);
    }
    // What is lost is lost otherwise each time, and was told.
    if flows.input == Some(Input::Huge) || !first.missed.is_empty() {
        return Ok(reported);
    }
    let other =
        async |detector: Arc<dyn Detector>| Ok::<_, Error>(trial::run(&made.workspace, detector, &asked).await?.0);
    let again = other(Arc::clone(detector)).await?;
    differ(&first, &again, place, "two runs over the same flows differ", NO_CHANCE, checked);
    let cut = other(probe::ask(detector, Cut(OTHER_BATCH))).await?;
    differ(
        &first,
        &cut,
        place,
        "what it finds depends on where batches end",
        "carry everything over from one observe to the next: a batch ends where it does for the host's reasons alone",
        checked,
    );
    let alone = other(probe::ask(detector, Alone)).await?;
    differ(
        &first,
        &alone,
        place,
        "what it finds of a device depends on which devices came before it",
        "keep nothing outside of a session: no static, no cache that changes results",
        checked,
    );
    let day = Asked { slice_hours: Some(24), ..asked };
    let (day, _) = trial::run(&made.workspace, Arc::clone(detector), &day).await?;
    let (short, long) = (causes(&first), causes(&day));
    if let Some(cause) = short.symmetric_difference(&long).next() {
        checked.add(
            Weight::Disliked,
            place,
            format!(
                "with slices of 24 hours it finds {} causes, with slices of {} hours {}; one that differs: {cause}",
                long.len(),
                made.workspace.config.slice_hours,
                short.len()
            ),
            "judge over stretches of time of your own, kept in the state, not over a slice: its length is the hospital's",
        );
    }
    Ok(reported)
}

const NO_CHANCE: &str =
    "take no chance from addresses of memory or hash maps of random order; keep state in ordered maps";

/// What was lost, and what could not be read.
fn blame(trial: &Trial, flows: &Flows, checked: &mut Checked) {
    let place = flows.place.as_str();
    let mut by_reason: BTreeMap<&str, (usize, &Missed)> = BTreeMap::new();
    for missed in &trial.missed {
        by_reason.entry(&missed.reason).or_insert((0, missed)).0 += 1;
    }
    for (reason, (count, first)) in by_reason {
        let Some(device) = &first.device_id else {
            // All of a slice: what led to it is told by device, unless the flows lack something.
            if first.status == Status::Unsuited || trial.missed.iter().all(|missed| missed.device_id.is_none()) {
                let weight = if first.status == Status::Unsuited { Weight::Disliked } else { Weight::Refused };
                let what = format!("{}: {reason}", first.status);
                checked.add(
                    weight,
                    place,
                    what,
                    "see what it requires, and whether its parameters make sense together",
                );
            }
            continue;
        };
        let slice = first.slice_start;
        let remedy = format!(
            "such a device is lost for the slice: `wardflow plugin run FILE {} --device {device} --from {slice} --trace` shows it",
            flows.flag
        );
        checked.add(Weight::Refused, place, format!("{reason} ({count} times, first {device})"), remedy);
    }
    let unreadable = trial.began_anew.iter().find(|row| row.reason.starts_with(UNREADABLE));
    if let Some(row) = unreadable {
        let device = row.device_id.as_deref().unwrap_or("a device");
        checked.add(
            Weight::Refused,
            place,
            format!("its own state does not survive save and open: of {device} {}", row.reason),
            "open must read what save wrote; raise state_version only when the shape changes",
        );
    }
}

fn differ(first: &Trial, other: &Trial, place: &str, what: &str, remedy: &str, checked: &mut Checked) {
    let told = if let Some(row) = other.missed.first() {
        format!("the other way {}", row.reason)
    } else if first.findings != other.findings {
        let line =
            |from: &Trial, to: &Trial| from.findings.iter().find(|seen| !to.findings.contains(seen)).map(|s| s.line());
        let only = line(first, other).or_else(|| line(other, first)).unwrap_or_else(|| "their order".to_owned());
        format!("one that differs: {only}")
    } else if let Some(device) = first.states.keys().find(|id| first.states.get(*id) != other.states.get(*id)) {
        format!("findings agree, the states of {device} do not")
    } else {
        return;
    };
    checked.add(Weight::Refused, place, format!("{what}; {told}"), remedy);
}

fn causes(trial: &Trial) -> BTreeSet<String> {
    let cause = |seen: &super::seen::Seen| {
        let peer = seen.peer_ip.as_ref().map(|ip| format!(" {ip}")).unwrap_or_default();
        format!("{} {}{peer} {}", seen.device_id, seen.kind, seen.finding_id)
    };
    trial.findings.iter().map(cause).collect()
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.what, self.remedy)
    }
}
