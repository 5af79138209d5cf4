//! The finding: what a detector reports, once it has been admitted.
//!
//! [`admit`] is the one door through which anything that a guest says of a device reaches the host.

use std::{net::IpAddr, sync::Arc};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use wardflow_manifest::{FindingKind, Manifest, Severity, is_unprintable};

use crate::{
    detector::{Fault, FaultKind, Observation, Report},
    flow::time_type,
    limits::Exceeded,
};

/// A finding of one slice, checked, with the peer's address in place of its pseudonym.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "fields as in the contract's `finding`")]
pub struct Finding {
    pub kind: FindingKind,
    pub severity: Severity,
    pub score: f64,
    pub confidence: f64,
    pub first_seen: i64,
    pub last_seen: i64,
    pub peer_ip: Option<IpAddr>,
    pub peer_port: Option<u16>,
    pub protocol: Option<u8>,
    pub flow_count: u64,
    pub summary: String,
    pub cause_key: String,
    pub observations: Vec<Observation>,
    pub examples: Vec<u32>,
}

impl Finding {
    /// Bytes that it takes until it is committed, about.
    pub fn bytes(&self) -> usize {
        let texts = self.observations.iter().map(|observation| observation.name.len() + observation.unit.len());
        let texts: usize = texts.sum::<usize>() + self.summary.len() + self.cause_key.len();
        // Its device, plugin, title and times; each example has an address and ports.
        512 + texts + self.observations.len() * 128 + self.examples.len() * 96
    }
}

/// What a report is checked against.
pub struct Admission<'a> {
    /// The plugin's manifest.
    pub manifest: &'a Manifest,
    /// The export that reported.
    pub call: &'static str,
    /// End of the slice, exclusive.
    pub slice_end: i64,
    /// How many flows of the slice the session was given so far.
    pub flows: u64,
    /// The address behind a pseudonym that occurred among those flows.
    pub peer: &'a dyn Fn(u64) -> Option<IpAddr>,
}

const KEY_BYTES: usize = 64;
const SUMMARY_BYTES: usize = 240;
const UNIT_BYTES: usize = 16;
/// The year 1 in microseconds, from which on flows have times. Before it are numbers that no reader shows as a time.
const FIRST_TIME: i64 = -62_135_596_800_000_000;
const OBSERVATIONS: usize = 16;
const EXAMPLES: usize = 20;

/// Checks a report against the contract and the manifest.
///
/// # Errors
/// A fault that names the first rule that is broken and the value that breaks it.
pub fn admit(report: Report, admission: &Admission<'_>) -> Result<Finding, Fault> {
    let breach = |message: String| Fault::new(admission.call, FaultKind::Contract, message);
    let kind = admission.manifest.kind(&report.kind).ok_or_else(|| {
        let declared: Vec<_> = admission.manifest.findings.iter().map(|kind| kind.kind.as_str()).collect();
        breach(format!("finding of kind {:?}; the manifest declares {}", shorten(&report.kind), declared.join(", ")))
    })?;
    for (name, value) in [("score", report.score), ("confidence", report.confidence)] {
        if !(0.0..=1.0).contains(&value) {
            return Err(breach(format!("finding with {name} {value}; it must lie in [0, 1]")));
        }
    }
    if report.first_time > report.last_time || report.last_time >= admission.slice_end {
        let (first, last, end) = (report.first_time, report.last_time, admission.slice_end);
        return Err(breach(format!(
            "finding from {first} to {last}; first <= last < end of the slice, {end}, must hold"
        )));
    }
    if report.first_time < FIRST_TIME {
        let first = report.first_time;
        return Err(breach(format!("finding from {first}; times begin with the year 1, {FIRST_TIME}")));
    }
    if report.flow_count > admission.flows {
        let (count, flows) = (report.flow_count, admission.flows);
        return Err(breach(format!("finding about {count} flows; the session was given {flows} in this slice")));
    }
    for (what, text, most) in
        [("summary", &report.summary, SUMMARY_BYTES), ("cause key", &report.cause_key, KEY_BYTES)].into_iter().chain(
            report
                .observations
                .iter()
                .flat_map(|o| [("observation's name", &o.name, KEY_BYTES), ("unit", &o.unit, UNIT_BYTES)]),
        )
    {
        check_text(what, text, most).map_err(breach)?;
    }
    for (what, count, most) in [
        ("observations of a finding", report.observations.len(), OBSERVATIONS),
        ("examples of a finding", report.examples.len(), EXAMPLES),
    ] {
        if count > most {
            return Err(breach(exceeded(what, count, most, "")));
        }
    }
    for observation in &report.observations {
        let numbers = [Some(observation.measured), observation.expected_low, observation.expected_high];
        if let Some(number) = numbers.into_iter().flatten().find(|number| !number.is_finite()) {
            return Err(breach(format!("observation {:?} of {number}; numbers must be finite", observation.name)));
        }
    }
    if let Some(row) = report.examples.iter().find(|row| u64::from(**row) >= admission.flows) {
        return Err(breach(format!("example flow {row}; the session was given {} in this slice", admission.flows)));
    }
    let peer_ip = report
        .peer
        .map(|peer| {
            (admission.peer)(peer)
                .ok_or_else(|| breach(format!("finding about peer {peer:#018x}, which had no flow in this slice")))
        })
        .transpose()?;
    Ok(Finding {
        severity: report.severity.unwrap_or(kind.severity),
        kind: kind.clone(),
        score: report.score,
        confidence: report.confidence,
        first_seen: report.first_time,
        last_seen: report.last_time,
        peer_ip,
        peer_port: report.peer_port,
        protocol: report.protocol,
        flow_count: report.flow_count,
        summary: report.summary,
        cause_key: report.cause_key,
        observations: report.observations,
        examples: report.examples,
    })
}

