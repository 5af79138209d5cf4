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
//! a proxy, or in encrypted name service, which looks like the web. One that was there while it learned. One spread over
//! more name servers than are remembered.
//!
//! # Memory
//! 16 name servers; some 500 bytes at most.
//!
//! # Parameters
//! `least_bytes`, `shared_by`, `learning_hours`: see `plugin.toml`.

mod foreign;
mod habit;
mod query;
mod resolvers;
mod seen;
mod tunnel;

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Bounded, Continuity, DAY, Detector, Device, Findings, Flows, Learning, Saved, Slice};

use crate::{habit::Habit, query::Query, resolvers::Resolvers, seen::Seen};

/// Flows that learning needs beside hours.
const LEAST_FLOWS: u64 = 50;
/// Findings of a kind in a slice.
const SINGLE: usize = 8;

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
        self.report_foreign(&seen, slice, findings);
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
}

wardflow_sdk::export!(DnsTunnel, include_str!("../plugin.toml"));
