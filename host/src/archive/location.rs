//! Where an archive is: a directory, or a prefix of an object store.

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use futures::TryStreamExt;
use glob::{MatchOptions, Pattern};
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart,
    local::LocalFileSystem,
    path::{Path as StorePath, PathPart},
};
use url::Url;

use super::links;
use crate::{
    disk::{self, Step},
    error::{Context, Error, Result},
    mapping::Mapping,
    object_stores,
    path::canonical,
};

/// The archive's own files. Its name begins with `_`, so that no reader takes them for flows.
pub const OWN_DIRECTORY: &str = "_wardflow";

/// Where files are that are not complete.
pub(super) const UNFINISHED: &str = "unfinished";

/// An archive. It need not exist yet: an empty one has no files.
#[derive(Clone, Debug)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    store_url: Url,
    prefix: StorePath,
    directory: Option<PathBuf>,
    root: PathBuf,
    /// Which files count, if the location names them by a pattern.
    pattern: Option<Pattern>,
    mapping: Option<Arc<Mapping>>,
    flows_read: Arc<AtomicBool>,
}

/// What to do where a local archive cannot be listed.
const CLOSED: &str =
    "let the user who runs this read all directories in it, or move those out of it that are none of its";

impl Archive {
    /// The archive at a path, relative to `root`, or at an object-store URL such as `s3://bucket/prefix`. Behind that a
    /// pattern may say which files count, such as `2026/**/*.parquet`: `*` is anything in a name, `**` any directories.
    /// A path may be that of a single Parquet file.
    ///
    /// # Errors
    /// The URL is none, or of a store that is not supported.
    pub fn open(location: &str, root: &Path) -> Result<Self> {
        Self::open_with(location, root, std::iter::empty::<(String, String)>())
    }

    /// Like [`Archive::open`], with options of the object store such as `aws_access_key_id`. Options that the store does
    /// not know are ignored, so that the whole environment may be given.
    ///
    /// # Errors
    /// See [`Archive::open`].
    pub fn open_with(location: &str, root: &Path, options: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let root = std::path::absolute(root).context(|| format!("finding the directory {}", root.display()))?;
        let (location, pattern) = split_pattern(location)?;
        if location.contains("://") && !location.starts_with("file://") {
            return Ok(Self { pattern, ..Self::remote(location, root, options)? });
        }
        let directory = match location.strip_prefix("file://") {
            Some(_) => file_url(location)?,
            None => root.join(location),
        };
        let (directory, pattern) = match &pattern {
            None => file_in(&directory).map_or((directory, None), |(parent, file)| (parent, Some(file))),
            Some(_) => (directory, pattern),
        };
        let directory =
            canonical(&directory).context(|| format!("the archive's path {} cannot be used", directory.display()))?;
        let prefix = StorePath::from_absolute_path(&directory)
            .context(|| format!("the archive's path {} cannot be used", directory.display()))?;
        let store_url = Url::parse("file:///").context(|| "naming the local file system".into())?;
        let store = Arc::new(LocalFileSystem::new());
        Ok(Self {
            store,
            store_url,
            prefix,
            directory: Some(directory),
            root,
            pattern,
            mapping: None,
            flows_read: Arc::default(),
        })
    }

    /// The same archive, of which the files are another program's, and this is how their columns become those of flows.
    /// Such an archive is only read.
    #[must_use]
    pub fn mapped(self, mapping: Option<Arc<Mapping>>) -> Self {
        Self { mapping, ..self }
    }

    fn remote(location: &str, root: PathBuf, options: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let wrong = || {
            Error::usage(format!(
                "the archive's location {location:?} is no path and no URL of a supported object store"
            ))
            .remedy("give a directory or a URL such as s3://bucket/prefix")
        };
        let url = Url::parse(location).map_err(|error| wrong().because(error))?;
        let (store, prefix) = object_stores::open(&url, options).map_err(|error| wrong().because(error))?;
        let mut store_url = url;
        store_url.set_path("/");
        store_url.set_query(None);
        Ok(Self {
            store,
            store_url,
            prefix,
            directory: None,
            root,
            pattern: None,
            mapping: None,
            flows_read: Arc::default(),
        })
    }