impl Finding {
    /// The finding's identity, 32 hex digits of BLAKE3: one cause keeps one id through time, versions and reruns, so
    /// no pseudonym, time, score or version is in it.
    pub fn id(&self, plugin: &str, device_id: &str) -> String {
        self.digest(plugin, device_id)
    }

    /// What it has in common with findings of the same cause on other devices, 32 hex digits: its identity without the
    /// device. One that names neither peer nor port nor cause is of its device alone, since nothing says that another's has
    /// the same cause.
    pub fn group_id(&self, plugin: &str, device_id: &str) -> String {
        let has_cause = self.peer_ip.is_some() || self.peer_port.is_some() || !self.cause_key.is_empty();
        self.digest(plugin, if has_cause { "" } else { device_id })
    }

    fn digest(&self, plugin: &str, device_id: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        let peer = self.peer_ip.map(|ip| ip.to_string()).unwrap_or_default();
        let port = self.peer_port.map(|port| port.to_string()).unwrap_or_default();
        let protocol = self.protocol.map(|protocol| protocol.to_string()).unwrap_or_default();
        for part in [plugin, &self.kind.kind, device_id, &peer, &port, &protocol, &self.cause_key] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// Columns of the table `findings`, one row a finding and slice. Integers are signed, since Delta has no others.
pub fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let time = |name| Field::new(name, time_type(), true);
    let number = |name| Field::new(name, DataType::Float64, true);
    Arc::new(Schema::new(vec![
        text("finding_id"),
        text("commit"),
        time("slice_start"),
        text("plugin"),
        text("plugin_version"),
        text("plugin_digest"),
        text("device_id"),
        text("device_ip"),
        text("device_class"),
        text("firmware"),
        text("zone"),
        text("kind"),
        text("title"),
        text("severity"),
        Field::new("severity_id", DataType::Int32, true),
        number("score"),
        number("confidence"),
        time("first_seen"),
        time("last_seen"),
        text("peer_ip"),
        Field::new("peer_port", DataType::Int32, true),
        Field::new("protocol", DataType::Int32, true),
        Field::new("flow_count", DataType::Int64, true),
        text("summary"),
        text("techniques"),
        text("cause_key"),
        Field::new_list("examples", Field::new("element", DataType::Struct(example_fields()), true), true),
        text("group_id"),
        text("shows"),
        Field::new_list("possible_causes", Field::new("element", DataType::Utf8, true), true),
        text("first_action"),
        text("not_while_connected"),
    ]))
}

/// Fields of one of a finding's `examples`: a flow as the device saw it. Its end and its peer are always there; the others
/// are null where the plugin does not declare them.
pub fn example_fields() -> Fields {
    Fields::from(vec![
        Field::new("start_time", time_type(), true),
        Field::new("end_time", time_type(), true),
        Field::new("peer_ip", DataType::Utf8, true),
        Field::new("peer_port", DataType::Int32, true),
        Field::new("local_port", DataType::Int32, true),
        Field::new("protocol", DataType::Int32, true),
    ])
}

/// Columns of the table `observations`, one row a number, finding and slice.
pub fn observations_schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let number = |name| Field::new(name, DataType::Float64, true);
    Arc::new(Schema::new(vec![
        text("finding_id"),
        text("commit"),
        Field::new("slice_start", time_type(), true),
        text("plugin"),
        text("name"),
        number("measured"),
        number("expected_low"),
        number("expected_high"),
        text("unit"),
    ]))
}

