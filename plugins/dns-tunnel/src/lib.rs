//! `wardflow/dns-tunnel`: data carried in name queries, and name servers that nobody declared.
//!
//! # What it finds
//! - `dns-tunnel`: the device's queries to a name server carry far more than names are long, in far longer queries,
//!   than the device ever sent.
//! - `foreign-resolver`: the device begins to ask a name server outside that nobody declared and that its class does
//!   not use.
//!
//! # Why it matters for a device
//! Name service reaches the internet where nothing else does: a device that may only ask the hospital's name server can
//! still carry data out, piece by piece in the names that it asks for, and take orders in the answers (ATT&CK
//! T1071.004, T1048). Who decides which name server is asked decides where the device's updates come from (T1584.002).
//!
//! # How
//! A flow to port 53, or one that the sensor calls `dns`, is one query for each packet sent over UDP; over TCP, for
//! each two packets beyond the handshake. Names are not visible, sizes are. A query has 12 bytes of header, the name
//! and two more, 4 of type and class (RFC 1035, 4.1), and often 11 of EDNS (RFC 6891), which is 30 to 60 bytes for
//! names as people make them; a tunnel fills the 255 bytes that a name may have (RFC 1035, 2.3.4), 90 to 280 bytes a
//! query (Born and Gustafson, "Detecting DNS Tunnels Using Character Frequency Analysis", 2010; Nadler, Aminov,
//! Shabtai, "Detection of malicious and low throughput data exfiltration over the DNS protocol", Computers & Security
//! 80, 2019, for the slow).
//! - What a query has beyond 60 bytes is *carried*. Carried bytes are learned by the hour, as ln(1 kB + bytes), and by
//!   the day, as ln(10 kB + bytes); a deviation is a factor of 1.65 at least. Bits of the amount are those of the
//!   larger of both deviations.
//! - A query of 80 bytes or more is *long*. Bits of the shape are those of the share of long queries, where what was
//!   learned, and one in twenty at least, is usual. Since queries repeat one another, only one in eight of them counts,
//!   and 10 bits at most.
//! - A tunnel is reported with 6 bits of amount, 15 of shape before the eighth, and 14 of both, less log2 of the number
//!   of name servers, once the day's carried bytes reach `least_bytes`. To a name server that carried less than an
//!   eighth of the day's in a slice only what it carried then is laid. Where no single one outside carried as much, all
//!   outside are judged together, by the day, so that nobody hides in their number.
//!
//! Severity is low. Medium asks for 100 kB in the day, long queries of which not seven in ten are of one size (one
//! name, asked for again and again, has one), and either 20 bits of amount or one of: large answers (256 bytes on
//! average, as TXT and NULL records make), queries longer than a name can be, nine in ten of them long, an undeclared
//! name server outside. High asks for 1 MB and 40 bits. Before `learning_hours`, a tunnel is low, by a level of 3 kB an
//! hour that varies by a factor of e.
//!
//! A foreign resolver is one outside that the device took up after it was learned, at most two weeks ago, or, if its
//! class is known to share a name server, from the first day. It is low; medium if in a later slice than its first the
//! device asks it twenty times and none of the name servers that it used on three days: then its settings were changed.
//! Before anything is known, one that is asked 360 times in a slice is informational.
//!
//! # What is neither
//! Browsing, whose names are short and whose sizes vary; long names that are usual, such as reputation services look
//! up, once learned; a device of role name server, or one that eight servers outside or more answered in a slice on two
//! days, the last not two weeks ago: it resolves by itself, and those are no foreign resolvers; multicast names;
//! declared name servers outside (role, or group `name-servers`), which are still looked at for tunnels.
//!
//! # Blind spots
//! What is in the names. A tunnel below the level that the device's own queries vary by: some 3 kB an hour. One through
//! a proxy, or in encrypted name service, which looks like the web. One that was there while it learned.
//!
//! # Memory
//! 16 name servers; some 500 bytes at most.
//!
//! # Parameters
//! `least_bytes`, `shared_by`, `learning_hours`: see `plugin.toml`.

