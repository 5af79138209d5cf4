//! Counts that no traffic can have had: a sensor's arithmetic below zero, or a lie.

use crate::archive::record::FlowRecord;

/// Bytes or packets from which on a count is no count: 9 PB, which 400 Gbit/s carry in two days.
const MOST: u64 = 1 << 53;

/// The flow without counts that cannot be, and whether it had some. Such a flow is kept, since nothing else shows who spoke
/// with whom; as numbers these counts would be sums that overflow.
pub(super) fn plausible(flow: FlowRecord<'_>) -> (FlowRecord<'_>, bool) {
    let counts = [flow.src_bytes, flow.dst_bytes, flow.src_packets, flow.dst_packets];
    if counts.into_iter().flatten().all(|count| count < MOST) {
        return (flow, false);
    }
    let [src_bytes, dst_bytes, src_packets, dst_packets] = counts.map(|count| count.filter(|count| *count < MOST));
    (FlowRecord { src_bytes, dst_bytes, src_packets, dst_packets, ..flow }, true)
}

/// The flow with no more than the greatest count that can be, for what was joined: each of its pieces was plausible.
pub(super) fn bounded<'a>(flow: &FlowRecord<'a>) -> FlowRecord<'a> {
    let most = |count: Option<u64>| count.map(|count| count.min(MOST - 1));
    FlowRecord {
        src_bytes: most(flow.src_bytes),
        dst_bytes: most(flow.dst_bytes),
        src_packets: most(flow.src_packets),
        dst_packets: most(flow.dst_packets),
        ..*flow
    }
}

/// What the user is told of so many of them.
pub(super) fn note(flows: u64) -> Option<String> {
    (flows > 0).then(|| {
        format!("counts of 2^53 bytes or packets or more, which no traffic has, are left empty: in flows, {flows}")
    })
}
