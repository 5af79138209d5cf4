//! What there is to say of an archive whose files are another program's.

use wardflow::archive::RowCounts;

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
    let (flows, one_sided) =
        counts.iter().fold((0, 0), |(flows, sides), file| (flows + file.flows, sides + file.one_sided));
    (one_sided * 100 > flows).then(|| {
        format!(
            "{one_sided} of {} show one side of a conversation: an answer counts as a flow that was begun by who \
             answered. Where they lie, records are not joined; `wardflow ingest csv --mapping` joins those of text",
            counted(flows, "flow")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{RowCounts, no_flows_note, one_sided_note};

    #[test]
    fn says_what_is_lost_and_what_was_seen() {
        let file = |path: &str, no_flows: u64, one_sided: u64| RowCounts {
            path: path.into(),
            flows: 50,
            one_sided,
            no_flows,
            reason: (no_flows > 0).then(|| format!("`src_port` is \"{path}\"")),
        };
        let counts = [file("a", 0, 0), file("b", 3, 1), file("c", 4, 1)];
        assert_eq!(
            no_flows_note(&counts).unwrap(),
            "7 rows of 2 files cannot be read as flows; the first, in b: `src_port` is \"b\""
        );
        assert!(one_sided_note(&counts).unwrap().starts_with("2 of 150 flows show one side"));
        assert_eq!((no_flows_note(&counts[..1]), one_sided_note(&counts[..1])), (None, None));
    }
}
