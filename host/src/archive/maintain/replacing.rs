//! How a compacted file takes the place of others, `_wardflow/compacting/<file>`: noted before it appears, and
//! forgotten once they are deleted. What a killed run did not delete no reader looks at, and the next run deletes it.

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;

use super::{
    read_back::Fault,
    replaces::{Replaces, is_compacted},
};
use crate::{
    archive::{Archive, OWN_DIRECTORY, SourceEntry, metadata::metadata},
    error::{Context, Error, Result},
};

/// Files that are deleted at once.
const AT_ONCE: usize = 16;

impl Archive {
    /// Notes that a compacted file is about to appear.
    pub(super) async fn begin_replacing(&self, file: &str) -> Result<()> {
        self.put(&note(file), file.as_bytes().to_vec()).await
    }

    /// Deletes what it replaces, and the note.
    pub(super) async fn end_replacing<'a>(
        &self,
        file: &str,
        replaced: impl IntoIterator<Item = &'a str>,
    ) -> Result<()> {
        self.delete_all(replaced).await?;
        self.delete(&self.place(&note(file))).await
    }

    /// Ends what killed runs began. Where the compacted file is not there or cannot be read, what it replaces stays.
    pub(in crate::archive) async fn finish_replacing(&self) -> Result<()> {
        for note in self.objects(Some(&directory())).await? {
            let file = self.get(self.file(&note.location)).await?.unwrap_or_default();
            if let Some(replaces) = self.replaces(&String::from_utf8_lossy(&file)).await? {
                self.delete_all(replaces.paths()).await?;
            }
            self.delete(&note.location).await?;
        }
        Ok(())
    }

    /// Deletes files; they may be gone already.
    pub(super) async fn delete_all<'a>(&self, files: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let places: Vec<_> = files.into_iter().map(|file| self.place(file)).collect();
        let deleted = stream::iter(places).map(|place| async move { self.delete(&place).await });
        deleted.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Rows of a file in the compacted file that replaces it; none if there is no such file, or it cannot be read.
    pub(in crate::archive) async fn compacted_rows(&self, file: &str) -> Result<Option<u64>> {
        let Some((directory, _)) = file.rsplit_once('/') else { return Ok(None) };
        for object in self.objects(Some(directory)).await? {
            let path = self.file(&object.location);
            if is_compacted(path)
                && let Some(rows) = self.replaces(path).await?.and_then(|replaces| replaces.rows(file))
            {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    /// Refuses a source of which something lies in a compacted file: from there it cannot be taken out again.
    pub(in crate::archive) async fn refuse_compacted(&self, source: &SourceEntry) -> Result<()> {
        for file in source.paths() {
            if self.compacted_rows(&file).await?.is_some() {
                let name = &source.name;
                return Err(Error::failed(format!(
                    "flows that were compacted cannot be replaced, and those of {name} were, as {file}"
                ))
                .remedy(format!(
                    "take {name}, which has grown, out of what is ingested; give what is new in it as a file of its own"
                )));
            }
        }
        Ok(())
    }

    /// What a file replaces; none if it is not there or damaged.
    async fn replaces(&self, file: &str) -> Result<Option<Replaces>> {
        let doing = || format!("reading {file} of the archive {}", self.describe());
        let object = match self.store().head(&self.place(file)).await {
            Ok(object) => object,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error).context(doing),
        };
        match metadata(self.store().as_ref(), &object).await.map_err(Fault::from) {
            Ok(metadata) => Ok(Replaces::of(&metadata).ok()),
            Err(Fault::Damaged(_)) => Ok(None),
            Err(Fault::Unreachable(error)) => Err(error).context(doing),
        }
    }
}

pub(super) fn directory() -> String {
    format!("{OWN_DIRECTORY}/compacting")
}

fn note(file: &str) -> String {
    format!("{}/{}", directory(), file.rsplit('/').next().unwrap_or(file))
}
