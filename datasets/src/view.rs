//! Views: what a sensor makes of the flows that there are.

use crate::{
    Flow,
    calendar::SECOND_US,
    draw::mix,
    side::{Side, state},
};
use std::ops::Range;

/// What kind of sensor looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ViewKind {
    /// One that sees everything. Changes `sensor`.
    Everything {
        /// Its name.
        sensor: &'static str,
    },
    /// One of two, of which each sees what the other does not, and both see some. Drops what only the south sees, and
    /// changes `sensor` to `north`.
    North {
        /// The share of flows that both see, from 0 to 1; of the others each sees half.
        overlap: f64,
    },
    /// The other one. Drops what only the north sees, and changes `sensor` to `south` and `uid`, since each sensor has
    /// numbers of its own. Of a flow that both see, all else is the same.
    South {
        /// As the north has it.
        overlap: f64,
    },
    /// One under more load than it can bear. Drops whole flows with a probability of `ratio`; of the others, each
    /// packet with the same probability. What a flow loses with its packets is said at [`View`].
    Lossy {
        /// From 0 to 1.
        ratio: f64,
    },
    /// One that looks at one packet in so many, each by chance, and does not scale up what it counts. Flows of which it
    /// saw no packet are dropped. What a flow loses with its packets is said at [`View`].
    Sampled {
        /// How many; 0 is taken for 1.
        one_in: u32,
    },
    /// One whose clock is off. Adds to `start_us` and `end_us`.
    Skewed {
        /// Microseconds; negative if it is late.
        by_us: i64,
    },
    /// One with an active timeout, as exporters of NetFlow and IPFIX have (RFC 5102, `flowActiveTimeout`): a
    /// conversation that lasts longer becomes several flows, each of the packets within so long of the one before. The
    /// first keeps `uid`, the others have numbers of their own. What the pieces are is said at [`View`].
    TimedOut {
        /// Microseconds; less than a second is taken for one.
        after_us: i64,
    },
    /// One where traffic comes and goes by different ways: of a share of the flows only one side is seen, the
    /// initiator's of half of them and the responder's of the others, and flows without a packet of that side are
    /// dropped. Who began stays as it was; a real sensor that sees only answers may take the responder for the
    /// initiator. What a flow loses with its packets is said at [`View`].
    Asymmetric {
        /// From 0 to 1.
        ratio: f64,
    },
}

/// What a sensor sees of flows. Chance comes from a flow's `uid`, so that a view of a flow is always the same.
///
/// Views may follow on one another: what two sensors see of one network, each with losses of its own, is a `Lossy` view
/// of a `North` and of a `South` one. Two views of one kind on the same flows are not independent.
///
/// Where packets are not seen, or not in this flow (`Lossy`, `Sampled`, `TimedOut`, `Asymmetric`), packets lie evenly
/// over the time of a flow and payload evenly over the packets, as in [exports](crate::export), and of a flow that lost
/// some
///
/// | field | is |
/// |---|---|
/// | `src_packets`, `dst_packets` | packets that were seen |
/// | `src_bytes`, `dst_bytes` | payload of these; a real Zeek counts TCP by sequence numbers, and would notice less |
/// | `start_us`, `end_us` | times of the first and the last of these |
/// | `conn_state` | what their flags tell, so that `SF` becomes `OTH` without its SYNs, or `S0` without its answer |
/// | `tcp_flags` | those that go with this state |
/// | `service`, `dst_name` | gone with the initiator's first packet |
///
/// and all else is as it was. Flows come in the order that they came in, though their ends may no longer be in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    kind: ViewKind,
}

/// Keeps decisions of different kinds on one flow apart.
const HALF: u64 = 1;
const LOSS: u64 = 2;
const SAMPLE: u64 = 3;
const WAY: u64 = 4;
const PIECE: u64 = 5;

impl View {
    /// The view of a kind of sensor.
    pub const fn new(kind: ViewKind) -> Self {
        Self { kind }
    }

    /// What it sees of flows.
    pub fn of<I: IntoIterator<Item = Flow>>(self, flows: I) -> impl Iterator<Item = Flow> + use<I> {
        flows.into_iter().flat_map(move |flow| self.see(flow))
    }

    /// What it sees of a flow, if anything; several flows where a timeout cuts it.
    pub fn see(&self, flow: Flow) -> impl Iterator<Item = Flow> + use<> {
        let (whole, pieces) = match self.kind {
            ViewKind::TimedOut { after_us } if flow.end_us - flow.start_us >= after_us.max(SECOND_US) => {
                (None, Some(pieces(flow, after_us.max(SECOND_US))))
            }
            _ => (self.see_whole(flow), None),
        };
        whole.into_iter().chain(pieces.into_iter().flatten())
    }