fn check_text(what: &'static str, text: &str, most: usize) -> Result<(), String> {
    if text.len() > most {
        return Err(exceeded(what, text.len(), most, " bytes"));
    }
    match text.chars().find(|c| is_unprintable(*c)) {
        Some(c) => Err(format!("{what} with {c:?}; control and direction characters are refused")),
        None => Ok(()),
    }
}

fn exceeded(what: &'static str, asked: usize, allowed: usize, unit: &str) -> String {
    let limit = Exceeded {
        what,
        asked: format!("{asked}{unit}"),
        allowed: format!("{allowed}{unit}"),
        setting: "set by the contract",
    };
    limit.to_string()
}

/// The beginning of a guest's text, for a message.
fn shorten(text: &str) -> String {
    text.chars().take(KEY_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::{Admission, admit};
    use crate::detector::{Observation, Report};
    use wardflow_manifest::Manifest;

    fn report() -> Report {
        Report {
            kind: "loud".into(),
            severity: None,
            score: 0.5,
            confidence: 1.0,
            first_time: 10,
            last_time: 20,
            peer: Some(7),
            peer_port: Some(80),
            protocol: Some(6),
            flow_count: 2,
            summary: "two flows".into(),
            cause_key: String::new(),
            observations: vec![Observation {
                name: "rate".into(),
                measured: 1.0,
                expected_low: None,
                expected_high: Some(0.5),
                unit: "/min".into(),
            }],
            examples: vec![0, 1],
        }
    }

    fn check(change: impl Fn(&mut Report), expected: &str) {
        let manifest = Manifest::from_toml(
            r#"
            id = "example/quiet"
            version = "1.0.0"
            contract = "0.1.0"
            publisher = "Example"
            intended_use = "A test."
            columns = ["peer"]
            [[findings]]
            kind = "loud"
            title = "Loud"
            severity = "low"
            shows = "Much."
            first_action = "Ask."
            "#,
        )
        .unwrap();
        let peer = |pseudonym| (pseudonym == 7).then(|| "10.0.0.1".parse().unwrap());
        let admission = Admission { manifest: &manifest, call: "observe", slice_end: 100, flows: 2, peer: &peer };
        let mut changed = report();
        change(&mut changed);
        match admit(changed, &admission) {
            Ok(finding) => assert!(expected.is_empty(), "admitted {finding:?}"),
            Err(fault) => assert!(!expected.is_empty() && fault.to_string().contains(expected), "{fault}"),
        }
    }

    #[test]
    fn the_door_lets_in_what_keeps_the_contract() {
        check(|_| (), "");
        check(|r| r.peer = None, "");
        check(|r| r.kind = "lout".into(), "the manifest declares loud");
        check(|r| r.score = f64::NAN, "score NaN");
        check(|r| r.confidence = 1.01, "confidence 1.01");
        check(|r| r.last_time = 100, "end of the slice");
        check(|r| r.first_time = 21, "first <= last");
        check(|r| r.first_time = -62_135_596_800_000_000, "");
        check(|r| r.first_time = i64::MIN, "times begin with the year 1");
        check(|r| r.flow_count = 3, "about 3 flows");
        check(|r| r.summary = "x".repeat(241), "241 bytes asked, 240 bytes allowed");
        check(|r| r.summary = "a\u{1b}[2J".into(), "control and direction");
        check(|r| r.cause_key = "\u{202e}".into(), "cause key");
        check(|r| r.observations[0].measured = f64::INFINITY, "must be finite");
        check(|r| r.observations[0].unit = "x".repeat(17), "17 bytes asked");
        check(|r| r.observations = vec![r.observations[0].clone(); 17], "17 asked, 16 allowed");
        check(|r| r.examples = vec![2], "example flow 2");
        check(|r| r.peer = Some(8), "had no flow in this slice");
    }
}