mod habit;
mod query;
mod resolvers;
mod seen;

use serde::{Deserialize, Serialize};
use wardflow_sdk::{
    Bounded, Continuity, DAY, Detector, Device, Findings, Flows, Learning, Saved, Severity, Slice, math, surprise,
};

use crate::{
    habit::Habit,
    query::Query,
    resolvers::{Resolvers, Standing},
    seen::Seen,
};

/// Flows that learning needs beside hours.
const LEAST_FLOWS: u64 = 50;
/// Devices of a class that share a name server, from which the class counts as known.
const CLASS_KNOWN: u32 = 5;
/// Findings of a kind in a slice.
const SINGLE: usize = 8;
/// Queries that count of those that repeat one another.
const REPEATED: f64 = 8.0;
/// A name server has carried a good part of the day if it carried one in so many bytes in the slice.
const PART_OF_DAY: f64 = 8.0;
/// Most bits that the shape of queries adds.
const MOST_OF_SHAPE: f64 = 10.0;
/// Longest query that a name fits into: header, name, type and class, EDNS.
const LONGEST: f64 = 12.0 + 255.0 + 4.0 + 11.0;
/// Share of long queries from which a device asks for hardly anything else.
const NEARLY_ALL: f64 = 0.9;
/// Average size of answers from which they are large.
const LARGE_ANSWER: f64 = 256.0;

/// The name queries of one device.
pub struct DnsTunnel {
    parameters: Parameters,
    state: State,
    /// What the slice shows, by name server.
    seen: Bounded<u64, Seen, 64>,
    /// The same of those outside that had to make room, together.
    further: Seen,
}

/// What the hospital may set; see `plugin.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Parameters {
    least_bytes: f64,
    shared_by: u32,
    learning_hours: u32,
}

/// What is remembered of a device.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    learning: Learning,
    habit: Habit,
    resolvers: Resolvers,
    /// Most devices of the class that shared a name server of this device.
    class: u32,
}

/// What is made of the queries to a name server.
#[derive(Clone, Copy)]
struct Verdict {
    bits: f64,
    severity: Severity,
    confidence: f64,
    usual: f64,
}

impl Detector for DnsTunnel {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        Ok(Self { parameters, state: state.unwrap_or_default(), seen: Bounded::new(), further: Seen::default() })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            let end = flows.end_time()[row];
            if self.state.learning.count(end) == Continuity::Returned {
                self.state = State { learning: self.state.learning, ..State::default() };
            }
            if let Some(query) = Query::of(flows, row) {
                let server = flows.peer()[row];
                if let Some((gone, seen)) = self.seen.make_room(&server) {
                    self.forget(gone, &seen);
                }
                self.seen.touch(server, end, || Seen::new(flows, row)).add(flows, row, &query);
            }
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let seen = std::mem::take(&mut self.seen);
        let day = slice.start.div_euclid(DAY);
        let mut in_order: Vec<_> = seen.iter().collect();
        in_order.sort_by_key(|(_, seen)| seen.last);
        in_order.into_iter().for_each(|(server, seen)| self.state.take(*server, seen));
        self.state.resolvers.count(&seen, day);
        self.state.resolvers.settle(self.is_learned());
        self.report_tunnels(&seen, findings);
        self.report_resolvers(&seen, slice, findings);
        for (_, seen) in seen.iter() {
            self.state.habit.learn_hours(seen);
        }
        if slice.end.div_euclid(DAY) > day {
            self.state.habit.end_day();
        }
    }

    fn save(self) -> Saved<State> {
        let learned = self.state.learning.progress(self.parameters.learning_hours, LEAST_FLOWS);
        Saved { state: self.state, learned, ready: learned >= 1.0 }
    }
}

impl State {
    fn take(&mut self, server: u64, seen: &Seen) {
        self.class = self.class.max(seen.prevalence);
        self.habit.take(seen);
        self.resolvers.take(server, seen);
    }
}

