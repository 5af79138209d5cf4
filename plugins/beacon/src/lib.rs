//! `wardflow/beacon`: regular contact of a device with an outside peer.
//!
//! # What it finds
//! - `beacon`: the device contacts a peer and port at regular intervals, give or take a fifth, whatever the gaps in
//!   between; or with payload of the same size each time and more evenly than chance would have it.
//!
//! Contact of which 19 in 20 attempts fail is the matter of the plugin `failed-contact`.
//!
//! # Why it matters for a device
//! A medical device has few peers, and its maker knows them. One outside peer that it asks every minute is either a
//! service that nobody declared or command and control (ATT&CK T1071, T1008). Inside the hospital regular contact is
//! what devices do all day, so internal peers are left out unless `internal` is set.
//!
//! # How
//! Flows that begin within a second of each other are one contact; so are the repeated SYNs of one attempt, and the
//! pieces into which an exporter cuts a long connection (same port, and begun where the last one ended or without a
//! handshake). The intervals between contacts go into a histogram of bins of equal ratio. What counts is the largest
//! share p of intervals in any window of ratio 1.5, "the same time, give or take a fifth":
//! - It is the mode that counts, as in the interval modes of RITA (Active Countermeasures), and not the variance or
//!   the coefficient of variation, which one gap of hours ruins (Hubballi and Goyal, "FlowSummary: Summarizing Network
//!   Flows for Communication Periodicity Detection", PReMI 2013, use the deviation; RITA's Bowley skewness and median
//!   absolute deviation bear up to a quarter and a half of outliers; the mode bears more, and two modes besides).
//! - Chance is the reference: for contacts at random (Poisson), intervals are exponential, and the share in the window
//!   [x, 1.5 x] is e^-x - e^-1.5x (x in mean intervals), at most (2/3)^2 - (2/3)^3 = 4/27, at x = 2 ln 1.5.
//! - Regularity asks for p beyond chance by six standard deviations of a binomial share: the window is chosen after
//!   the fact, and there are many peers.
//! - Contact is regular in time if, moreover, p is at least `least_share`; regular in size if at least 0.9 of the
//!   payloads, in both directions, lie in a window of ratio 1.1 (compare RITA's data size score). Size alone would
//!   report every revocation check of a browser.
//!
//! The score is that of the bits of p, a share of n intervals of which 4/27 is usual, less 6 bits for the 64 windows
//! that it may lie in. Bits of equal sizes are taken likewise, where one in eight is usual: sizes of a conversation
//! seldom differ by more than that. If these are more, the mean of both counts. Confidence is n / (n + 10). Severity
//! starts at low, goes up for a port that is none of the usual ones for polling and for a peer that the device took up
//! after a day of being watched, unless a known one moved there: one with the same port, interval and equal sizes, that
//! fell silent when the new one began, as of a cloud whose addresses change. It goes down where `shared_by`
//! devices of the class use peer and port or where the peer is internal.
//!
//! # What is no beacon
//! - DHCP, multicast, broadcast, flows that the peer initiated, and any peer of group `expected-cloud` or of a declared
//!   role other than name and time server, proxy and NAT.
//! - What a device does in a declared role of its own: a name server asks other name servers, a time server other time
//!   servers; a proxy, NAT, scanner, network management or backup server contacts whom it is told to.
//! - Name and time service: with declared servers whatever its shape, with others if it looks like it (recognised as
//!   `dns` or `ntp`, or on 53 or 123 with payload that DNS over UDP, RFC 1035, and NTP, RFC 5905, have). A resolver
//!   that nobody declared is therefore not reported: queries follow what else the device does, and those contacts are
//!   judged. (RITA's sample logs `proxy_rolling` score one such resolver 0.67; its p is 0.32, which is no beacon here
//!   either.) Any other service of such a server is judged.
//!
//! # Blind spots
//! One connection that is kept open; periods below two seconds or above seven days; fewer than `least_contacts`
//! contacts; jitter above about half the period with payload that varies; a server that moves from address to address;
//! tunnelling in DNS or NTP; one fixed port, for UDP more often than every 15 s, for TCP where records do not tell of
//! handshakes; servers behind a proxy, where all contacts go to one peer; and, in a device with more than 160 new peers
//! between two beats that answer, or are sent datagrams, slow beacons, whose memory is taken by newer peers. Who copies
//! port, period and sizes of a known peer, and waits until that is silent for good, passes for it. An infection of many
//! devices at once counts
//! as common to the class, and lowers severity.
//!
//! # Parameters
//! `least_contacts`, `least_span_minutes`, `least_share`, `shared_by`, `internal`: see `plugin.toml`.

mod histogram;
mod rhythm;
mod scope;
mod seen;
mod track;

