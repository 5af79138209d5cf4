//! What the host checks at the boundary and the SDK's types cannot rule out.

use std::{collections::BTreeSet, ops::RangeInclusive};

use wardflow_manifest::Manifest;

use crate::{Finding, Slice};

/// Bytes of saved state that the host allows unless told otherwise.
pub(super) const STATE: usize = 64 * 1024;

/// Why the host would refuse a finding, if it would.
pub(super) fn check(
    finding: &Finding,
    manifest: &Manifest,
    slice: &Slice<'_>,
    peers: &BTreeSet<u64>,
    rows: &RangeInclusive<usize>,
) -> Result<(), String> {
    let kind = &finding.kind;
    if manifest.kind(kind).is_none() {
        return Err(format!("`{kind}` is not a kind of finding in plugin.toml"));
    }
    if finding.summary.trim().is_empty() {
        return Err(format!("`{kind}` has no summary; say in one line what the flows show"));
    }
    if finding.last_time >= slice.end {
        return Err(format!(
            "`{kind}` ends at {}; it must end before its slice does, {}",
            finding.last_time, slice.end
        ));
    }
    if finding.flow_count > *rows.end() as u64 {
        return Err(format!("`{kind}` counts {} flows; the slice has {} so far", finding.flow_count, rows.end()));
    }
    if let Some(peer) = finding.peer.filter(|peer| !peers.contains(peer)) {
        return Err(format!("`{kind}` names peer {peer}, which is in no flow of this slice"));
    }
    if let Some(row) = finding.examples.iter().find(|row| !rows.contains(&(**row as usize + 1))) {
        return Err(format!("`{kind}` names flow {row} as an example; the slice has {} flows", rows.end()));
    }
    Ok(())
}