impl DnsTunnel {
    /// Takes what was seen of a name server that makes room for another.
    fn forget(&mut self, server: u64, seen: &Seen) {
        self.state.take(server, seen);
        self.state.habit.learn_hours(seen);
        if seen.is_external {
            self.further.merge(seen);
        }
    }

    fn is_learned(&self) -> bool {
        self.state.learning.is_done(self.parameters.learning_hours, LEAST_FLOWS)
    }

    fn report_tunnels(&self, all: &Bounded<u64, Seen, 64>, findings: &mut Findings) {
        let looks = all.len() as f64;
        let mut found: Vec<_> =
            all.iter().filter_map(|(server, seen)| Some((*server, seen, self.judge(seen, looks)?))).collect();
        found.sort_by(|(_, _, one), (_, _, other)| other.bits.total_cmp(&one.bits));
        if !found.iter().any(|(_, seen, _)| seen.is_external && self.is_of_day(seen)) {
            let each = all.iter().map(|(_, seen)| seen).chain([&self.further]).filter(|seen| seen.is_external);
            if let Some(together) = Seen::together(each)
                && let Some(verdict) = self.judge_together(&together)
            {
                found.retain(|(_, seen, _)| !seen.is_external);
                self.report_tunnel(None, &together, verdict, findings);
            }
        }
        for (server, seen, verdict) in found.into_iter().take(SINGLE) {
            self.report_tunnel(Some(server), seen, verdict, findings);
        }
    }

    /// Reports a tunnel by a name server, or, without it, by those outside together.
    fn report_tunnel(&self, server: Option<u64>, seen: &Seen, verdict: Verdict, findings: &mut Findings) {
        let today = self.state.habit.today() as f64;
        let place = match server {
            Some(_) if seen.is_external => "a name server outside",
            Some(_) => "a name server inside",
            None => "name servers outside",
        };
        let draft = findings
            .report("dns-tunnel", seen.first, seen.last)
            .severity(verdict.severity)
            .score(surprise::score(verdict.bits))
            .confidence(verdict.confidence)
            .flow_count(seen.flows)
            .measured("carried-per-hour", seen.busiest_hour() as f64, "By/h", ..=verdict.usual)
            .measured("carried-today", today, "By/d", ..)
            .measured("long-share", seen.long_share(), "1", ..=self.state.habit.long_share())
            .measured("query-size", seen.query_size(), "By", ..=query::ORDINARY as f64)
            .measured("answer-size", seen.answer_size(), "By", ..=LARGE_ANSWER)
            .measured("queries", seen.queries as f64, "1", ..)
            .examples(seen.examples.iter().copied());
        match server {
            Some(server) => draft.peer(server).peer_port(seen.port),
            None => draft.cause_key("many-servers"),
        }
        .summary(format_args!(
            "{} queries of {:.0} bytes on average to {place}, {:.0} % of them long; beyond ordinary names they carried \
             {:.0} kB, {:.0} kB in the busiest hour, usual is {:.1} kB",
            seen.queries,
            seen.query_size(),
            seen.long_share() * 100.0,
            seen.carried as f64 / 1e3,
            seen.busiest_hour() as f64 / 1e3,
            verdict.usual / 1e3,
        ));
    }

    fn judge(&self, seen: &Seen, looks: f64) -> Option<Verdict> {
        let habit = &self.state.habit;
        let (hour, usual) = habit.of_hour(seen.busiest_hour() as f64, self.is_learned());
        let (carried, amount) = match self.is_of_day(seen) {
            true => (habit.today() as f64, hour.max(self.bits_of_day())),
            // What others carried, or what was earlier, is not laid to it.
            false => (seen.carried as f64, hour),
        };
        self.verdict(seen, carried, amount, looks, usual)
    }

    /// Judges the name servers outside as one, by the day: hours are learned of each.
    fn judge_together(&self, seen: &Seen) -> Option<Verdict> {
        let (_, usual) = self.state.habit.of_hour(0.0, self.is_learned());
        let today = self.state.habit.today() as f64;
        self.is_of_day(seen).then(|| self.verdict(seen, today, self.bits_of_day(), 1.0, usual))?
    }

