//! What the rows of another program's files are: flows, flows of which one side was seen, and rows that are none, since a
//! column that no flow lacks comes out null, or as what it cannot be. They are counted once, by the first analysis, and
//! the counts are kept in the workspace until the file changes.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{
    known::{Known, key},
    rows::batches,
};
use crate::{
    archive::{
        delimited::{Made, Row},
        files::ArchiveFile,
        location::Archive,
        metadata::metadata,
    },
    error::{Context, Error, Result},
    flow,
    mapping::{Fit, Planned},
};

/// Files that are read at once.
const FILES_AT_ONCE: usize = 4;

/// What the rows of a file are. Those that the mapping's `where` leaves out are not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// The file's path in the archive.
    pub path: String,
    /// Rows that are flows.
    pub flows: u64,
    /// Of those the ones of which one side was seen, though there must have been another; none where rows are joined.
    pub one_sided: u64,
    /// Of those the ones of which both sides were seen, as far as they tell; none where rows are joined.
    pub two_sided: u64,
    /// Rows that are none.
    pub no_flows: u64,
    /// Why the first of them is none, with its value.
    pub reason: Option<String>,
}

impl Archive {
    /// What the rows of these files are, file by file, as far as that was counted.
    pub fn known_rows(&self, files: &[ArchiveFile]) -> Vec<RowCounts> {
        let known = self.counted();
        let counts = files.iter().filter_map(|file| known.get(&key(&file.object, &file.fit.as_ref()?.digest())));
        counts.collect()
    }

    /// Counts what the rows of these files are, and keeps the counts. Files that need no mapping are passed over.
    ///
    /// # Errors
    /// A file cannot be read.
    pub async fn count_rows(&self, files: &[ArchiveFile]) -> Result<Vec<RowCounts>> {
        let known = &self.counted();
        let counts = files.iter().filter_map(|file| Some((file, file.fit.as_ref()?))).map(|(file, fit)| async move {
            let key = key(&file.object, &fit.digest());
            let counts = match known.get(&key) {
                Some(counts) => counts,
                None => count(self, file, fit).await?,
            };
            known.keep(key, counts.clone());
            Ok::<_, Error>(counts)
        });
        let counts = stream::iter(counts).buffered(FILES_AT_ONCE).try_collect().await?;
        known.write();
        Ok(counts)
    }

    fn counted(&self) -> Known<RowCounts> {
        Known::read(self, "rows.json")
    }
}

async fn count(archive: &Archive, file: &ArchiveFile, fit: &Fit) -> Result<RowCounts> {
    let doing = || format!("counting the rows of {}", file.path);
    let metadata = Arc::new(metadata(archive.store().as_ref(), &file.object).await.context(doing)?);
    let counted = fit.counted();
    let mut batches = batches(archive, &file.object, &metadata, counted.used()).context(doing)?;
    let mut planned: Option<Planned> = None;
    let mut counts = RowCounts { path: file.path.clone(), ..RowCounts::default() };
    while let Some(batch) = batches.try_next().await.context(doing)? {
        let planned = match &mut planned {
            Some(planned) => planned,
            none => none.insert(counted.physical(&batch.schema()).context(doing)?),
        };
        let made = Made::of(planned, &batch, &|_, _, _| None).context(doing)?;
        for row in 0..batch.num_rows() {
            match made.row(row, None) {
                Row::Flow(flow) => {
                    counts.flows += 1;
                    let packets = [flow.src_packets, flow.dst_packets];
                    let has_state = flow.conn_state.is_some();
                    let is_one_sided = flow::is_one_sided(flow.protocol, flow.observed_sides, packets, has_state);
                    // What parts lack, others have.
                    match is_one_sided.filter(|_| !fit.has_parts()) {
                        Some(true) => counts.one_sided += 1,
                        Some(false) => counts.two_sided += 1,
                        None => {}
                    }
                }
                Row::Unwanted => {}
                Row::Reject(reason) => {
                    counts.no_flows += 1;
                    counts.reason.get_or_insert(reason);
                }
            }
        }
    }
    Ok(counts)
}