    /// The object store that holds the archive.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The URL under which to register [`Archive::store`] with DataFusion.
    pub fn store_url(&self) -> &Url {
        &self.store_url
    }

    /// The archive's place in its store.
    pub fn prefix(&self) -> &StorePath {
        &self.prefix
    }

    /// The archive's directory, if it is a local one.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// How its files become flows, if they are another program's.
    pub const fn mapping(&self) -> Option<&Arc<Mapping>> {
        self.mapping.as_ref()
    }

    /// Whether nothing may be written into it.
    pub(super) const fn is_read_only(&self) -> bool {
        self.mapping.is_some() || self.pattern.is_some()
    }

    /// Whether a file, by its path in the archive, is one of flows.
    pub(super) fn is_flow_file(&self, path: &str) -> bool {
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        match &self.pattern {
            Some(pattern) => pattern.matches_with(path, options),
            None => path.ends_with(".parquet") && !path.split('/').any(|part| part.starts_with(['_', '.'])),
        }
    }

    /// That none of the files there is one of flows: what was looked for, and what there is.
    pub(super) fn lacks_files(&self, there: &[ObjectMeta]) -> Error {
        let sought = match &self.pattern {
            Some(pattern) => format!("whose path there matches {pattern}"),
            None => "whose name ends in .parquet".to_owned(),
        };
        let there = match there {
            [] => "no file at all".to_owned(),
            [first, rest @ ..] => {
                let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
                format!("{}{more}", self.file(&first.location))
            }
        };
        let place = self.place_name();
        let rule = format!(
            "the archive {} has no flows: in {place} no file is one {sought}; there is {there}",
            self.describe()
        );
        let one = match self.pattern.is_none() && place.ends_with(".parquet") {
            true => format!(". If that is one file, write {place}*"),
            false => String::new(),
        };
        Error::usage(rule).remedy(format!(
            "correct `archive` in wardflow.toml: between slashes * is anything in a name, and ** any directories{one}. What is \
             text is read by `wardflow ingest csv FILE --mapping NAME` into an archive of its own"
        ))
    }

    /// The place in the store of a file of the archive, its path parted by `/`.
    pub(super) fn place(&self, file: &str) -> StorePath {
        file.split('/').fold(self.prefix.clone(), |path, part| path.join(PathPart::from(part)))
    }

