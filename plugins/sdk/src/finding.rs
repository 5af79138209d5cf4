use std::{fmt, ops::Bound, ops::RangeBounds};

use wardflow_manifest::{Severity, is_unprintable};

/// Bytes of a summary that the contract allows.
const SUMMARY: usize = 240;
/// Bytes of a cause key and of an observation's name that the contract allows.
const NAME: usize = 64;
/// Bytes of a unit that the contract allows.
const UNIT: usize = 16;
/// Observations in a finding that the contract allows.
const OBSERVATIONS: usize = 16;
/// Example flows in a finding that the contract allows.
const EXAMPLES: usize = 20;

/// One cause, as seen in this slice. Its fields are those of the contract; [`Findings::report`] makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// A finding kind that the manifest declares.
    pub kind: String,
    /// Absent: the severity that the manifest gives the kind.
    pub severity: Option<Severity>,
    /// How unusual, in [0, 1].
    pub score: f64,
    /// How sure, in [0, 1].
    pub confidence: f64,
    /// Start of the first flow that shows it, in microseconds since 1970.
    pub first_time: i64,
    /// End of the last flow that shows it, in microseconds since 1970.
    pub last_time: i64,
    /// The peer, if it is about one.
    pub peer: Option<u64>,
    /// The peer's port, if it is about one.
    pub peer_port: Option<u16>,
    /// IANA protocol number, if it is about one.
    pub protocol: Option<u8>,
    /// How many flows of this slice show it.
    pub flow_count: u64,
    /// One line for a person.
    pub summary: String,
    /// Tells causes of one kind, peer, port and protocol apart.
    pub cause_key: String,
    /// The numbers that it rests on.
    pub observations: Vec<Observation>,
    /// Positions of flows that show it.
    pub examples: Vec<u32>,
}

/// One number that a finding rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// What it is.
    pub name: String,
    /// What was measured.
    pub measured: f64,
    /// The least that would have been expected.
    pub expected_low: Option<f64>,
    /// The most that would have been expected.
    pub expected_high: Option<f64>,
    /// UCUM unit.
    pub unit: String,
}

/// Where a detector reports to. Whatever it is given, what comes out keeps the contract.
#[derive(Debug)]
pub struct Findings {
    list: Vec<Finding>,
    before: i64,
}

impl Findings {
    /// For a call in which nothing later than the microsecond before `before` may be reported.
    pub(crate) fn ending_before(before: i64) -> Self {
        Self { list: Vec::new(), before }
    }

    pub(crate) fn into_vec(self) -> Vec<Finding> {
        self.list
    }

    /// Reports a finding of a kind that the manifest declares, shown by flows from `first` to `last`, in microseconds
    /// since 1970. It counts as reported from here on; the draft that is returned fills it in. Until then score and
    /// confidence are 0.5 and it stands for one flow.
    pub fn report(&mut self, kind: &str, first: i64, last: i64) -> Draft<'_> {
        let last = last.min(self.before.saturating_sub(1));
        Draft(self.list.push_mut(Finding {
            kind: kind.to_owned(),
            severity: None,
            score: 0.5,
            confidence: 0.5,
            first_time: first.min(last),
            last_time: last,
            peer: None,
            peer_port: None,
            protocol: None,
            flow_count: 1,
            summary: String::new(),
            cause_key: String::new(),
            observations: Vec::new(),
            examples: Vec::new(),
        }))
    }
}

/// A finding that is being filled in. Values out of their range are brought into it.
#[derive(Debug)]
pub struct Draft<'a>(&'a mut Finding);

