//! How a row group is laid out, and why a device's flows are found in a few of its pages.
//!
//! Row groups follow each other by `end_time`. Inside one, flows are grouped by their internal end: first those whose
//! initiator is internal, by its address as text (the order of the page index), then those whose responder is, each
//! group by `end_time`. Flows with two internal ends have row groups of their own, grouped by initiator. A filter on
//! `src_ip` or on `dst_ip` then meets narrow page ranges, and where it cannot (the responder of an internal flow) a bloom
//! filter.

use arrow::array::{Array, StringViewArray};
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    bloom_filter::Sbbf,
    errors::Result,
    file::properties::{EnabledStatistics, WriterProperties},
};

use crate::zone::{AddressSpace, IpScope};

/// Rows of a full row group: some 40 MB while it is buffered, a hundred rows for each of two thousand devices, and
/// several row groups in a slice of a busy hospital, so that they can be pruned by time and scanned in parallel. A
/// multiple of 8,192, the usual batch.
pub const ROW_GROUP_ROWS: usize = 262_144;

/// Rows of a page: what a filter on one device reads at least.
pub(super) const PAGE_ROWS: usize = 8_192;

/// Which end of a flow it is laid out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum InternalEnd {
    Src,
    Dst,
    Both,
    Neither,
}

impl InternalEnd {
    pub(super) fn of(space: &AddressSpace, src: std::net::IpAddr, dst: std::net::IpAddr) -> Self {
        match (space.scope(src) == IpScope::Internal, space.scope(dst) == IpScope::Internal) {
            (true, true) => Self::Both,
            (true, false) => Self::Src,
            (false, true) => Self::Dst,
            (false, false) => Self::Neither,
        }
    }
}

/// The order of the rows of a row group: by group, then by end time, then as they came. A counting sort, since groups
/// are few and numbered from zero to below `groups`.
pub(super) fn order(group: &[u32], groups: usize, end_time: &[i64]) -> Vec<u32> {
    let mut by_time: Vec<u32> = (0..end_time.len() as u32).collect();
    if !end_time.is_sorted() {
        by_time.sort_by_key(|&row| end_time[row as usize]);
    }
    let mut next = vec![0_u32; groups + 1];
    for &group in group {
        next[group as usize + 1] += 1;
    }
    for group in 1..next.len() {
        next[group] += next[group - 1];
    }
    let mut order = vec![0; by_time.len()];
    for row in by_time {
        let place = &mut next[group[row as usize] as usize];
        order[*place as usize] = row;
        *place += 1;
    }
    order
}

/// How the columns are encoded.
///
/// Zstandard at level 1, since dictionaries and deltas leave little for a higher one to find. Ids are unique, so that a
/// dictionary would only cost, and their lengths are kept apart from their text, where they would break up what is
/// alike; times rise by small steps inside a device. Page statistics are kept where filters prune.
pub(super) fn properties() -> Result<WriterProperties> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for pruned in ["start_time", "end_time", "src_ip", "dst_ip", "src_port", "dst_port", "protocol"] {
        builder = builder.set_column_statistics_enabled(pruned.into(), EnabledStatistics::Page);
    }
    for time in ["start_time", "end_time"] {
        builder = builder
            .set_column_dictionary_enabled(time.into(), false)
            .set_column_encoding(time.into(), Encoding::DELTA_BINARY_PACKED);
    }
    for id in ["flow_uid", "community_id"] {
        builder = builder
            .set_column_dictionary_enabled(id.into(), false)
            .set_column_encoding(id.into(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_statistics_enabled(id.into(), EnabledStatistics::None);
    }
    Ok(builder.build())
}

/// A bloom filter of the values of a column of a row group, each of which is given once: the writer's own would look at
/// every row.
pub(super) fn bloom_filter(distinct: &StringViewArray) -> Result<Sbbf> {
    const FALSE_POSITIVES: f64 = 0.01;
    let mut filter = Sbbf::new_with_ndv_fpp(distinct.len().max(1) as u64, FALSE_POSITIVES)?;
    distinct.iter().flatten().for_each(|value| filter.insert(value));
    filter.fold_to_target_fpp(FALSE_POSITIVES);
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;

    use super::{bloom_filter, order};

    #[test]
    fn a_filter_knows_its_values_and_few_others() {
        for size in [0_u32, 1, 300, 20_000] {
            let ip = |number: u32| std::net::Ipv4Addr::from(number).to_string();
            let filter = bloom_filter(&StringViewArray::from_iter_values((0..size).map(ip))).unwrap();
            let known = |from: u32, to: u32| (from..to).filter(|number| filter.check(ip(*number).as_str())).count();
            assert_eq!(known(0, size), size as usize);
            assert!(known(1 << 20, (1 << 20) + 10_000) < 300, "{size}");
        }
    }

    #[test]
    fn orders_by_group_then_time_then_arrival() {
        fn check(rows: &[(u32, i64)], expected: &[u32]) {
            let (groups, times): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
            assert_eq!(order(&groups, 3, &times), expected);
        }
        check(&[], &[]);
        check(&[(2, 1), (0, 2), (2, 3), (0, 4)], &[1, 3, 0, 2]);
        check(&[(0, 9), (0, 1), (1, 5), (1, 5), (0, 1)], &[1, 4, 0, 2, 3]);
    }
}
