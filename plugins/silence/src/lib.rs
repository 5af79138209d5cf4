//! # `wardflow/silence`: a device in use falls silent
//!
//! **Finds** pauses of a device in use that are much longer than any that it made (`silence`), and devices that come
//! back after a week or more (`returning`).
//!
//! **Why it matters.** A monitor that nobody hears tells nobody. Loss of view and loss of control (ATT&CK for ICS
//! T0829, T0827) are what a flood, a crash of a communication module or a cut line does to a device that is at a
//! patient. NIST SP 1800-8 counts loss of availability among the risks of infusion pumps.
//!
//! **How.** A *contact* is a flow in which something was exchanged with one peer; an *attempt* is any other flow that
//! the device opened. A pause is ten minutes or more from the end of one contact to the start of the next, less the
//! gaps of the sensors. It began in use if the hour before it had half the contacts that this local hour usually has,
//! six at least; use went on if six contacts follow within an hour. A connection that lasted all the while, whose
//! record comes when it ends, takes the pause back. Hours are usual if the device has contact in them on four of five
//! days of the type (working day or weekend), and all hours of a silence must be.
//!
//! A silence is reported if it is twice the longest pause that was learned, which fades by an eighth a week and is half
//! of `silence_most_hours` at most, of `silence_minutes` or more, and of 6 bits of surprise, where the tail of pauses falls as a power that is estimated from those so far (Hill, 1975): a device
//! that pauses for an hour twice a day is not surprising when it pauses for three. It is low. A device with contact in
//! every hour of every day for a week, twenty times an hour, whose longest pause, as faded, is a quarter of an hour, is
//! reported from `continuous_minutes`, and is medium if its attempts show that it is still on the network, or from `silence_minutes`.
//! Half an hour is when somebody should have noticed; an hour is what a transport takes, in which a device is often not
//! heard.
//!
//! A silence that goes on is reported as soon as three attempts in it show that the device is there. Who leaves the
//! network and stays away for `silence_most_hours` was put away: no finding. Of a device with continuous contact that
//! is twelve hours.
//!
//! **No finding**: nights, weekends, a ward that closes; gaps of the sensors; pauses that the device makes anyway.
//!
//! **Blind spots.** A device that falls silent and is switched off; one that is used now and then; silence of one of
//! several peers; a server or switch that is down makes each of its devices silent, and a plugin sees one device.
//! Records of long connections come late.
//!
//! **Memory.** Half a kilobyte.
//!
//! **Parameters** are described in `plugin.toml`.

mod baseline;
mod pulse;

use serde::{Deserialize, Serialize};
use wardflow_common::{is_incomplete, minute_at_end};
use wardflow_sdk::{
    Continuity, DAY, Detector, Device, Direction, Findings, Flows, HOUR, Learning, MINUTE, PeerScope, Saved, Severity,
    Slice, surprise,
};

use baseline::Baseline;
use pulse::{Pulse, Silence};

/// Bits of surprise from which a silence is reported.
const REPORTED: f64 = 6.0;
/// A silence is this many times the longest pause that was learned, as far as that did not fade.
const TIMES_LONGEST: i64 = 2;
/// A device that was never put away is taken to be so after this: a shift and a half, and less than a day that a ward
/// closes.
const CONTINUOUS_MOST: i64 = 12 * HOUR;
/// Attempts in a silence from which the device was on the network.
const LIFE: u32 = 3;
/// Hours with traffic of a device whose return is worth a line.
const KNOWN: u32 = 24;

/// The detector of silence; see the crate's documentation.
pub struct Silences {
    parameters: Parameters,
    state: State,
    ended: Vec<Silence>,
    returned: Option<Return>,
}

/// What the hospital may set, as `plugin.toml` describes it.
#[derive(Clone, Deserialize)]
pub struct Parameters {
    learning_hours: u32,
    least_flows: u64,
    silence_minutes: i64,
    continuous_minutes: i64,
    silence_most_hours: i64,
}

/// What is remembered of a device.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    learning: Learning,
    /// End of the last flow, in microseconds since 1970.
    last: i64,
    baseline: Baseline,
    pulse: Pulse,
}

/// A device that is back.
struct Return {
    /// Microseconds of absence.
    away: i64,
    first: i64,
    last: i64,
    flows: u64,
    example: u32,
}

impl Detector for Silences {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        let (least, most) = (parameters.silence_minutes, parameters.silence_most_hours);
        if least >= most * 60 {
            return Err(format!("silence_minutes is {least}; it must be less than silence_most_hours, {most} h"));
        }
        if parameters.continuous_minutes > least {
            let continuous = parameters.continuous_minutes;
            return Err(format!(
                "continuous_minutes is {continuous}; it must not be more than silence_minutes, {least}"
            ));
        }
        Ok(Self { parameters, state: state.unwrap_or_default(), ended: Vec::new(), returned: None })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            self.count(flows, row);
            self.feel_pulse(flows, row);
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        if let Some(back) = self.returned.take() {
            back.report(findings);
        }
        let mut silences = std::mem::take(&mut self.ended);
        let State { baseline, pulse, .. } = &mut self.state;
        let ongoing = pulse.end_slice(slice, &mut silences, |minute| baseline.rate(minute));
        silences.extend(ongoing);
        for silence in &silences {
            self.judge(silence, slice, findings);
        }
        if self.state.learning.flows() > 0 {
            self.state.baseline.observe(slice.observed(slice.start, slice.end));
        }
    }

    fn save(self) -> Saved<State> {
        let Parameters { learning_hours, least_flows, .. } = self.parameters;
        let learned = self.state.learning.progress(learning_hours, least_flows);
        Saved { learned, ready: learned >= 1.0, state: self.state }
    }
}

