use std::collections::BTreeSet;

use wardflow_manifest::ManifestError;

use super::{
    Batch, Flow, Plugin,
    check::{STATE, check},
    said,
};
use crate::{Device, Finding, Gap, HOUR, Slice};

/// Flows in a batch, as the contract has it.
const BATCH: usize = 8_192;

/// Runs a detector over a device's flows as the host does: slice by slice, batches of 8,192, saved and opened again
/// between slices, slices without flows included.
pub struct Harness {
    plugin: Plugin,
    device: Device,
    parameters: serde_json::Value,
    slice: i64,
    until: i64,
    gaps: Vec<Gap>,
}

/// What a run gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// In the order in which the detector reported.
    pub findings: Vec<Found>,
    /// How far learning was at the end, in [0, 1].
    pub learned: f64,
    /// Whether learning was enough at the end.
    pub ready: bool,
    /// The state at the end.
    pub state: Vec<u8>,
    /// Bytes of the largest state that was saved.
    pub largest_state: usize,
    /// Slices.
    pub slices: usize,
    /// What the detector said by [`log`](crate::log()).
    pub said: Vec<String>,
}

/// A finding, and the start of the slice that it was reported in.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Microseconds since 1970.
    pub slice_start: i64,
    /// What was reported.
    pub finding: Finding,
}

impl Harness {
    /// For a plugin, with an unknown device, the parameters' defaults and slices of six hours.
    pub fn new(plugin: Plugin) -> Self {
        let parameters = defaults(&plugin.manifest().parameters);
        let device = Device { pseudonym: u64::MAX, class: "unknown".into(), ..Device::default() };
        Self { plugin, device, parameters, slice: 6 * HOUR, until: i64::MIN, gaps: Vec::new() }
    }

    /// For what `export!` made.
    ///
    /// # Panics
    /// The manifest is refused.
    pub fn of(plugin: Result<Plugin, ManifestError>) -> Self {
        match plugin {
            Ok(plugin) => Self::new(plugin),
            Err(error) => panic!("plugin.toml: {error}"),
        }
    }

    /// What the host knows of the device.
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Sets a parameter.
    pub fn parameter(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.parameters[name] = value.into();
        self
    }

    /// Length of a slice, in microseconds; slices begin at its multiples.
    pub fn slice(mut self, length: i64) -> Self {
        self.slice = length.max(1);
        self
    }

    /// Runs to the slice that contains the microsecond before `end`, though no flow is left.
    pub fn until(mut self, end: i64) -> Self {
        self.until = end;
        self
    }

    /// A stretch in which the sensors delivered nothing. It does not take flows away.
    pub fn gap(mut self, start: i64, end: i64) -> Self {
        self.gaps.push(Gap { start, end });
        self
    }

    /// Runs the detector over flows in any order.
    ///
    /// # Panics
    /// The detector panics, uses a column that is not declared, refuses its parameters, cannot read its own state,
    /// saves too much, or reports what the host would refuse: in the sandbox, a fault.
    pub fn run(&self, flows: impl IntoIterator<Item = Flow>) -> Run {
        let mut flows: Vec<_> = flows.into_iter().collect();
        flows.sort_by_key(|flow| {
            (flow.end_time, flow.start_time, flow.peer, flow.local_port, flow.peer_port, flow.protocol)
        });
        let parameters = self.parameters.to_string();
        let mut run = Run::default();
        let (Some(first), Some(last)) = (flows.first(), flows.last()) else { return run };
        let last = last.end_time.max(self.until.saturating_sub(1)).div_euclid(self.slice);
        for number in first.end_time.div_euclid(self.slice)..=last {
            let (start, end) = (number * self.slice, (number + 1) * self.slice);
            let from = flows.partition_point(|flow| flow.end_time < start);
            let to = flows.partition_point(|flow| flow.end_time < end);
            let gaps = self.gaps_in(start, end);
            self.run_slice(&parameters, &Slice { start, end, gaps: &gaps }, &flows[from..to], &mut run);
        }
        run
    }