    /// The path in the archive of a place in the store.
    pub(super) fn file<'a>(&self, place: &'a StorePath) -> &'a str {
        place.as_ref().strip_prefix(self.prefix.as_ref()).unwrap_or(place.as_ref()).trim_start_matches('/')
    }

    /// Every object under a directory of the archive, in order of path.
    pub(super) async fn objects(&self, directory: Option<&str>) -> Result<Vec<ObjectMeta>> {
        let place = directory.map_or_else(|| self.prefix.clone(), |directory| self.place(directory));
        // Of an object store it is the bucket that is not there.
        let may_be_gone = self.directory.is_some();
        let objects = match (self.store.list(Some(&place)).try_collect().await, &self.directory) {
            (Err(object_store::Error::NotFound { .. }), Some(_)) => Ok(Vec::new()),
            (Err(error), Some(root)) if links::is_loop(&error) || links::is_no_text(&error) => {
                let files = links::files(&directory.map_or_else(|| root.clone(), |directory| root.join(directory)));
                self.heads(&files.context(|| format!("listing the archive {}", self.describe()))?).await
            }
            (listed, _) => listed,
        };
        let objects = objects.map_err(|error| {
            let failed = Error::failed(format!("the archive {} cannot be listed", self.describe())).because(error);
            if may_be_gone { failed.remedy(CLOSED) } else { failed.remedy(object_stores::REMEDY) }
        });
        let mut objects: Vec<ObjectMeta> = objects?;
        objects.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(objects)
    }

    /// What the store says of files of a local archive.
    async fn heads(&self, files: &[PathBuf]) -> object_store::Result<Vec<ObjectMeta>> {
        let mut heads = Vec::with_capacity(files.len());
        for file in files {
            match self.store.head(&StorePath::from_absolute_path(file)?).await {
                Err(object_store::Error::NotFound { .. }) => {}
                head => heads.push(head?),
            }
        }
        Ok(heads)
    }

    /// Moves a file that was written in [`Archive::scratch`] to its place, at once.
    pub(super) async fn publish(&self, staged: &Path, file: &str) -> Result<()> {
        let context = || format!("writing {file} into the archive {}", self.describe());
        match &self.directory {
            Some(directory) => disk::rename(staged, &directory.join(file)).context(context),
            None => self.upload(staged, &self.place(file)).await.context(context),
        }
    }

    /// Writes a small file, at once.
    pub(super) async fn put(&self, file: &str, bytes: Vec<u8>) -> Result<()> {
        if self.directory.is_none() {
            let put = self.store.put(&self.place(file), PutPayload::from(bytes)).await;
            return put.map(drop).context(|| format!("writing {file} into the archive {}", self.describe()));
        }
        let scratch = self.scratch()?;
        let staged = scratch.path().join("file");
        let write = || -> std::io::Result<()> {
            let mut file = disk::File::create(&staged)?;
            file.write_all(&bytes)?;
            file.sync()
        };
        write().context(|| format!("writing {}", staged.display()))?;
        self.publish(&staged, file).await
    }

    /// Reads a small file; none if there is none.
    pub(super) async fn get(&self, file: &str) -> Result<Option<Vec<u8>>> {
        let context = || format!("reading {file} of the archive {}", self.describe());
        match self.store.get(&self.place(file)).await {
            Ok(object) => Ok(Some(object.bytes().await.context(context)?.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error).context(context),
        }
    }

    /// Deletes a file; it may be gone already.
    pub(super) async fn delete(&self, place: &StorePath) -> Result<()> {
        let context = || format!("deleting {place} from the archive");
        if let Some(directory) = &self.directory {
            return disk::delete(&directory.join(self.file(place))).context(context);
        }
        match self.store.delete(place).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error).context(context),
        }
    }

    /// A directory for files that are not complete, where [`Archive::publish`] can take them from: inside a local
    /// archive, since only inside one file system is a move atomic.
    pub(super) fn scratch(&self) -> Result<tempfile::TempDir> {
        let parent = self.local_directory().join(UNFINISHED);
        let make = || {
            disk::create_directories(&parent)?;
            disk::may(Step::Create, &parent)?;
            tempfile::Builder::new().prefix("part-").tempdir_in(&parent)
        };
        make().context(|| format!("making a directory for unfinished files in {}", parent.display()))
    }

    /// The directory for the lock and for unfinished files: the archive's own, or the workspace's for a remote archive.
    pub(super) fn local_directory(&self) -> PathBuf {
        match &self.directory {
            Some(directory) => directory.join(OWN_DIRECTORY),
            None => self.cache_directory(),
        }
    }

    /// Whether a query asked for flows of it since it was opened: a query that did has not seen those of broken files.
    pub fn flows_read(&self) -> &Arc<AtomicBool> {
        &self.flows_read
    }

    /// A directory of the workspace, for what is kept of an archive that is only read.
    pub(super) fn cache_directory(&self) -> PathBuf {
        self.root.join(".wardflow-archive")
    }

    /// The archive's location, for a message.
    pub fn describe(&self) -> String {
        let place = self.place_name();
        self.pattern.iter().fold(place, |place, pattern| format!("{}/{pattern}", place.trim_end_matches('/')))
    }

    fn place_name(&self) -> String {
        match &self.directory {
            Some(directory) => directory.display().to_string(),
            None => format!("{}{}", self.store_url, self.prefix),
        }
    }

    async fn upload(&self, staged: &Path, place: &StorePath) -> Result<(), UploadError> {
        const CHUNK: usize = 8 << 20;
        let mut source = File::open(staged)?;
        let mut upload = WriteMultipart::new_with_chunk_size(self.store.put_multipart(place).await?, CHUNK);
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = source.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            upload.wait_for_capacity(4).await?;
            upload.write(&chunk[..read]);
        }
        upload.finish().await?;
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error("the local copy cannot be read")]
    Local(#[from] std::io::Error),
    #[error("the object store refused it")]
    Store(#[from] object_store::Error),
}

/// The place, and the pattern of the files behind it, which begins where a name has a `*`.
fn split_pattern(location: &str) -> Result<(&str, Option<Pattern>)> {
    let Some(star) = location.find('*').filter(|_| !location.contains("://*")) else { return Ok((location, None)) };
    let (place, pattern) = match location[..star].rfind('/') {
        Some(slash) => (&location[..slash], &location[slash + 1..]),
        None => (".", location),
    };
    let pattern = Pattern::new(pattern).map_err(|error| {
        Error::usage(format!("the archive's location {location:?} has a pattern that is none"))
            .because(error)
            .remedy("between slashes, write * for anything in a name, and ** for any directories")
    })?;
    Ok((place, Some(pattern)))
}

/// The directory of a single Parquet file, and the pattern that it alone matches; absent if there is no such file.
fn file_in(path: &Path) -> Option<(PathBuf, Pattern)> {
    let is_one = path.extension().is_some_and(|ending| ending == "parquet") && path.is_file();
    let (parent, name) = (path.parent()?, path.file_name()?.to_str().filter(|_| is_one)?);
    Some((parent.to_owned(), Pattern::new(&Pattern::escape(name)).ok()?))
}

fn file_url(location: &str) -> Result<PathBuf> {
    let url = Url::parse(location).ok().and_then(|url| url.to_file_path().ok());
    url.ok_or_else(|| {
        Error::usage(format!("the archive's location {location:?} is no URL of a local directory"))
            .remedy("write three slashes, as in file:///var/lib/flows, or a plain path")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Archive;

    #[test]
    fn finds_the_place() {
        fn check(location: &str, store: &str, prefix: &str) {
            let archive = Archive::open(location, Path::new("/hospital")).unwrap();
            assert_eq!((archive.store_url().as_str(), archive.prefix().as_ref()), (store, prefix), "{location}");
            let place = archive.place("date=2024-01-01/a.parquet");
            assert_eq!(archive.file(&place), "date=2024-01-01/a.parquet");
        }
        check("archive", "file:///", "hospital/archive");
        check("/data/flows", "file:///", "data/flows");
        check("file:///data/flows", "file:///", "data/flows");
        check("s3://bucket/flows/zeek", "s3://bucket/", "flows/zeek");
        check("s3://bucket", "s3://bucket/", "");
    }

    #[test]
    fn a_file_is_a_pattern_that_it_alone_matches() {
        let directory = tempfile::tempdir().unwrap();
        let name = "a[1].parquet";
        std::fs::write(directory.path().join(name), "").unwrap();
        let archive = Archive::open(name, directory.path()).unwrap();
        assert_eq!(archive.directory(), Some(directory.path().canonicalize().unwrap().as_path()));
        assert!(archive.is_flow_file(name) && !archive.is_flow_file("a1.parquet") && archive.is_read_only());
        // What is not there yet may become a directory.
        assert!(!Archive::open("b.parquet", directory.path()).unwrap().is_read_only());
    }

    #[test]
    fn refuses_what_is_no_place() {
        for location in ["gopher://host/x", "s3://", "file://nowhere/x"] {
            let error = Archive::open(location, Path::new("/")).unwrap_err();
            assert!(error.to_string().contains(location), "{error}");
            assert!(error.remedy_text().is_some());
        }
    }
}
