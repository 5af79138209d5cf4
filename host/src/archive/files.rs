//! What an archive holds: its flow files, by their footers alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use futures::{StreamExt, stream};
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::errors::ParquetError;

use super::{
    SourceEntry,
    aside::AsideTable,
    footer,
    hours::{HOUR, Hour},
    ingest::OPEN_FLOWS,
    location::Archive,
    maintain::{Replaces, is_compacted},
    mapped,
    metadata::{Footer, metadata},
    sensor_hours::SensorHour,
};
use crate::{
    error::{Error, Result},
    mapping::Fit,
};

/// Footers that are read at once: enough to hide an object store's latency, and few enough for its limits.
pub(super) const FOOTERS_AT_ONCE: usize = 16;

/// How often an archive is looked at until it stands still: files of it may be compacted meanwhile.
const LOOKS: usize = 8;

/// What is in an archive.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The flow files, in order of path.
    pub files: Vec<ArchiveFile>,
    /// Parquet files that cannot be used, in order of path.
    pub broken: Vec<BrokenFile>,
    /// What compacted files replace, by their paths.
    pub(super) replaces: BTreeMap<String, Replaces>,
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
    /// What each sensor delivered, in order of hour and sensor; empty where the file's writer did not say.
    pub sensors: Vec<SensorHour>,
    /// Whether another program wrote it.
    pub foreign: bool,
    /// How its columns become those of flows; absent if they are.
    pub fit: Option<Arc<Fit>>,
}

/// A Parquet file in an archive that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenFile {
    /// Its path in the archive.
    pub path: String,
    /// Why not, for a person.
    pub reason: String,
}

/// What is in an archive, and which files take the place of which.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) listing: Listing,
    /// What compacted files replace, by their paths.
    pub(super) replaces: BTreeMap<String, Replaces>,
    /// Files that are replaced, and are there all the same. They are not in the listing.
    pub(super) left_over: Vec<String>,
    /// Broken files that may be whole: the disk or the object store did not give them.
    pub(super) unreachable: BTreeSet<String>,
}

/// The files of a table beside the flows, and which of them take the place of which.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) files: Vec<ObjectMeta>,
    pub(super) replaces: BTreeMap<String, Replaces>,
    pub(super) left_over: Vec<String>,
}

impl ArchiveFile {
    /// Start of the first and end of the last hour in which its flows end, microseconds UTC.
    pub fn span(&self) -> Option<(i64, i64)> {
        Some((self.hours.first()?.hour * HOUR, (self.hours.last()?.hour + 1) * HOUR))
    }

    /// Number of its flows that end in a time of whole hours, microseconds UTC. Of a foreign file see [`Self::hours`].
    pub fn rows_in(&self, time: Range<i64>) -> u64 {
        let hours = self.hours.iter().filter(|hour| time.contains(&(hour.hour * HOUR)));
        hours.map(|hour| hour.rows).sum()
    }

    /// What changes when the file is written again.
    pub fn version(&self) -> String {
        footer::version(&self.object)
    }
}

impl Archive {
    /// Reads the footers of all flow files. Directories and files whose names begin with `_` or `.`, and files that do
    /// not end in `.parquet`, are none. A file that cannot be used is among [`Listing::broken`], and the rest goes on.
    ///
    /// # Errors
    /// The archive itself cannot be listed, its mapping fits none of its files, or it is another program's and has none.
    pub async fn list(&self) -> Result<Listing> {
        let listing = match self.mapping() {
            Some(mapping) => {
                let files = self.at_rest(None, |path| self.is_flow_file(path)).await?;
                mapped::list(self, mapping, files).await?
            }
            None => {
                let Survey { listing, replaces, .. } = self.survey().await?;
                Listing { replaces, ..listing }
            }
        };
        if self.is_read_only() && listing.files.is_empty() && listing.broken.is_empty() {
            return Err(self.lacks_files(&self.objects(None).await?));
        }
        Ok(listing)
    }

    /// Does that, and tells which files take the place of which.
    pub(super) async fn survey(&self) -> Result<Survey> {
        self.check_layout()?;
        for _ in 0..LOOKS {
            let objects = self.at_rest(None, |path| self.is_flow_file(path)).await?;
            let read = stream::iter(objects).map(|object| read(self, object)).buffered(FOOTERS_AT_ONCE);
            let read = read.collect::<Vec<_>>().await;
            if !read.iter().any(|file| matches!(file, Err(Unread::Gone))) {
                return Ok(Survey::of(read));
            }
        }
        Err(self.restless())
    }