    fn run_slice(&self, parameters: &str, slice: &Slice<'_>, flows: &[Flow], run: &mut Run) {
        let state = (run.slices > 0).then_some(run.state.as_slice());
        let mut session = match self.plugin.open(&self.device, parameters, state) {
            Ok(session) => session,
            Err(error) => panic!("the session did not open: {error:?}"),
        };
        let peers: BTreeSet<_> = flows.iter().map(|flow| flow.peer).collect();
        let mut report = |findings: Vec<Finding>, rows: usize| {
            for finding in findings {
                if let Err(why) = check(&finding, self.plugin.manifest(), slice, &peers, &(1..=rows)) {
                    panic!("the host would refuse a finding: {why}");
                }
                run.findings.push(Found { slice_start: slice.start, finding });
            }
        };
        for (number, chunk) in flows.chunks(BATCH).enumerate() {
            let first_row = number * BATCH;
            let batch = Batch::new(u32::try_from(first_row).unwrap_or(u32::MAX), chunk);
            report(session.observe(&batch), first_row + chunk.len());
        }
        report(session.end_slice(slice), flows.len());
        let saved = session.save();
        let size = saved.state.len();
        assert!(size <= STATE, "the saved state has {size} bytes; the host allows {STATE}");
        (run.state, run.learned, run.ready) = (saved.state, saved.learned, saved.ready);
        run.largest_state = run.largest_state.max(size);
        run.slices += 1;
        run.said.extend(said::take());
    }

    fn gaps_in(&self, start: i64, end: i64) -> Vec<Gap> {
        let cut = |gap: &Gap| Gap { start: gap.start.max(start), end: gap.end.min(end) };
        let mut gaps: Vec<_> = self.gaps.iter().map(cut).filter(|gap| gap.start < gap.end).collect();
        gaps.sort_by_key(|gap| gap.start);
        gaps
    }
}

impl Run {
    /// The kinds of the findings, in the order in which they were reported.
    pub fn kinds(&self) -> Vec<&str> {
        self.findings.iter().map(|found| found.finding.kind.as_str()).collect()
    }

    /// The findings of a kind.
    pub fn of_kind(&self, kind: &str) -> Vec<&Finding> {
        self.findings.iter().map(|found| &found.finding).filter(|finding| finding.kind == kind).collect()
    }
}