    /// Whether a good part of what the day has carried so far is in it.
    fn is_of_day(&self, seen: &Seen) -> bool {
        seen.carried as f64 * PART_OF_DAY >= self.state.habit.today() as f64
    }

    fn bits_of_day(&self) -> f64 {
        if self.is_learned() { self.state.habit.of_day() } else { 0.0 }
    }

    /// What is made of so many carried bytes, whose amount has so many bits.
    fn verdict(&self, seen: &Seen, carried: f64, amount: f64, looks: f64, usual: f64) -> Option<Verdict> {
        if carried < self.parameters.least_bytes {
            return None;
        }
        let (habit, is_learned) = (&self.state.habit, self.is_learned());
        let shape = surprise::of_share(seen.long as f64, seen.queries as f64, habit.long_share());
        let bits = amount + (shape / REPEATED).min(MOST_OF_SHAPE) - math::log2(looks);
        if amount < 6.0 || shape < 15.0 || bits < 14.0 {
            return None;
        }
        let is_strange = seen.answer_size() >= LARGE_ANSWER
            || seen.query_size() > LONGEST
            || seen.long_share() >= NEARLY_ALL
            || (seen.is_external && !seen.is_declared && seen.prevalence < self.parameters.shared_by);
        let varies = seen.varies();
        let severity = match carried {
            _ if !is_learned || !varies => Severity::Low,
            1e6.. if bits >= 40.0 => Severity::High,
            1e5.. if amount >= 20.0 || is_strange => Severity::Medium,
            _ => Severity::Low,
        };
        let confidence = if is_learned { 0.85 } else { 0.5 } * if varies { 1.0 } else { 0.6 };
        Some(Verdict { bits, severity, confidence, usual })
    }

    fn report_resolvers(&self, all: &Bounded<u64, Seen, 64>, slice: &Slice<'_>, findings: &mut Findings) {
        let resolvers = &self.state.resolvers;
        if resolvers.resolves_by_itself() {
            return;
        }
        let is_class_known = self.state.class >= CLASS_KNOWN;
        let standing = Standing { is_learned: self.is_learned(), is_class_known, shared_by: self.parameters.shared_by };
        let mut reported = 0;
        for (server, seen) in all.iter().filter(|(_, seen)| seen.answered >= 5 && !seen.is_declared) {
            let Some(foreign) = resolvers.foreign(*server, seen, standing, slice.end) else { continue };
            if reported == SINGLE {
                return;
            }
            reported += 1;
            let has_moved = foreign.is_settled && seen.queries >= 20 && !resolvers.asks_usual(all);
            let (severity, moved) = match (has_moved, foreign.is_first_seen) {
                (_, true) => (Severity::Informational, 0.0),
                (true, _) => (Severity::Medium, 10.0),
                (false, _) => (Severity::Low, 0.0),
            };
            let class = if foreign.others == 0 { surprise::of_novelty(self.state.class.into()) } else { 0.0 };
            let bits = surprise::of_novelty(f64::from(self.state.learning.hours()) / 24.0) + class + moved;
            let and = match (has_moved, foreign.is_first_seen) {
                (_, true) => "and nothing is known yet of what is usual",
                (true, _) => "and none of those that it used before",
                (false, _) => "beside those that it uses",
            };
            findings
                .report("foreign-resolver", seen.first, seen.last)
                .severity(severity)
                .score(surprise::score(bits))
                .confidence(if self.is_learned() { 0.8 } else { 0.5 })
                .peer(*server)
                .peer_port(seen.port)
                .flow_count(seen.flows)
                .measured("queries", seen.queries as f64, "1", ..)
                .measured("others-of-class", f64::from(foreign.others), "1", f64::from(self.parameters.shared_by)..)
                .examples(seen.examples.iter().copied())
                .summary(format_args!(
                    "asked a new name server outside {} times, {and}; {} other devices of the class use it",
                    seen.queries, foreign.others
                ));
        }
    }
}

wardflow_sdk::export!(DnsTunnel, include_str!("../plugin.toml"));