use serde::{Deserialize, Serialize};
use wardflow_common::{TCP, is_polling_port, port_name};
use wardflow_sdk::{
    Bounded, DAY, Detector, Device, Findings, Flows, HOUR, MINUTE, SECOND, Saved, Severity, Slice, math, surprise,
};

use crate::{
    histogram::{Histogram, Mode},
    rhythm::Rhythm,
    seen::Seen,
    track::{Contact, INTERVALS, SIZES, Track},
};

/// Largest share of exponential intervals in a window of ratio 1.5.
const CHANCE: f64 = 4.0 / 27.0;
/// Standard deviations above chance that regularity asks for.
const SIGMAS: f64 = 6.0;
/// Share of equal sizes, in each direction.
const EQUAL_SIZES: f64 = 0.9;
/// Share of failed contacts from which contact counts as failing.
const FAILING: f64 = 0.95;
/// Windows that the mode may lie in, in bits: some fifty intervals of ratio 1.1 between a minute and a few hours.
const WINDOWS: f64 = 6.0;
/// Share of equal sizes that is usual.
const SIZES_BY_CHANCE: f64 = 0.125;
/// How long a device is watched before a peer counts as new to it.
const WATCHED: i64 = DAY;
/// Contacts after which a track is kept apart from those that come and go.
const SETTLED: u32 = 8;
/// How long a track is kept without contact.
const FORGOTTEN: i64 = 8 * DAY;

/// Regular contact of one device with outside peers.
pub struct Beacon {
    parameters: Parameters,
    state: State,
}

/// What the hospital may set; see `plugin.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Parameters {
    least_contacts: u32,
    least_span_minutes: i64,
    least_share: f64,
    shared_by: u32,
    internal: bool,
}

/// What is remembered of a device.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// End of the device's first flow: it may have begun long before anything was watched.
    watched_since: Option<i64>,
    /// Peers of a few contacts, which come and go.
    young: Bounded<Key, Track, 160>,
    /// Peers of [`SETTLED`] contacts and more.
    settled: Bounded<Key, Track, 40>,
}

/// A peer, its port and the protocol.
type Key = (u64, u16, u8);

impl Detector for Beacon {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        Ok(Self { parameters, state: state.unwrap_or_default() })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            self.state.watched_since.get_or_insert(flows.end_time()[row]);
            if scope::is_judged(flows, row, self.parameters.internal) {
                self.judge(flows, row);
            }
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        self.state.follow_moves();
        for (key, track) in self.state.settled.iter() {
            self.report(*key, track, findings);
        }
        self.state.young.retain(|_, last, _| last > slice.end - FORGOTTEN);
        self.state.settled.retain(|_, last, _| last > slice.end - FORGOTTEN);
    }

    fn save(self) -> Saved<State> {
        Saved { state: self.state, learned: 1.0, ready: true }
    }
}

impl Beacon {
    fn judge(&mut self, flows: &Flows<'_>, row: usize) {
        let key = (flows.peer()[row], flows.peer_port()[row], flows.protocol()[row]);
        let (start, end) = (flows.start_time()[row], flows.end_time()[row]);
        let contact = Contact {
            start,
            end,
            local_port: flows.local_port()[row],
            is_tcp: key.2 == TCP,
            state: flows.conn_state()[row],
            sent: flows.bytes_sent()[row],
            received: flows.bytes_received()[row],
            packets_received: flows.packets_received()[row],
        };
        let settled = self.state.settled.get(&key).is_some();
        // A scan would push out those that answer.
        if !settled && contact.has_failed() && self.state.young.get(&key).is_none() {
            return;
        }
        let track = match settled {
            true => self.state.settled.touch(key, end, || Track::new(start)),
            false => self.state.young.touch(key, end, || Track::new(start)),
        };
        let interval = track.add(contact);
        track.seen.get_or_insert_with(|| Seen::new(flows, row)).add(flows, row, interval);
        if !settled
            && track.contacts >= SETTLED
            && let Some(track) = self.state.young.remove(&key)
        {
            self.state.settled.touch(key, end, || track);
        }
    }

    fn report(&self, key: Key, track: &Track, findings: &mut Findings) {
        let Some(seen) = &track.seen else { return };
        let enough = track.contacts >= self.parameters.least_contacts
            && track.last - track.since >= self.parameters.least_span_minutes * MINUTE;
        let Some(regularity) = Regularity::of(track).filter(|_| enough) else { return };
        let failed = f64::from(track.failed) / f64::from(track.contacts.max(1));
        let (peer, port, protocol) = key;
        let name = port_name(port, protocol);
        let is_regular = regularity.is_regular(self.parameters.least_share) && seen.may_show(regularity.mode);
        if failed >= FAILING || !is_regular {
            return;
        }
        let place = if seen.is_external { "an outside peer" } else { "a peer inside" };
        let every = Every(seen.interval(regularity.mode));
        let percent = regularity.mode.share * 100.0;
        findings
            .report("beacon", seen.first, seen.last)
            .severity(self.severity(key, track, seen))
            .score(surprise::score(regularity.bits()))
            .confidence(regularity.confidence())
            .peer(peer)
            .peer_port(port)
            .protocol(protocol)
            .flow_count(seen.flows)
            .measured("interval", every.0, "s", ..)
            .measured("interval-share", regularity.mode.share, "1", ..=CHANCE)
            .measured("size-share", regularity.size, "1", ..)
            .measured("contacts", f64::from(track.contacts), "1", ..)
            .measured("failed-share", failed, "1", ..)
            .examples(seen.examples.iter().copied())
            .summary(format_args!(
                "contacted {name} of {place} every {every}, {percent:.0} % of intervals within a fifth of it, {} flows",
                seen.flows
            ));
    }

