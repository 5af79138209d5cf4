//! Parquet files that are compared, as they are read, with the checksums of their blocks, where their footers have these.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use datafusion::{
    catalog::Session,
    common::Result as QueryResult,
    datasource::{
        listing::PartitionedFile,
        physical_plan::parquet::{CachedParquetFileReaderFactory, CachedParquetMetaData, ParquetFileReaderFactory},
    },
    execution::{
        cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache},
        object_store::ObjectStoreUrl,
    },
    physical_plan::metrics::ExecutionPlanMetricsSet,
};
use futures::{FutureExt, future::BoxFuture};
use object_store::{ObjectMeta, ObjectStore};
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::{ParquetError, Result},
    file::metadata::ParquetMetaData,
};

use crate::archive::{self, BlockSums};

/// Opens files; their footers are kept by the session, once they are compared.
#[derive(Debug)]
pub(super) struct CheckedFiles {
    files: CachedParquetFileReaderFactory,
    store: Arc<dyn ObjectStore>,
    footers: Arc<FileMetadataCache>,
}

impl CheckedFiles {
    /// Of a store that the session knows.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn of(session: &dyn Session, store: &ObjectStoreUrl) -> QueryResult<Self> {
        let runtime = session.runtime_env();
        let (store, footers) = (runtime.object_store(store)?, runtime.cache_manager.get_file_metadata_cache());
        let files = CachedParquetFileReaderFactory::new(Arc::clone(&store), Arc::clone(&footers));
        Ok(Self { files, store, footers })
    }
}

impl ParquetFileReaderFactory for CheckedFiles {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> QueryResult<Box<dyn AsyncFileReader + Send>> {
        let object = file.object_meta.clone();
        let (store, footers) = (Arc::clone(&self.store), Arc::clone(&self.footers));
        let file = self.files.create_reader(partition, file, metadata_size_hint, metrics)?;
        Ok(Box::new(CheckedFile { file, object, store, footers, sums: Sums::Unknown }))
    }
}

struct CheckedFile {
    file: Box<dyn AsyncFileReader + Send>,
    object: ObjectMeta,
    store: Arc<dyn ObjectStore>,
    footers: Arc<FileMetadataCache>,
    sums: Sums,
}

/// The checksums of a file's blocks.
#[derive(Clone)]
enum Sums {
    /// Its footer was not looked at yet.
    Unknown,
    /// It has none.
    Absent,
    Of(Arc<BlockSums>),
}

impl CheckedFile {
    fn look_at(&mut self, footer: &ParquetMetaData) -> Result<()> {
        let sums = BlockSums::of(footer).map_err(ParquetError::General)?;
        self.sums = sums.map_or(Sums::Absent, |sums| Sums::Of(Arc::new(sums)));
        Ok(())
    }

    /// The footer with its page index, which the session may have.
    async fn footer(&mut self) -> Result<Arc<ParquetMetaData>> {
        let kept = self.footers.get(&self.object.location).filter(|kept| kept.is_valid_for(&self.object));
        let footer = kept.as_ref().and_then(|kept| kept.file_metadata.as_any().downcast_ref::<CachedParquetMetaData>());
        if let Some(footer) = footer {
            return Ok(Arc::clone(footer.parquet_metadata()));
        }
        let footer = Arc::new(archive::metadata_and_index(self.store.as_ref(), &self.object).await?);
        let kept = Arc::new(CachedParquetMetaData::new(Arc::clone(&footer)));
        self.footers.put(&self.object.location, CachedFileMetadataEntry::new(self.object.clone(), kept));
        Ok(footer)
    }
}

impl AsyncFileReader for CheckedFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let read = self.get_byte_ranges(vec![range]).await?;
            read.into_iter().next().ok_or_else(|| ParquetError::General("nothing was read".to_owned()))
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            ranges.iter().try_for_each(|range| archive::check_range(range, self.object.size))?;
            // Who has the footer from elsewhere does not ask for it.
            if let Sums::Unknown = self.sums {
                self.get_metadata(None).await?;
            }
            let Sums::Of(sums) = self.sums.clone() else { return self.file.get_byte_ranges(ranges).await };
            let wider = whole_blocks(&sums, &ranges);
            let read = self.file.get_byte_ranges(wider.clone()).await?;
            for (range, bytes) in wider.iter().zip(&read).filter(|(range, _)| sums.blocks(range).is_some()) {
                sums.verify(range.start, bytes).map_err(ParquetError::General)?;
            }
            let slice = |range: &Range<u64>| {
                let at = wider.partition_point(|wide| wide.start <= range.start).saturating_sub(1);
                let [start, end] = [range.start, range.end].map(|place| place.saturating_sub(wider[at].start) as usize);
                match read.get(at).filter(|bytes| end <= bytes.len()) {
                    Some(bytes) => Ok(bytes.slice(start..end)),
                    None => Err(ParquetError::EOF(format!("the file ends before byte {}", range.end))),
                }
            };
            ranges.iter().map(slice).collect()
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let footer = self.footer().await?;
            self.look_at(&footer)?;
            Ok(footer)
        }
        .boxed()
    }
}

/// What is to be read for some ranges, by where it begins: the blocks they lie in, of which neighbours share one, and as it
/// is what has no sums.
fn whole_blocks(sums: &BlockSums, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut wider: Vec<_> = ranges.iter().map(|range| (sums.blocks(range), range)).collect();
    wider.sort_by_key(|(blocks, range)| blocks.as_ref().unwrap_or(range).start);
    let mut whole: Vec<Range<u64>> = Vec::with_capacity(wider.len());
    let mut last_has_sums = false;
    for (blocks, range) in wider {
        let has_sums = blocks.is_some();
        let wide = blocks.unwrap_or_else(|| range.clone());
        match whole.last_mut().filter(|last| has_sums && last_has_sums && wide.start <= last.end) {
            Some(last) => last.end = last.end.max(wide.end),
            None => whole.push(wide),
        }
        last_has_sums = has_sums;
    }
    whole
}
