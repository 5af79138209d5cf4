//! Parts into flows: the two directions of a conversation, and the pieces into which an exporter's active timeout cut it.
//!
//! Parts of one conversation share addresses, ports, protocol, VLAN and sensor, and lie no further apart than Zeek waits
//! for more before it takes a conversation for ended (`tcp_inactivity_timeout` 5 min, `udp_inactivity_timeout` and
//! `icmp_inactivity_timeout` 1 min), so that one conversation is one flow, whoever recorded it. A SYN after a connection that
//! was answered or refused begins another, a moment later at least; after one that was not, it is a retry of the same.

mod conversation;
mod icmp;

use std::collections::HashMap;

use foldhash::fast::FixedState;

use self::conversation::{Conversation, Key};
use super::record::FlowRecord;
use crate::time::{DAY, MINUTE};

/// How far back a part may begin before it is of another recording, for which nothing waits.
const ANOTHER_TIME: i64 = DAY;

/// Conversations that wait at most, some 300 bytes each without their texts. Past it the half that ended first waits no
/// longer.
const MOST_WAITING: usize = 1_000_000;

/// Bytes of their texts at most, which may be as long as a line. Past it the same half goes.
const MOST_TEXTS: usize = 256 << 20;

/// Joins parts into flows.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    waiting: HashMap<Key, Conversation, FixedState>,
    /// Bytes of texts of those that wait, and of some that do no longer.
    texts: usize,
    /// Conversations that are over, in the order in which they leave.
    over: Vec<Conversation>,
    /// Latest start of a part.
    now: i64,
    /// When it was last looked who is over.
    looked: i64,
    /// Parts that became part of a flow that another one began.
    joined: u64,
}

impl Joiner {
    /// Goes on from what [`Joiner::save`] gave.
    pub(super) fn restore(saved: &[u8]) -> Result<Self, postcard::Error> {
        let mut joiner = Self::default();
        let conversations: Vec<Conversation> = if saved.is_empty() { Vec::new() } else { postcard::from_bytes(saved)? };
        for conversation in conversations {
            joiner.now = joiner.now.max(conversation.start);
            joiner.texts += conversation.texts();
            joiner.waiting.insert(conversation.key(), conversation);
        }
        joiner.looked = joiner.now;
        Ok(joiner)
    }

    /// The conversations that wait; empty for none. Equal ones give equal bytes.
    pub(super) fn save(mut self) -> Result<Vec<u8>, postcard::Error> {
        if self.waiting.is_empty() {
            return Ok(Vec::new());
        }
        let mut conversations: Vec<_> = self.waiting.drain().map(|(_, conversation)| conversation).collect();
        conversations.sort_by(Conversation::order);
        postcard::to_allocvec(&conversations)
    }

    /// Whether a conversation that waits may go on in a recording that begins with this part.
    pub(super) fn may_go_on(&self, first: &FlowRecord<'_>) -> bool {
        let start = first.start_time;
        self.waiting.values().any(|waits| waits.until() >= start && waits.start - start <= ANOTHER_TIME)
    }

    /// Takes a part.
    pub(super) fn push(&mut self, part: &FlowRecord<'_>) {
        let part = Conversation::of(part);
        if part.start < self.now - ANOTHER_TIME {
            self.end();
            (self.now, self.looked) = (part.start, part.start);
        }
        self.now = self.now.max(part.start);
        self.texts += part.texts();
        let key = part.key();
        match self.waiting.get_mut(&key) {
            Some(conversation) if conversation.goes_on_with(&part) => {
                conversation.add(&part);
                self.joined += 1;
            }
            Some(conversation) => self.over.push(std::mem::replace(conversation, part)),
            None => _ = self.waiting.insert(key, part),
        }
        if self.now - self.looked >= MINUTE || self.is_full() {
            self.look();
        }
    }

    /// Gives the flows that are over, in order, to `take`.
    pub(super) fn drain<E>(&mut self, mut take: impl FnMut(&FlowRecord<'_>) -> Result<(), E>) -> Result<(), E> {
        for mut conversation in self.over.drain(..) {
            take(&conversation.flow())?;
        }
        Ok(())
    }

    /// Whether some flow is over.
    pub(super) fn has_flows(&self) -> bool {
        !self.over.is_empty()
    }

    /// Takes all that waits for over.
    pub(super) fn end(&mut self) {
        self.over.extend(self.waiting.drain().map(|(_, conversation)| conversation));
        self.over.sort_by(Conversation::order);
    }

    /// Number of conversations that wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// Number of parts that became part of a flow that another one began.
    pub(super) const fn joined(&self) -> u64 {
        self.joined
    }

    fn is_full(&self) -> bool {
        self.waiting.len() > MOST_WAITING || self.texts > MOST_TEXTS
    }

    fn look(&mut self) {
        let now = self.now;
        let first = self.over.len();
        self.over.extend(self.waiting.extract_if(|_, waits| waits.until() < now).map(|(_, over)| over));
        self.texts = self.waiting.values().map(Conversation::texts).sum();
        if self.is_full() {
            let mut ends: Vec<i64> = self.waiting.values().map(|waits| waits.end).collect();
            let middle = ends.len() / 2;
            let middle = *ends.select_nth_unstable(middle).1;
            self.over.extend(self.waiting.extract_if(|_, waits| waits.end <= middle).map(|(_, over)| over));
            self.texts = self.waiting.values().map(Conversation::texts).sum();
        }
        self.over[first..].sort_by(Conversation::order);
        self.looked = now;
    }
}

#[cfg(test)]
mod tests {
    use super::{Joiner, MINUTE};
    use crate::{
        archive::{
            FlowRecord,
            tcp::{ACK, FIN, RST, SYN, TCP},
        },
        time::SECOND,
    };