    fn see_whole(&self, flow: Flow) -> Option<Flow> {
        let uid = flow.uid;
        match self.kind {
            ViewKind::Everything { sensor } => Some(Flow { sensor, ..flow }),
            ViewKind::North { overlap } => {
                (unit(key(uid, HALF)) < (1.0 + overlap) / 2.0).then_some(Flow { sensor: "north", ..flow })
            }
            ViewKind::South { overlap } => {
                (unit(key(uid, HALF)) >= (1.0 - overlap) / 2.0).then(|| Flow { sensor: "south", uid: mix(uid), ..flow })
            }
            ViewKind::Lossy { ratio } if unit(key(uid, LOSS)) < ratio => None,
            ViewKind::Lossy { ratio } => thin(flow, |packet| unit(key(packet, LOSS)) >= ratio),
            ViewKind::Sampled { one_in } => {
                thin(flow, |packet| key(packet, SAMPLE).is_multiple_of(u64::from(one_in.max(1))))
            }
            ViewKind::Skewed { by_us } => {
                Some(Flow { start_us: flow.start_us + by_us, end_us: flow.end_us + by_us, ..flow })
            }
            ViewKind::TimedOut { .. } => Some(flow),
            ViewKind::Asymmetric { ratio } => match unit(key(uid, WAY)) / ratio {
                way if way < 0.5 => one_side(flow, 0),
                way if way < 1.0 => one_side(flow, 1),
                _ => Some(flow),
            },
        }
    }
}

const fn key(number: u64, decision: u64) -> u64 {
    mix(mix(number) ^ decision)
}

/// A number from [0, 1).
fn unit(key: u64) -> f64 {
    (key >> 11) as f64 / (1_u64 << 53) as f64
}

/// What was seen of a side.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    packets: u64,
    bytes: u64,
    flags: u8,
    /// Of the first and the last packet.
    times_us: Option<(i64, i64)>,
    has_first: bool,
}

impl Seen {
    /// With a run of packets, later than those before.
    fn and(self, side: &Side, run: Range<u64>) -> Self {
        if run.is_empty() {
            return self;
        }
        let (first_us, last_us) = (side.at_us(run.start), side.at_us(run.end - 1));
        Self {
            packets: self.packets + run.end - run.start,
            bytes: self.bytes + side.bytes_before(run.end) - side.bytes_before(run.start),
            flags: self.flags | side.flags_of(run.clone()),
            times_us: Some((self.times_us.map_or(first_us, |(first_us, _)| first_us), last_us)),
            has_first: self.has_first || run.start == 0,
        }
    }
}

/// The flow without the packets that are not kept, each known by a number of its own.
fn thin(flow: Flow, keep: impl Fn(u64) -> bool) -> Option<Flow> {
    let sides = Side::both(&flow);
    let mut seen = [Seen::default(); 2];
    for (number, (side, seen)) in sides.iter().zip(&mut seen).enumerate() {
        let first = mix(flow.uid ^ number as u64);
        for packet in (0..side.packets).filter(|packet| keep(first.wrapping_add(*packet))) {
            *seen = seen.and(side, packet..packet + 1);
        }
    }
    with(flow, seen)
}

/// The flow as it looks to who sees one of its sides only, the initiator's (0) or the responder's (1).
fn one_side(flow: Flow, side: usize) -> Option<Flow> {
    let sides = Side::both(&flow);
    let mut seen = [Seen::default(); 2];
    seen[side] = seen[side].and(&sides[side], 0..sides[side].packets);
    with(flow, seen)
}

/// The pieces of a flow that is cut every so often. Those without a packet are left out.
fn pieces(flow: Flow, after_us: i64) -> impl Iterator<Item = Flow> {
    let sides = Side::both(&flow);
    let mut passed = [0; 2];
    let count = (flow.end_us - flow.start_us) / after_us + 1;
    (0..count).filter_map(move |number| {
        let over_us = flow.start_us + (number + 1) * after_us;
        let mut seen = [Seen::default(); 2];
        for ((side, seen), passed) in sides.iter().zip(&mut seen).zip(&mut passed) {
            let until = side.before(over_us);
            *seen = seen.and(side, *passed..until);
            *passed = until;
        }
        let uid = if number == 0 { flow.uid } else { mix(key(flow.uid, PIECE).wrapping_add(number as u64)) };
        with(Flow { uid, ..flow.clone() }, seen)
    })
}

/// The flow with what was seen of its sides; `None` if that is nothing.
fn with(flow: Flow, [src, dst]: [Seen; 2]) -> Option<Flow> {
    let times_us = [src, dst].into_iter().filter_map(|seen| seen.times_us);
    let (start_us, end_us) = times_us.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    if (src.packets, dst.packets) == (flow.src_packets, flow.dst_packets) {
        return Some(flow);
    }
    let mut thinned = Flow {
        start_us,
        end_us,
        src_bytes: src.bytes,
        dst_bytes: dst.bytes,
        src_packets: src.packets,
        dst_packets: dst.packets,
        conn_state: state(flow.protocol, [src.packets, dst.packets], [src.flags, dst.flags]),
        service: if src.has_first { flow.service } else { "" },
        dst_name: flow.dst_name.filter(|_| src.has_first),
        ..flow
    };
    thinned.tcp_flags = Side::both(&thinned).iter().fold(0, |flags, side| flags | side.flags());
    Some(thinned)
}

#[cfg(test)]
mod tests;