impl Silences {
    /// Counts a flow for learning, whatever it is.
    fn count(&mut self, flows: &Flows<'_>, row: usize) {
        let time = flows.end_time()[row];
        let (hours, before) = (self.state.learning.hours(), self.state.last);
        if self.state.learning.count(time) == Continuity::Returned {
            self.state = State { learning: self.state.learning, ..State::default() };
            self.ended.clear();
            let (first, example) = (flows.start_time()[row], flows.position(row));
            let back = Return { away: time - before, first, last: time, flows: 0, example };
            self.returned = (hours >= KNOWN).then_some(back);
        }
        self.state.last = time;
        if let Some(back) = &mut self.returned {
            (back.last, back.flows) = (time, back.flows + 1);
        }
    }

    fn feel_pulse(&mut self, flows: &Flows<'_>, row: usize) {
        let end = flows.end_time()[row];
        if is_contact(flows, row) {
            let (start, minute_of_week) = (flows.start_time()[row], minute_at_end(flows, row));
            // A contact that lasted all the while.
            self.ended.retain(|silence| silence.from < start);
            let State { baseline, pulse, .. } = &mut self.state;
            self.ended.extend(pulse.beat(start, end, minute_of_week, |minute| baseline.rate(minute)));
            baseline.count(end, minute_of_week);
        } else if flows.direction()[row] == Direction::Outbound {
            self.state.pulse.live(end);
        }
    }

    fn judge(&mut self, silence: &Silence, slice: &Slice<'_>, findings: &mut Findings) {
        let Parameters { learning_hours, least_flows, silence_minutes, continuous_minutes, silence_most_hours } =
            self.parameters;
        let length = silence.length();
        let known = &self.state.baseline;
        let is_continuous = known.is_continuous();
        let most = if is_continuous { CONTINUOUS_MOST } else { silence_most_hours * HOUR };
        if length < baseline::PAUSE || length > most {
            return;
        }
        let minutes = if is_continuous { continuous_minutes } else { silence_minutes };
        let least = (minutes * MINUTE).max(TIMES_LONGEST * known.longest());
        let bits = known.bits(length);
        let is_reported = self.state.learning.is_done(learning_hours, least_flows)
            && length >= least
            && bits >= REPORTED
            && (is_continuous || known.is_usual(silence.minute_of_week, silence.to - silence.from));
        if is_reported {
            let is_grave = is_continuous && (silence.life >= LIFE || length >= silence_minutes * MINUTE);
            let severity = if is_grave { Severity::Medium } else { Severity::Low };
            report(silence, severity, bits, least, slice, findings);
        }
        if silence.has_ended {
            self.state.baseline.learn(length, is_reported, most / TIMES_LONGEST);
        }
    }
}

fn report(silence: &Silence, severity: Severity, bits: f64, least: i64, slice: &Slice<'_>, findings: &mut Findings) {
    let minutes = silence.length() / MINUTE;
    let attempts = silence.life;
    let then = match (silence.has_ended, attempts) {
        (true, 0) => "then contact went on".to_owned(),
        (true, _) => format!("{attempts} attempts in it, then contact went on"),
        (false, _) => format!("{attempts} attempts in it, and it goes on"),
    };
    findings
        .report("silence", silence.from, silence.last_flow)
        .severity(severity)
        .score(surprise::score(bits))
        .confidence(if silence.has_ended { 0.7 } else { 0.5 })
        // Flows of an earlier slice do not count in this one.
        .flow_count(if silence.from >= slice.start { u64::from(attempts) } else { 0 })
        .measured("silence", minutes as f64, "min", ..=(least / MINUTE) as f64)
        .measured("attempts", f64::from(attempts), "1", ..)
        .measured("surprise", bits, "bit", ..=REPORTED)
        .summary(format_args!(
            "exchanged nothing with anybody for {minutes} min in use, attempts without an answer aside; {then}"
        ));
}

impl Return {
    fn report(self, findings: &mut Findings) {
        let days = self.away as f64 / DAY as f64;
        findings
            .report("returning", self.first, self.last)
            .severity(Severity::Informational)
            .score(0.1)
            .confidence(0.9)
            .flow_count(self.flows)
            .measured("absence", days, "d", ..=7.0)
            .example(self.example)
            .summary(format_args!("is back after {days:.0} days without a flow, and is learned anew"));
    }
}

/// Whether something was exchanged with one peer.
fn is_contact(flows: &Flows<'_>, row: usize) -> bool {
    let is_one_peer =
        matches!(flows.peer_scope()[row], PeerScope::SameZone | PeerScope::OtherInternal | PeerScope::External);
    let has_both_sides = || flows.packets_sent()[row] > 0 && flows.packets_received()[row] > 0;
    is_one_peer && !is_incomplete(flows.conn_state()[row]) && has_both_sides()
}

wardflow_sdk::export!(Silences, include_str!("../plugin.toml"));