impl Draft<'_> {
    /// Overrides the severity that the manifest gives the kind.
    pub fn severity(self, severity: Severity) -> Self {
        self.0.severity = Some(severity);
        self
    }

    /// How unusual, in [0, 1]; NaN counts as 0.
    pub fn score(self, score: f64) -> Self {
        self.0.score = share(score);
        self
    }

    /// How sure, in [0, 1]; NaN counts as 0.
    pub fn confidence(self, confidence: f64) -> Self {
        self.0.confidence = share(confidence);
        self
    }

    /// The peer, which must occur among the device's flows of this slice.
    pub fn peer(self, peer: u64) -> Self {
        self.0.peer = Some(peer);
        self
    }

    /// The peer's port. A port of the device belongs into [`cause_key`](Self::cause_key) and the summary.
    pub fn peer_port(self, port: u16) -> Self {
        self.0.peer_port = Some(port);
        self
    }

    /// IANA protocol number.
    pub fn protocol(self, protocol: u8) -> Self {
        self.0.protocol = Some(protocol);
        self
    }

    /// How many flows of this slice show it.
    pub fn flow_count(self, flows: u64) -> Self {
        self.0.flow_count = flows;
        self
    }

    /// One line for a person that says what the flows show, not why. Cut at 240 bytes; characters that
    /// control or hide text become spaces.
    pub fn summary(self, summary: fmt::Arguments<'_>) -> Self {
        self.0.summary = line(&summary.to_string(), SUMMARY);
        self
    }

    /// Tells causes of one kind, peer, port and protocol apart. It is part of the finding's identity, so it holds no
    /// time, count or score. Cut at 64 bytes.
    pub fn cause_key(self, key: &str) -> Self {
        self.0.cause_key = line(key, NAME);
        self
    }

    /// A number that the finding rests on, its UCUM unit, and what was expected: `..=5.0`, `1.0..=5.0`, `2.0..`, `..`.
    /// A number that is not finite is left out, as is one after the sixteenth.
    pub fn measured(self, name: &str, measured: f64, unit: &str, expected: impl RangeBounds<f64>) -> Self {
        if measured.is_finite() && self.0.observations.len() < OBSERVATIONS {
            self.0.observations.push(Observation {
                name: line(name, NAME),
                measured,
                expected_low: finite(expected.start_bound()),
                expected_high: finite(expected.end_bound()),
                unit: line(unit, UNIT),
            });
        }
        self
    }

    /// A flow that shows it, by its [position](crate::Flows::position). The first twenty are kept.
    pub fn example(self, position: u32) -> Self {
        self.examples([position])
    }

    /// Flows that show it, by their [positions](crate::Flows::position). The first twenty are kept.
    pub fn examples(self, positions: impl IntoIterator<Item = u32>) -> Self {
        let free = EXAMPLES - self.0.examples.len();
        self.0.examples.extend(positions.into_iter().take(free));
        self
    }
}

fn share(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
}

fn finite(bound: Bound<&f64>) -> Option<f64> {
    match bound {
        Bound::Included(value) | Bound::Excluded(value) => Some(*value).filter(|value| value.is_finite()),
        Bound::Unbounded => None,
    }
}

/// A text as one line of at most `most` bytes.
pub(crate) fn line(text: &str, most: usize) -> String {
    let mut line: String = text.chars().map(|c| if is_unprintable(c) { ' ' } else { c }).collect();
    line.truncate(line.floor_char_boundary(most));
    line
}

#[cfg(test)]
mod tests {
    use super::{EXAMPLES, Findings, NAME, OBSERVATIONS, SUMMARY, UNIT};

    #[test]
    fn nothing_that_a_detector_says_breaks_the_contract() {
        let mut findings = Findings::ending_before(100);
        let long = "é\n\u{202e}".repeat(200);
        let mut draft = findings
            .report("kind", 300, 200)
            .score(f64::NAN)
            .confidence(f64::INFINITY)
            .summary(format_args!("{long}"))
            .cause_key(&long)
            .measured("nan", f64::NAN, "1", ..)
            .examples(0..1_000)
            .example(7);
        for _ in 0..100 {
            draft = draft.measured(&long, 1.0, &long, f64::NEG_INFINITY..=2.0);
        }
        let finding = findings.into_vec().remove(0);
        assert_eq!((finding.first_time, finding.last_time), (99, 99));
        assert_eq!((finding.score, finding.confidence), (0.0, 1.0));
        assert_eq!((finding.observations.len(), finding.examples.len()), (OBSERVATIONS, EXAMPLES));
        let observation = &finding.observations[0];
        assert_eq!((observation.expected_low, observation.expected_high), (None, Some(2.0)));
        for (text, most) in [
            (&finding.summary, SUMMARY),
            (&finding.cause_key, NAME),
            (&observation.name, NAME),
            (&observation.unit, UNIT),
        ] {
            assert!(text.len() <= most && text.len() + 2 > most && !text.contains(['\n', '\u{202e}']), "{text:?}");
        }
    }
}