    const CLIENT: (&str, u16) = ("10.0.0.1", 50_000);
    const SERVER: (&str, u16) = ("192.0.2.1", 443);

    /// One direction, from and to in seconds.
    fn part(src: (&str, u16), dst: (&str, u16), protocol: u8, times: (i64, i64), flags: u16) -> FlowRecord<'static> {
        let end = |(ip, port): (&str, u16)| (ip.parse().unwrap(), port);
        FlowRecord {
            src_bytes: Some(100),
            src_packets: Some(2),
            tcp_flags: Some(flags).filter(|_| protocol == TCP),
            ..FlowRecord::new((times.0 * SECOND, times.1 * SECOND), end(src), end(dst), protocol)
        }
    }

    /// What comes of parts: initiator's port, start, end, bytes, state, sides.
    type Seen = (u16, i64, i64, [Option<u64>; 2], Option<String>, Option<u8>);

    fn joined(parts: &[FlowRecord<'_>]) -> Vec<Seen> {
        let mut joiner = Joiner::default();
        let mut seen = Vec::new();
        let mut take = |flow: &FlowRecord<'_>| {
            let state = flow.conn_state.map(str::to_owned);
            let times = (flow.start_time / SECOND, flow.end_time / SECOND);
            seen.push((flow.src_port, times.0, times.1, [flow.src_bytes, flow.dst_bytes], state, flow.observed_sides));
            Ok::<_, ()>(())
        };
        for part in parts {
            joiner.push(part);
            joiner.drain(&mut take).unwrap();
            // Its state may go through a file at any time.
            let over = std::mem::take(&mut joiner.over);
            let joined = joiner.joined;
            joiner = Joiner::restore(&joiner.save().unwrap()).unwrap();
            (joiner.over, joiner.joined) = (over, joined);
        }
        joiner.end();
        joiner.drain(&mut take).unwrap();
        assert_eq!(joiner.joined() as usize + seen.len(), parts.len());
        seen
    }