    /// The files of a table beside the flows.
    pub(super) async fn beside(&self, directory: &str) -> Result<Beside> {
        for _ in 0..LOOKS {
            let mut files = self.at_rest(Some(directory), |path| path.ends_with(".parquet")).await?;
            let mut replaces = BTreeMap::new();
            let mut is_gone = false;
            for file in files.iter().filter(|file| is_compacted(self.file(&file.location))) {
                match metadata(self.store().as_ref(), file).await {
                    Ok(metadata) => {
                        let of = Replaces::of(&metadata).unwrap_or_default();
                        replaces.insert(self.file(&file.location).to_owned(), of);
                    }
                    Err(error) => is_gone |= Unread::is_gone(&error),
                }
            }
            if !is_gone {
                let left_over = {
                    let replaced: BTreeSet<&str> = replaces.values().flat_map(|replaces| replaces.paths()).collect();
                    let is_replaced = |file: &mut ObjectMeta| replaced.contains(self.file(&file.location));
                    let left_over = files.extract_if(.., is_replaced);
                    left_over.map(|file| self.file(&file.location).to_owned()).collect()
                };
                return Ok(Beside { files, replaces, left_over });
            }
        }
        Err(self.restless())
    }

    /// Objects as they are at one moment. To list a local directory takes several: a file that appears and those that
    /// it replaces may all be missed by the one who goes through it just then, and not twice in the same way.
    async fn at_rest(&self, directory: Option<&str>, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<ObjectMeta>> {
        let mut objects = self.wanted(directory, &is_wanted).await?;
        if self.directory().is_none() {
            return Ok(objects);
        }
        for _ in 0..LOOKS {
            let again = self.wanted(directory, &is_wanted).await?;
            let is_same = again.iter().map(|object| &object.location).eq(objects.iter().map(|object| &object.location));
            objects = again;
            if is_same {
                break;
            }
        }
        Ok(objects)
    }

    async fn wanted(&self, directory: Option<&str>, is_wanted: &impl Fn(&str) -> bool) -> Result<Vec<ObjectMeta>> {
        let mut objects = self.objects(directory).await?;
        objects.retain(|object| is_wanted(self.file(&object.location)));
        Ok(objects)
    }

    fn restless(&self) -> Error {
        Error::failed(format!("files of the archive {} went away {LOOKS} times while they were read", self.describe()))
            .remedy("try again when it is not being written")
    }
}

impl Survey {
    fn of(files: Vec<Result<Read, Unread>>) -> Self {
        let replaces = files.iter().flatten().flat_map(|read| read.replaces.paths());
        let replaced: BTreeSet<String> = replaces.map(str::to_owned).collect();
        let mut survey = Self::default();
        for file in files {
            match file {
                Ok(Read { file, .. }) if replaced.contains(&file.path) => survey.left_over.push(file.path),
                Ok(Read { file, replaces }) => {
                    if !replaces.is_empty() {
                        survey.replaces.insert(file.path.clone(), replaces);
                    }
                    survey.listing.files.push(file);
                }
                Err(Unread::Broken(file) | Unread::Unreachable(file)) if replaced.contains(&file.path) => {
                    survey.left_over.push(file.path);
                }
                Err(Unread::Broken(file)) => survey.listing.broken.push(file),
                Err(Unread::Unreachable(file)) => {
                    survey.unreachable.insert(file.path.clone());
                    survey.listing.broken.push(file);
                }
                Err(Unread::Gone) => {}
            }
        }
        survey
    }
}

impl Archive {
    /// Whether all flows of a source are there, or have expired, by the footers of its files and of compacted ones.
    pub(super) async fn holds(&self, entry: &SourceEntry) -> bool {
        let mut rows = 0;
        for file in &entry.files {
            match self.rows(file).await {
                Ok(Some(more)) => rows += more,
                Ok(None) | Err(_) => return false,
            }
        }
        rows == entry.counts.flows
    }