/// The object that a JSON Schema's defaults make.
fn defaults(schema: &serde_json::Value) -> serde_json::Value {
    let properties = schema["properties"].as_object();
    let defaults = properties.into_iter().flatten().filter_map(|(name, property)| {
        let default = property.get("default").cloned();
        let nested = || property.get("properties").map(|_| defaults(property));
        Some((name.clone(), default.or_else(nested)?))
    });
    defaults.collect::<serde_json::Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::Harness;
    use crate::{
        DAY, Detector, Device, Findings, Flows, HOUR, OpenError, Saved, Slice,
        native::{Flow, Plugin},
    };

    const MANIFEST: &str = r#"
        id = "example/echo"
        version = "1.0.0"
        contract = "0.1.0"
        publisher = "Example"
        intended_use = "A test."
        columns = ["end-time", "peer"]
        [[findings]]
        kind = "seen"
        title = "Seen"
        severity = "low"
        shows = "Flows."
        first_action = "Ask."
        [parameters]
        type = "object"
        properties.breach = { type = "string", default = "" }
    "#;

    /// Counts slices, and breaks the contract as it is told.
    struct Echo {
        breach: String,
        slices: u64,
    }

    #[derive(Clone, serde::Deserialize)]
    struct Parameters {
        breach: String,
    }

    impl Detector for Echo {
        type Parameters = Parameters;
        type State = (u64, Vec<u8>);

        fn open(_: &Device, parameters: Parameters, state: Option<(u64, Vec<u8>)>) -> Result<Self, String> {
            match parameters.breach.as_str() {
                "refused" => Err("refused".into()),
                _ => Ok(Self { breach: parameters.breach, slices: state.map_or(0, |(slices, _)| slices) }),
            }
        }

        fn observe(&mut self, flows: &Flows<'_>, findings: &mut Findings) {
            let peer = if self.breach == "peer" { 99 } else { flows.peer()[0] };
            let kind = if self.breach == "kind" { "heard" } else { "seen" };
            let row = if self.breach == "example" { flows.len() } else { 0 };
            let draft = findings.report(kind, flows.end_time()[0], flows.end_time()[flows.len() - 1]);
            let count = if self.breach == "count" { 2 } else { 1 };
            let draft = draft.peer(peer).flow_count(count).example(flows.position(row));
            if self.breach != "summary" {
                draft.summary(format_args!("{} flows in slice {}", flows.len(), self.slices));
            }
            if self.breach == "column" {
                flows.bytes_sent();
            }
        }

        fn end_slice(&mut self, _: &Slice<'_>, _: &mut Findings) {
            self.slices += 1;
            let lines = if self.breach == "talkative" { 100 } else { 1 };
            (0..lines).for_each(|_| crate::log(format_args!("slice {}\n{}", self.slices, "é".repeat(1_000))));
        }

        fn save(self) -> Saved<(u64, Vec<u8>)> {
            let size = if self.breach == "state" { 70_000 } else { 0 };
            Saved { state: (self.slices, vec![0; size]), learned: f64::NAN, ready: true }
        }
    }

    fn harness(breach: &str) -> Harness {
        Harness::of(Plugin::of::<Echo>(MANIFEST)).parameter("breach", breach)
    }

    #[test]
    fn slices_and_batches_are_those_of_the_host() {
        let flows = (0..8_193).map(|_| Flow::at(0)).chain([Flow::at(13 * HOUR)]);
        let run = harness("").until(DAY + 1).run(flows);
        let summaries: Vec<_> = run.findings.iter().map(|found| found.finding.summary.as_str()).collect();
        assert_eq!(summaries, ["8192 flows in slice 0", "1 flows in slice 0", "1 flows in slice 2"]);
        assert_eq!(run.findings[1].finding.examples, [8_192]);
        assert_eq!((run.slices, run.learned, run.ready), (5, 0.0, true));
    }

    #[test]
    fn what_is_said_is_kept_as_the_host_keeps_it() {
        let run = harness("").until(DAY).run([Flow::at(0)]);
        assert_eq!(run.said.len(), run.slices);
        assert!(run.said[3].starts_with("slice 4 é") && run.said[3].len() == 1_024, "{:?}", run.said);
        let run = harness("talkative").until(DAY).run([Flow::at(0)]);
        assert_eq!(run.said.len(), 64 * run.slices);
    }

    #[test]
    fn what_the_host_would_refuse_fails_the_test() {
        let check = |breach: &str, expected: &str| {
            let outcome = catch_unwind(AssertUnwindSafe(|| harness(breach).run([Flow::at(0)])));
            let panic = outcome.unwrap_err();
            let message = panic.downcast_ref::<String>().unwrap();
            assert!(message.contains(expected), "{message}");
        };
        check("kind", "`heard` is not a kind of finding in plugin.toml");
        check("peer", "names peer 99, which is in no flow of this slice");
        check("example", "names flow 1 as an example; the slice has 1 flows");
        check("count", "counts 2 flows; the slice has 1 so far");
        check("summary", "has no summary");
        check("column", "add \"bytes-sent\" to `columns` in plugin.toml");
        check("state", "the host allows 65536");
        check("refused", "ParametersRefused(\"refused\")");
    }

    #[test]
    fn another_state_is_unreadable() {
        let plugin = Plugin::of::<Echo>(MANIFEST).unwrap();
        let open = |state: &[u8]| plugin.open(&Device::default(), r#"{"breach": ""}"#, Some(state)).err();
        assert_eq!(open(&[3, 0]), None);
        assert!(matches!(open(&[3, 0, 0]), Some(OpenError::StateUnreadable(_))));
        assert!(matches!(open(&[3]), Some(OpenError::StateUnreadable(_))));
    }
}
