//! What an archive holds: its flow files, by their footers alone.

use futures::{StreamExt, stream};
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::{
    DecodeResult,
    errors::ParquetError,
    file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder},
};

use super::{
    SourceEntry, footer,
    hours::{HOUR, Hour},
    location::Archive,
};
use crate::error::Result;

/// Footers that are read at once: enough to hide an object store's latency, and few enough for its limits.
const FOOTERS_AT_ONCE: usize = 16;

/// Bytes read from a file's end at first. A footer that is longer takes a second read.
const FOOTER_HINT: u64 = 64 << 10;

/// What is in an archive.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The flow files, in order of path.
    pub files: Vec<ArchiveFile>,
    /// Parquet files that cannot be used, in order of path.
    pub broken: Vec<BrokenFile>,
}

/// A flow file.
#[derive(Clone, Debug)]
pub struct ArchiveFile {
    /// Its place in the archive's store, its size and its version there.
    pub object: ObjectMeta,
    /// Its path in the archive, such as `date=2024-05-01/0123456789abcdef-0.parquet`.
    pub path: String,
    /// Number of flows.
    pub rows: u64,
    /// What it holds of each hour, in order of time. Of a foreign file the rows of an hour are those of the row groups
    /// that begin in it, and the digests change with the file, whatever in it changed.
    pub hours: Vec<Hour>,
    /// Whether another program wrote it.
    pub foreign: bool,
}

/// A Parquet file in an archive that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenFile {
    /// Its path in the archive.
    pub path: String,
    /// Why not, for a person.
    pub reason: String,
}

impl ArchiveFile {
    /// Start of the first and end of the last hour in which its flows end, microseconds UTC.
    pub fn span(&self) -> Option<(i64, i64)> {
        Some((self.hours.first()?.hour * HOUR, (self.hours.last()?.hour + 1) * HOUR))
    }
}

impl Archive {
    /// Reads the footers of all flow files. Directories and files whose names begin with `_` or `.`, and files that do
    /// not end in `.parquet`, are none. A file that cannot be used is among [`Listing::broken`], and the rest goes on.
    ///
    /// # Errors
    /// The archive itself cannot be listed.
    pub async fn list(&self) -> Result<Listing> {
        let flow_files =
            self.objects(None).await?.into_iter().filter(|object| is_flow_file(self.file(&object.location)));
        let read = stream::iter(flow_files).map(|object| read(self, object)).buffered(FOOTERS_AT_ONCE);
        let mut listing = Listing::default();
        for file in read.collect::<Vec<_>>().await {
            match file {
                Ok(file) => listing.files.push(file),
                Err(broken) => listing.broken.push(broken),
            }
        }
        Ok(listing)
    }
}

impl Archive {
    /// Whether the files of a source are all there, with all its flows, by their footers.
    pub(super) async fn holds(&self, entry: &SourceEntry) -> bool {
        let mut rows = 0;
        for file in &entry.files {
            let Ok(object) = self.store().head(&self.place(file)).await else { return false };
            match read(self, object).await {
                Ok(file) => rows += file.rows,
                Err(_) => return false,
            }
        }
        rows == entry.flows
    }
}

impl Archive {
    /// The files that hold the table `rejects`, in order of path.
    ///
    /// # Errors
    /// The archive cannot be listed.
    pub async fn reject_files(&self) -> Result<Vec<ObjectMeta>> {
        let objects = self.objects(Some(&super::rejects::directory())).await?;
        Ok(objects.into_iter().filter(|object| object.location.as_ref().ends_with(".parquet")).collect())
    }
}

fn is_flow_file(path: &str) -> bool {
    path.ends_with(".parquet") && !path.split('/').any(|part| part.starts_with(['_', '.']))
}

async fn read(archive: &Archive, object: ObjectMeta) -> Result<ArchiveFile, BrokenFile> {
    let path = archive.file(&object.location).to_owned();
    let broken = |reason: String| BrokenFile { path: path.clone(), reason };
    let metadata = metadata(archive, &object).await.map_err(|error| broken(error.to_string()))?;
    let own = footer::own_hours(&metadata).map_err(broken)?;
    let foreign = own.is_none();
    let hours = match own {
        Some(hours) => hours,
        None => footer::foreign_hours(&metadata, &object).map_err(broken)?,
    };
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default();
    Ok(ArchiveFile { object, path, rows, hours, foreign })
}

async fn metadata(archive: &Archive, object: &ObjectMeta) -> Result<ParquetMetaData, ParquetError> {
    let mut decoder = ParquetMetaDataPushDecoder::try_new(object.size)?.with_page_index_policy(PageIndexPolicy::Skip);
    let hint = object.size.saturating_sub(FOOTER_HINT)..object.size;
    let mut wanted = Vec::from([hint]);
    loop {
        for range in wanted {
            let bytes = archive.store().get_range(&object.location, range.clone()).await;
            decoder.push_range(range, bytes.map_err(|error| ParquetError::External(Box::new(error)))?)?;
        }
        wanted = match decoder.try_decode()? {
            DecodeResult::NeedsData(ranges) => ranges,
            DecodeResult::Data(metadata) => return Ok(metadata),
            DecodeResult::Finished => return Err(ParquetError::EOF("its footer ends early".into())),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::is_flow_file;

    #[test]
    fn tells_flow_files() {
        for (path, is) in [
            ("date=2024-01-01/a-0.parquet", true),
            ("a.parquet", true),
            ("_wardflow/rejects/a.parquet", false),
            ("date=2024-01-01/.a.parquet", false),
            ("_tmp.parquet", false),
            ("date=2024-01-01/_delta/a.parquet", false),
            ("readme.txt", false),
        ] {
            assert_eq!(is_flow_file(path), is, "{path}");
        }
    }
}
