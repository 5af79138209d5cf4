//! The local file system as an object store that survives a power cut.
//!
//! `object_store`'s own local store leaves what it writes in the page cache: after a crash a commit of the log can be
//! there while the file that it names, or its own contents, are not. Here a file's bytes are on disk before its name
//! is, and its name before the call returns. Deleting is not synced: a file that comes back is one that nothing names.

use std::{
    fmt, io,
    ops::Range,
    path::{Path as FilePath, PathBuf},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart, local::LocalFileSystem,
    path::Path,
};

use crate::disk::{self, Step, create_directories, parent, sync};

/// Rights of a file but for those that the umask takes away, as of any file.
const MODE: u32 = 0o666;

/// The local file system from its root, with everything written synced.
#[derive(Clone, Debug, Default)]
pub(super) struct DurableStore {
    inner: LocalFileSystem,
}

#[async_trait]
impl ObjectStore for DurableStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let path = self.inner.path_to_filesystem(location)?;
        let create = match opts.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => return self.inner.put_opts(location, payload, opts).await,
        };
        blocking(path, move |path| {
            create_directories(parent(path))?;
            disk::put(path, payload.iter().map(AsRef::as_ref), MODE, create)
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let path = self.inner.path_to_filesystem(location)?;
        blocking(path.clone(), |path| {
            create_directories(parent(path))?;
            disk::may(Step::Create, path)
        })
        .await?;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(DurableUpload { inner, path }))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let target = self.prepare(from, to).await?;
        may(Step::Rename, &target)?;
        self.inner.copy_opts(from, to, options).await?;
        blocking(target, |path| sync(parent(path))).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let target = self.prepare(from, to).await?;
        may(Step::Rename, &target)?;
        self.inner.rename_opts(from, to, options).await?;
        blocking(target, |path| sync(parent(path))).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let inner = self.inner.clone();
        let allowed = locations.map(move |location| {
            let location = location?;
            may(Step::Delete, &inner.path_to_filesystem(&location)?)?;
            Ok(location)
        });
        self.inner.delete_stream(allowed.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
}

impl DurableStore {
    /// Syncs the file that is to get another name, and makes room for that.
    async fn prepare(&self, from: &Path, to: &Path) -> Result<PathBuf> {
        let target = self.inner.path_to_filesystem(to)?;
        let directory = parent(&target).to_owned();
        blocking(self.inner.path_to_filesystem(from)?, move |path| {
            sync(path)?;
            create_directories(&directory)
        })
        .await?;
        Ok(target)
    }
}

impl fmt::Display for DurableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DurableStore")
    }
}

/// An upload in parts that is synced when it is complete.
#[derive(Debug)]
struct DurableUpload {
    inner: Box<dyn MultipartUpload>,
    path: PathBuf,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let allowed = may(Step::Write, &self.path);
        let part = self.inner.put_part(data);
        Box::pin(async {
            allowed?;
            part.await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        may(Step::Rename, &self.path)?;
        let done = self.inner.complete().await?;
        blocking(self.path.clone(), |path| {
            sync(path)?;
            sync(parent(path))
        })
        .await?;
        Ok(done)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

/// Runs file work on tokio's threads for blocking work.
async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&FilePath) -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let shown = path.clone();
    let done = tokio::task::spawn_blocking(move || work(&path)).await?;
    done.map_err(|error| failed(&shown, error))
}

fn may(step: Step, path: &FilePath) -> Result<()> {
    disk::may(step, path).map_err(|error| failed(path, error))
}

fn failed(path: &FilePath, source: io::Error) -> Error {
    let (kind, path) = (source.kind(), path.display().to_string());
    match kind {
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: source.into() },
        io::ErrorKind::NotFound => Error::NotFound { path, source: source.into() },
        io::ErrorKind::PermissionDenied => Error::PermissionDenied { path, source: source.into() },
        _ => Error::Generic { store: "the local file system", source: Box::new(AtPath { path, source }) },
    }
}

/// What went wrong where: what the store says of other failures it does not say of these.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
struct AtPath {
    path: String,
    source: io::Error,
}

#[cfg(test)]
mod tests {
    use super::DurableStore;
    use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, path::Path};

    #[tokio::test]
    async fn what_is_put_is_there_once_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let store = DurableStore::default();
        let at = |name: &str| Path::from_absolute_path(directory.path().join(name)).unwrap();
        let (a, b) = (at("deep/er/a"), at("deep/er/b"));

        store.put_opts(&a, "one".into(), PutMode::Create.into()).await.unwrap();
        let again = store.put_opts(&a, "two".into(), PutMode::Create.into()).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
        assert_eq!(store.get(&a).await.unwrap().bytes().await.unwrap(), "one");

        store.put(&a, "three".into()).await.unwrap();
        store.rename(&a, &b).await.unwrap();
        assert_eq!(store.get(&b).await.unwrap().bytes().await.unwrap(), "three");

        let mut upload = store.put_multipart(&at("other/c")).await.unwrap();
        upload.put_part("four".into()).await.unwrap();
        upload.complete().await.unwrap();

        let mut names: Vec<_> = walk(directory.path());
        names.sort();
        assert_eq!(names, ["b", "c"], "no staged file stays behind");
    }

    fn walk(directory: &std::path::Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| match path.is_dir() {
                true => walk(&path),
                false => vec![path.file_name().unwrap().to_string_lossy().into_owned()],
            })
            .collect()
    }
}