    fn state(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn two_directions_are_one_flow() {
        let whole = SYN | ACK | FIN;
        // The answer's record may come first.
        let parts = [part(SERVER, CLIENT, TCP, (1, 9), whole), part(CLIENT, SERVER, TCP, (0, 9), whole)];
        assert_eq!(joined(&parts), [(50_000, 0, 9, [Some(100), Some(100)], state("SF"), Some(2))]);
        let at_once = [part(SERVER, CLIENT, TCP, (0, 9), whole), part(CLIENT, SERVER, TCP, (0, 9), whole)];
        assert_eq!(joined(&at_once)[0].0, 50_000);
    }

    #[test]
    fn pieces_are_one_flow_however_many() {
        let mut parts = Vec::new();
        for minute in 0..120 {
            let times = (minute * 60, minute * 60 + 59);
            parts.push(part(CLIENT, SERVER, TCP, times, ACK | if minute == 0 { SYN } else { 0 }));
            parts.push(part(SERVER, CLIENT, TCP, times, ACK | if minute == 0 { SYN } else { 0 }));
        }
        let bytes = Some(12_000);
        assert_eq!(joined(&parts), [(50_000, 0, 7_199, [bytes, bytes], state("S1"), Some(2))]);
    }

    #[test]
    fn what_ended_goes_on_as_another() {
        let whole = SYN | ACK | FIN;
        let one = [part(CLIENT, SERVER, TCP, (0, 9), whole), part(SERVER, CLIENT, TCP, (0, 9), whole)];
        let two = [part(CLIENT, SERVER, TCP, (20, 29), whole), part(SERVER, CLIENT, TCP, (20, 29), whole)];
        assert_eq!(joined(&[one, two].concat()).len(), 2);
        // Silence ends a conversation too: sooner without a connection.
        let udp = |from| part(CLIENT, SERVER, 17, (from, from), 0);
        assert_eq!(joined(&[udp(0), udp(60), udp(121)]).len(), 2);
        let tcp = |from| part(CLIENT, SERVER, TCP, (from, from), ACK);
        assert_eq!(joined(&[tcp(0), tcp(300), tcp(601)]).len(), 2);
    }

    #[test]
    fn retries_are_one_attempt_and_refusals_many() {
        let tries = [0, 1, 3, 7, 15].map(|at| part(CLIENT, SERVER, TCP, (at, at), SYN));
        assert_eq!(joined(&tries), [(50_000, 0, 15, [Some(500), Some(0)], state("S0"), None)]);
        let refused = |at| [part(CLIENT, SERVER, TCP, (at, at), SYN), part(SERVER, CLIENT, TCP, (at, at), RST | ACK)];
        let seen = joined(&[refused(0), refused(1)].concat());
        assert_eq!(seen.iter().map(|flow| flow.4.clone()).collect::<Vec<_>>(), [state("REJ"), state("REJ")]);
    }

    #[test]
    fn what_was_answered_in_the_same_second_is_one_flow_in_either_order() {
        // Flags as AWS has them (VPC flow logs, tcp-flags): of the asking end no ACK alone.
        for (client, server) in [(SYN, RST), (SYN, SYN | ACK), (SYN | FIN, SYN | ACK | FIN), (SYN, RST | ACK)] {
            for client_end in [CLIENT, (CLIENT.0, 80)] {
                let question = part(client_end, SERVER, TCP, (5, 5), client);
                let answer = part(SERVER, client_end, TCP, (5, 5), server);
                for parts in [[question, answer], [answer, question]] {
                    let seen = joined(&parts);
                    assert_eq!((seen.len(), seen[0].0), (1, client_end.1), "{seen:?}");
                    assert_eq!(seen[0].5, Some(2));
                }
            }
        }
        // A second later it is another.
        let again = |at| [part(SERVER, CLIENT, TCP, (at, at), RST), part(CLIENT, SERVER, TCP, (at, at), SYN)];
        assert_eq!(joined(&[again(5), again(6)].concat()).len(), 2);
    }

    #[test]
    fn one_side_is_told_from_no_answer() {
        let question = [part(CLIENT, SERVER, TCP, (0, 9), SYN | ACK)];
        assert_eq!(joined(&question), [(50_000, 0, 9, [Some(100), None], None, Some(1))]);
        let answer = [part(SERVER, CLIENT, TCP, (0, 9), SYN | ACK)];
        assert_eq!(joined(&answer), [(50_000, 0, 9, [None, Some(100)], None, Some(1))]);
        let datagram = [part(CLIENT, SERVER, 17, (0, 0), 0)];
        assert_eq!(joined(&datagram), [(50_000, 0, 0, [Some(100), Some(0)], state("S0"), None)]);
    }

    #[test]
    fn a_part_of_both_directions_keeps_what_it_says() {
        let both = FlowRecord {
            dst_bytes: Some(70),
            conn_state: Some("S2"),
            observed_sides: Some(2),
            ..part(CLIENT, SERVER, TCP, (0, 9), SYN | ACK | FIN)
        };
        assert_eq!(joined(&[both]), [(50_000, 0, 9, [Some(100), Some(70)], state("S2"), Some(2))]);
        // With more of it, the flags of all its parts say how it went.
        let (start_time, end_time, tcp_flags) = (10 * SECOND, 20 * SECOND, Some(ACK));
        let more = FlowRecord { start_time, end_time, tcp_flags, ..both };
        assert_eq!(joined(&[both, more]), [(50_000, 0, 20, [Some(200), Some(140)], state("SF"), Some(2))]);
    }

    #[test]
    fn an_echo_belongs_to_its_request() {
        let parts = [
            part(("192.0.2.1", 0), ("10.0.0.1", 0), 1, (1, 1), 0),
            part(("10.0.0.1", 8), ("192.0.2.1", 0), 1, (0, 1), 0),
        ];
        assert_eq!(joined(&parts), [(8, 0, 1, [Some(100), Some(100)], state("OTH"), Some(2))]);
    }

    #[test]
    fn nothing_goes_on_in_another_recording() {
        let mut joiner = Joiner::default();
        joiner.push(&part(CLIENT, SERVER, TCP, (100_000, 100_030), ACK));
        let begins_at = |start: i64| joiner.may_go_on(&part(CLIENT, SERVER, 17, (start, start), 0));
        // Five minutes of silence and one of disorder, or a day before.
        assert_eq!([100_390, 100_391, 13_600, 13_599].map(begins_at), [true, false, true, false]);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let mut joiner = Joiner::default();
        for minute in 0..600_u16 {
            let times = (i64::from(minute) * 60, i64::from(minute) * 60 + 1);
            joiner.push(&part(("10.0.0.1", minute), SERVER, 17, times, 0));
        }
        assert!(joiner.waiting() < 5, "{}", joiner.waiting());
        assert!(joiner.now > 500 * MINUTE);
    }

    #[test]
    fn texts_take_bounded_memory() {
        let mut joiner = Joiner::default();
        let name = "n".repeat(1 << 20);
        for port in 1..600 {
            let time = i64::from(port) / 20;
            joiner.push(&FlowRecord { dst_name: Some(&name), ..part(("10.0.0.1", port), SERVER, 17, (time, time), 0) });
            assert!(joiner.waiting() <= 257);
            joiner.over.clear();
        }
        assert!(joiner.waiting() > 100);
    }
}