    fn severity(&self, (_, port, protocol): Key, track: &Track, seen: &Seen) -> Severity {
        let is_new = self.state.is_new(track);
        let is_common = seen.prevalence >= self.parameters.shared_by;
        let up = u8::from(is_new) + u8::from(!is_polling_port(port, protocol));
        let down = u8::from(is_common) + u8::from(!seen.is_external);
        match (up, down) {
            (2, 0) => Severity::High,
            (2, 1) | (1, 0) => Severity::Medium,
            (2, 2) | (1, 1) | (0, 0) => Severity::Low,
            _ => Severity::Informational,
        }
    }
}

impl State {
    /// Whether the device took a peer up after it had been watched for a day, and knew no other that moved there.
    fn is_new(&self, track: &Track) -> bool {
        track.since >= self.new_since() && !track.has_moved_here
    }

    /// From when on a peer that was not seen before is new.
    fn new_since(&self) -> i64 {
        self.watched_since.map_or(i64::MAX, |since| since + WATCHED)
    }

    /// Tells which peers that look new are known ones at another address: those with the rhythm of one that was known, and
    /// that fell silent when they began. The oldest first, since each may follow on those before it; where none of these is
    /// remembered any more, what was told last stands.
    fn follow_moves(&mut self) {
        let new_since = self.new_since();
        let mut known: Vec<(Rhythm, i64)> = Vec::new();
        let mut in_order: Vec<_> = self.settled.iter_mut().collect();
        in_order.sort_by_key(|(key, track)| (track.since, **key));
        for (key, track) in in_order {
            let Some(rhythm) = Rhythm::of(*key, track) else { continue };
            let is_new = track.since >= new_since;
            let mut alike = known.iter().filter(|(other, _)| other.is_like(&rhythm)).peekable();
            if is_new && alike.peek().is_some() {
                track.has_moved_here = alike.all(|(_, last)| *last <= track.since + rhythm.longest());
            }
            if !is_new || track.has_moved_here {
                known.push((rhythm, track.last));
            }
        }
    }
}

/// How regular contacts are.
#[derive(Clone, Copy, Debug)]
struct Regularity {
    intervals: f64,
    /// The best window of intervals, in seconds.
    mode: Mode,
    /// Share of equal payloads, in the direction in which it is less; zero without payloads.
    size: f64,
}

impl Regularity {
    fn of(track: &Track) -> Option<Self> {
        let mode = track.intervals.mode(INTERVALS)?;
        let equal = |sizes: &Histogram| sizes.mode(SIZES).map_or(0.0, |mode| mode.share);
        Some(Self {
            intervals: f64::from(track.intervals.len()),
            mode,
            size: equal(&track.sent).min(equal(&track.received)),
        })
    }

    fn is_regular(&self, least_share: f64) -> bool {
        let deviation = math::sqrt(CHANCE * (1.0 - CHANCE) / self.intervals);
        let beyond_chance = self.mode.share >= CHANCE + SIGMAS * deviation;
        beyond_chance && (self.mode.share >= least_share || self.size >= EQUAL_SIZES)
    }

    fn bits(&self) -> f64 {
        let of = |share: f64, usual| surprise::of_share(share * self.intervals, self.intervals, usual) - WINDOWS;
        let time = of(self.mode.share, CHANCE);
        time.max(f64::midpoint(time, of(self.size, SIZES_BY_CHANCE)))
    }

    fn confidence(&self) -> f64 {
        self.intervals / (self.intervals + 10.0)
    }
}

/// A time in seconds, as a person says it.
struct Every(f64);

impl std::fmt::Display for Every {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0;
        if seconds < 2.0 * (MINUTE / SECOND) as f64 {
            write!(f, "{seconds:.0} s")
        } else if seconds < 2.0 * (HOUR / SECOND) as f64 {
            write!(f, "{:.1} min", seconds * SECOND as f64 / MINUTE as f64)
        } else {
            write!(f, "{:.1} h", seconds * SECOND as f64 / HOUR as f64)
        }
    }
}

wardflow_sdk::export!(Beacon, include_str!("../plugin.toml"));
