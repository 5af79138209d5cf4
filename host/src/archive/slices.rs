//! Slices of an archive, with the digest of what each holds.

use std::collections::BTreeMap;

use super::{
    digest::FlowsDigest,
    files::ArchiveFile,
    hours::{Delivered, HOUR, MINUTE},
};

/// A slice of an archive, before anyone looks into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceInput {
    /// Its start, microseconds UTC: a multiple of its length from 1970-01-01.
    pub start: i64,
    /// Its end, exclusive: a slice later, or more where it is the rest of a long stretch without flows.
    pub end: i64,
    /// Number of flows that end in it.
    pub rows: u64,
    /// Digest of those flows, independent of their order and of files; of no flows, zeros.
    pub digest: FlowsDigest,
    /// How they were seen; absent where the writer of some file did not say.
    pub delivered: Option<SliceDelivered>,
    /// The files that hold them, as positions in what [`slices`] was given.
    pub files: Vec<usize>,
}

/// How the flows of a slice were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SliceDelivered {
    /// By hour since 1970-01-01T00:00Z.
    hours: BTreeMap<i64, Delivered>,
}

impl SliceDelivered {
    /// The start of each minute in which some flow ended, microseconds UTC.
    pub fn minutes(&self) -> impl Iterator<Item = i64> {
        let of_hour = |(hour, delivered): (&i64, &Delivered)| {
            let (hour, minutes) = (*hour, delivered.minutes);
            (0..60).filter(move |minute| minutes >> minute & 1 == 1).map(move |minute| hour * HOUR + minute * MINUTE)
        };
        self.hours.iter().flat_map(of_hour)
    }

    /// Flows of which one side was seen and of which both were, and flows from sampled packets.
    pub fn lacking(&self) -> ([u64; 2], u64) {
        self.hours.values().fold(([0; 2], 0), |([one, two], sampled), hour| {
            ([one + hour.one_sided, two + hour.two_sided], sampled + hour.sampled)
        })
    }
}

/// Of a stretch of slices without flows, how many are told each for itself. One flow of a sensor whose clock was wrong may
/// lie thousands of years from the others.
pub const EMPTY_SLICES: usize = 4;

/// Every slice from the first to the last in which a flow ends. Empty ones between them are told too: the first
/// [`EMPTY_SLICES`], and the rest of the stretch as one that is so much longer. `slice_hours` of zero counts as one.
pub fn slices(files: &[ArchiveFile], slice_hours: u32) -> Vec<SliceInput> {
    let hours = i64::from(slice_hours.max(1));
    let mut filled: BTreeMap<i64, SliceInput> = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        for hour in &file.hours {
            let number = hour.hour.div_euclid(hours);
            let slice = filled.entry(number).or_insert_with(|| empty(number, hours));
            slice.rows += hour.rows;
            slice.digest += hour.digest;
            slice.add(hour.hour, hour.delivered);
            if slice.files.last() != Some(&index) {
                slice.files.push(index);
            }
        }
    }
    let mut slices: Vec<SliceInput> = Vec::with_capacity(filled.len());
    let mut next = None;
    for (number, slice) in filled {
        let stretch = next.unwrap_or(number)..number;
        let alone = stretch.clone().take(EMPTY_SLICES);
        slices.extend(alone.map(|number| empty(number, hours)));
        let rest = stretch.start.saturating_add(EMPTY_SLICES as i64);
        if rest < number {
            slices.push(SliceInput { end: slice.start, ..empty(rest, hours) });
        }
        slices.push(slice);
        next = Some(number + 1);
    }
    slices
}

fn empty(number: i64, hours: i64) -> SliceInput {
    let [start, end] = [number, number + 1].map(|number| number * hours * HOUR);
    let delivered = Some(SliceDelivered::default());
    SliceInput { start, end, rows: 0, digest: FlowsDigest::default(), delivered, files: Vec::new() }
}

impl SliceInput {
    fn add(&mut self, hour: i64, delivered: Option<Delivered>) {
        match (&mut self.delivered, delivered) {
            (Some(slice), Some(more)) => *slice.hours.entry(hour).or_default() += more,
            (slice, _) => *slice = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::{ObjectMeta, path::Path};

    use super::slices;
    use crate::archive::{
        ArchiveFile, FlowsDigest,
        hours::{Delivered, HOUR, Hour, MINUTE},
    };

    fn file(hours: &[(i64, &str)]) -> ArchiveFile {
        let hours = hours.iter().map(|&(hour, flow)| Hour {
            hour,
            rows: 1,
            digest: FlowsDigest::of(flow.as_bytes()),
            delivered: Some(Delivered { minutes: 1 << 59 | 1, one_sided: 1, two_sided: 2, sampled: 3 }),
        });
        let object = ObjectMeta {
            location: Path::from("x"),
            last_modified: Default::default(),
            size: 1,
            e_tag: None,
            version: None,
        };
        ArchiveFile {
            object,
            path: "x".into(),
            rows: 0,
            hours: hours.collect(),
            sensors: Vec::new(),
            foreign: false,
            fit: None,
        }
    }

    #[test]
    fn empty_slices_lie_between() {
        let slices = slices(&[file(&[(-1, "a"), (13, "b")]), file(&[(12, "c")])], 6);
        let seen: Vec<_> = slices.iter().map(|slice| (slice.start / HOUR, slice.rows, slice.files.clone())).collect();
        assert_eq!(seen, [(-6, 1, vec![0]), (0, 0, vec![]), (6, 0, vec![]), (12, 2, vec![0, 1])]);
        assert!(slices.iter().all(|slice| slice.end - slice.start == 6 * HOUR));
        let last = slices[3].delivered.as_ref().unwrap();
        let [first, second] = [12 * HOUR, 13 * HOUR];
        assert!(last.minutes().eq([first, first + 59 * MINUTE, second, second + 59 * MINUTE]));
        assert_eq!(last.lacking(), ([2, 4], 6));
    }

    #[test]
    fn a_flow_of_another_age_makes_no_slice_for_each_day_between() {
        let age = 250 * 365 * 24;
        let slices = slices(&[file(&[(0, "a"), (12, "b"), (age, "c")])], 6);
        let seen: Vec<_> = slices.iter().map(|slice| (slice.start / HOUR, slice.end / HOUR, slice.rows)).collect();
        let empty = (3..7).map(|number| (number * 6, number * 6 + 6, 0));
        let mut expected = vec![(0, 6, 1), (6, 12, 0), (12, 18, 1)];
        expected.extend(empty);
        expected.extend([(42, age, 0), (age, age + 6, 1)]);
        assert_eq!(seen, expected);
    }

    #[test]
    fn digests_do_not_depend_on_files() {
        let one = slices(&[file(&[(1, "a"), (2, "b")])], 6);
        let two = slices(&[file(&[(2, "b")]), file(&[(1, "a")])], 6);
        assert_eq!(one[0].digest, two[0].digest);
        assert!(slices(&[], 6).is_empty());
    }
}