    /// Rows of a file of a source, wherever they are by now.
    async fn rows(&self, file: &str) -> Result<Option<u64>> {
        if let Ok(object) = self.store().head(&self.place(file)).await
            && let Ok(read) = read(self, object).await
        {
            return Ok(Some(read.file.rows));
        }
        match self.compacted_rows(file).await? {
            Some(rows) => Ok(Some(rows)),
            None => self.expired_rows(file).await,
        }
    }
}

impl Archive {
    /// The files that hold the table `rejects`, in order of path.
    ///
    /// # Errors
    /// The archive cannot be listed.
    pub async fn reject_files(&self) -> Result<Vec<ObjectMeta>> {
        self.parquet(&super::rejects::directory()).await
    }

    /// The files that hold records of connections that are open, in order of path.
    ///
    /// # Errors
    /// The archive cannot be listed.
    pub async fn open_flow_files(&self) -> Result<Vec<ObjectMeta>> {
        self.parquet(&format!("{}/{OPEN_FLOWS}", super::OWN_DIRECTORY)).await
    }

    /// The files that hold a table beside the flows, in order of path.
    ///
    /// # Errors
    /// The archive cannot be listed.
    pub async fn aside_files(&self, table: AsideTable) -> Result<Vec<ObjectMeta>> {
        self.parquet(&table.directory()).await
    }

    async fn parquet(&self, directory: &str) -> Result<Vec<ObjectMeta>> {
        Ok(self.beside(directory).await?.files)
    }
}

/// A file, and what it replaces.
struct Read {
    file: ArchiveFile,
    replaces: Replaces,
}

/// Why a footer could not be read.
enum Unread {
    /// The file was deleted meanwhile.
    Gone,
    Unreachable(BrokenFile),
    Broken(BrokenFile),
}

impl Unread {
    fn of(path: String, error: &ParquetError) -> Self {
        let file = BrokenFile { path, reason: error.to_string() };
        match error {
            _ if Self::is_gone(error) => Self::Gone,
            ParquetError::External(source) if source.is::<object_store::Error>() => Self::Unreachable(file),
            _ => Self::Broken(file),
        }
    }

    fn is_gone(error: &ParquetError) -> bool {
        let ParquetError::External(source) = error else { return false };
        matches!(source.downcast_ref::<object_store::Error>(), Some(object_store::Error::NotFound { .. }))
    }
}

async fn read(archive: &Archive, object: ObjectMeta) -> Result<Read, Unread> {
    let path = archive.file(&object.location).to_owned();
    let broken = |reason: String| Unread::Broken(BrokenFile { path: path.clone(), reason });
    let footer = Footer::read(archive.store().as_ref(), &object).await;
    let footer = footer.map_err(|error| Unread::of(path.clone(), &error))?;
    let metadata = footer.metadata;
    let own = footer::own_hours(&metadata).map_err(broken)?;
    let foreign = own.is_none();
    let hours = match own {
        // It is refused when it is read, in each slice that it may have flows of: its hours may be what was changed.
        Some(hours) if footer.damage.is_some() => footer::with_whole_day(hours, &path),
        Some(hours) => hours,
        None => footer::foreign_hours(&metadata, &object).map_err(broken)?,
    };
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default();
    let sensors = footer::own_sensors(&metadata).map_err(broken)?;
    let replaces = Replaces::of(&metadata).map_err(broken)?;
    Ok(Read { file: ArchiveFile { object, path, rows, hours, sensors, foreign, fit: None }, replaces })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Archive;

    fn check(location: &str, files: &[(&str, bool)]) {
        let archive = Archive::open(location, Path::new("/hospital")).unwrap();
        for (path, is) in files {
            assert_eq!(archive.is_flow_file(path), *is, "{location} {path}");
        }
    }

    #[test]
    fn tells_flow_files() {
        check(
            "archive",
            &[
                ("date=2024-01-01/a-0.parquet", true),
                ("a.parquet", true),
                ("_wardflow/rejects/a.parquet", false),
                ("date=2024-01-01/.a.parquet", false),
                ("_tmp.parquet", false),
                ("date=2024-01-01/_delta/a.parquet", false),
                ("readme.txt", false),
            ],
        );
        let files = [("1/us-east-1/a.parquet", true), ("1/a.parquet", false), ("1/us-east-1/a.gz", false)];
        check("s3://logs/AWSLogs/*/us-*/*.parquet", &files);
        check("s3://logs/**/*.parquet", &[("a.parquet", true), ("x/y/a.parquet", true), ("x/y/a.gz", false)]);
        check("/logs/*.pq", &[("a.pq", true), ("x/a.pq", false)]);
    }
}
