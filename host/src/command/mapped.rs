//! What there is to say of an archive whose files are another program's.

use wardflow::{archive::RowCounts, detect::ONE_SIDED_PERCENT};

use crate::print::counted;

/// How many rows are no flows.
pub(super) fn no_flows(counts: &[RowCounts]) -> u64 {
    counts.iter().map(|file| file.no_flows).sum()
}

/// Rows that are no flows, and why the first is none; nothing if there are none.
pub(super) fn no_flows_note(counts: &[RowCounts]) -> Option<String> {
    let files = counts.iter().filter(|file| file.no_flows > 0);
    let first = files.clone().next()?;
    let rows = counted(no_flows(counts), "row");
    let (files, reason) = (counted(files.count() as u64, "file"), first.reason.as_deref().unwrap_or_default());
    Some(format!("{rows} of {files} cannot be read as flows; the first, in {}: {reason}", first.path))
}

/// That records show one side only, if more of them do than a plugin that requires both would bear.
pub(super) fn one_sided_note(counts: &[RowCounts]) -> Option<String> {
    let (one, two) = counts.iter().fold((0, 0), |(one, two), file| (one + file.one_sided, two + file.two_sided));
    (one * 100 > (one + two) * ONE_SIDED_PERCENT).then(|| {
        format!(
            "{one} of {} that tell show one side of a conversation that had two: an answer counts as a flow that was \
             begun by who answered. If the rows are of one direction each, `parts = true` under [source] of the mapping \
             joins them",
            counted(one + two, "flow")
        )
    })
}

/// That rows are not what is analysed.
pub(super) const JOINED_NOTE: &str =
    "its rows are parts of flows: `analyze`, `detect()` and `device_flows` see those of a conversation as one flow";

#[cfg(test)]
mod tests {
    use super::{RowCounts, no_flows_note, one_sided_note};

    #[test]
    fn says_what_is_lost_and_what_was_seen() {
        let file = |path: &str, no_flows: u64, one_sided: u64| RowCounts {
            path: path.into(),
            flows: 50,
            one_sided,
            two_sided: 9,
            no_flows,
            reason: (no_flows > 0).then(|| format!("`src_port` is \"{path}\"")),
        };
        let counts = [file("a", 0, 1), file("b", 3, 2), file("c", 4, 2)];
        assert_eq!(
            no_flows_note(&counts).unwrap(),
            "7 rows of 2 files cannot be read as flows; the first, in b: `src_port` is \"b\""
        );
        assert!(one_sided_note(&counts).unwrap().starts_with("5 of 32 flows that tell show one side"));
        // A tenth is what a plugin bears.
        assert_eq!((no_flows_note(&counts[..1]), one_sided_note(&counts[..1])), (None, None));
    }
}
