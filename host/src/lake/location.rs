//! Where a lake lies, and the object store that reaches it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::{ObjectStore, ObjectStoreScheme, path::Path as StorePath};
use url::Url;

use super::store::DurableStore;
use crate::{
    error::{Context, Error, Result},
    object_stores,
    path::canonical,
};

/// A directory or a prefix in an object store.
#[derive(Clone, Debug)]
pub(super) struct Location {
    /// The place itself; ends with a slash.
    pub url: Url,
    /// The store, with `/` at its own root.
    pub store: Arc<dyn ObjectStore>,
    /// The place as a path in the store.
    pub path: StorePath,
    /// The place as a directory, if it is a local one.
    pub directory: Option<PathBuf>,
}

impl Location {
    /// Resolves a path, relative to `root`, or a URL. Nothing is created.
    pub(super) fn resolve(location: &str, root: &Path, options: &[(String, String)]) -> Result<Self> {
        let Some((scheme, _)) = location.split_once("://") else {
            return Self::local(&root.join(location));
        };
        let wrong = |what: &str| {
            Error::usage(format!("the lake's location {location:?} {what}"))
                .remedy("set `lake` in wardflow.toml to a path or to s3://bucket/prefix")
        };
        let mut url = Url::parse(location).map_err(|error| wrong("is no URL").because(error))?;
        match scheme {
            "file" => Self::local(&url.to_file_path().map_err(|()| wrong("names no local path"))?),
            // A lake in memory is gone with its process, so that only tests have use for it.
            "memory" if !cfg!(test) => Err(wrong("begins with memory://, which is not supported")),
            "s3" | "s3a" | "memory" => {
                url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
                let (store, path) = object_stores::open(&url, options.iter().cloned())
                    .map_err(|error| wrong("cannot be reached").because(error))?;
                Ok(Self { url, store, path, directory: None })
            }
            _ => Err(wrong(&format!("begins with {scheme}://, which is not supported"))),
        }
    }

    fn local(path: &Path) -> Result<Self> {
        let named = || format!("cannot use {} as the lake", path.display());
        let directory = canonical(path).context(named)?;
        let url = Url::from_directory_path(&directory).map_err(|()| Error::usage(named()))?;
        let (_, path) = ObjectStoreScheme::parse(&url).context(named)?;
        Ok(Self { url, store: Arc::new(DurableStore::default()), path, directory: Some(directory) })
    }

    /// A place below this one.
    pub(super) fn child(&self, name: &str) -> Result<Self> {
        let url = self.url.join(&format!("{name}/")).context(|| format!("{name:?} is no name in a lake"))?;
        let directory = self.directory.as_ref().map(|directory| directory.join(name));
        Ok(Self { url, store: Arc::clone(&self.store), path: self.path.clone().join(name), directory })
    }

    /// The place as a person would write it.
    pub(super) fn name(&self) -> String {
        self.directory.as_ref().map_or_else(|| self.url.to_string(), |directory| directory.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Location;
    use std::path::Path;

    fn check(location: &str, expected: Result<&str, &str>) {
        let found = Location::resolve(location, Path::new("/tmp"), &[]).map(|found| found.url.to_string());
        match expected {
            Ok(url) => assert_eq!(found.as_deref().ok(), Some(url), "{location}"),
            Err(message) => {
                let error = found.map_err(|error| error.to_string()).unwrap_err();
                assert!(error.contains(message), "{location}: {error}");
            }
        }
    }

    #[test]
    fn a_location_is_a_path_or_a_url() {
        check("no such lake", Ok("file:///tmp/no%20such%20lake/"));
        check("/tmp/no-such/../lake", Err("cannot use /tmp/no-such/../lake as the lake"));
        check("../tmp/no-such-lake", Ok("file:///tmp/no-such-lake/"));
        check("file:///tmp/no-such-lake", Ok("file:///tmp/no-such-lake/"));
        check("s3://bucket/ward/lake", Ok("s3://bucket/ward/lake/"));
        check("ftp://host/lake", Err("ftp://, which is not supported"));
        check("s3://", Err("cannot be reached"));
    }
}
