//! Views: what a sensor makes of the flows that there are.

use crate::{
    Flow,
    draw::mix,
    side::{Side, state},
};

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
}

/// What a sensor sees of flows. Chance comes from a flow's `uid`, so that a view of a flow is always the same.
///
/// Views may follow on one another: what two sensors see of one network, each with losses of its own, is a `Lossy` view
/// of a `North` and of a `South` one. Two views of one kind on the same flows are not independent.
///
/// Where packets are lost (`Lossy`, `Sampled`), packets lie evenly over the time of a flow and payload evenly over the
/// packets, as in [exports](crate::export), and of a flow that lost some
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

impl View {
    /// The view of a kind of sensor.
    pub const fn new(kind: ViewKind) -> Self {
        Self { kind }
    }

    /// What it sees of flows.
    pub fn of<I: IntoIterator<Item = Flow>>(self, flows: I) -> impl Iterator<Item = Flow> + use<I> {
        flows.into_iter().filter_map(move |flow| self.see(flow))
    }

    /// What it sees of a flow, if anything.
    pub fn see(&self, flow: Flow) -> Option<Flow> {
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

/// The flow without the packets that are not kept, each known by a number of its own.
fn thin(flow: Flow, keep: impl Fn(u64) -> bool) -> Option<Flow> {
    let sides = Side::both(&flow);
    let mut seen = [Seen::default(); 2];
    for (number, (side, seen)) in sides.iter().zip(&mut seen).enumerate() {
        let first = mix(flow.uid ^ number as u64);
        for packet in (0..side.packets).filter(|packet| keep(first.wrapping_add(*packet))) {
            let at_us = side.at_us(packet);
            seen.packets += 1;
            seen.bytes += side.bytes_before(packet + 1) - side.bytes_before(packet);
            seen.flags |= side.flags_of(packet..packet + 1);
            seen.times_us = Some((seen.times_us.map_or(at_us, |(first_us, _)| first_us), at_us));
            seen.has_first |= packet == 0;
        }
    }
    let [src, dst] = seen;
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
