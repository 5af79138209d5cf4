//! Which files a compacted file replaces. Its own footer says it, so that it takes their place in the moment in which
//! it appears, and no reader sees a row twice or not at all.

use std::collections::BTreeMap;

use parquet::file::metadata::{KeyValue, ParquetMetaData};

use crate::error::{Context, Result};

/// The key of a file's Parquet metadata with the paths in the archive of the files that it replaces, a JSON array.
pub const REPLACES_KEY: &str = "wardflow.replaces";

/// The key of the numbers of their rows, a JSON array in the same order.
const ROWS_KEY: &str = "wardflow.replaces.rows";

/// What the names of compacted files begin with; those of others begin with a digest in hexadecimal.
pub(super) const COMPACT: &str = "compact-";

/// Whether a file is a compacted one, by its path.
pub(in crate::archive) fn is_compacted(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(COMPACT))
}

/// Paths of the files that a file replaces, and their rows: those too that were replaced before by one that it
/// replaces, so that a source that is ingested again finds its flows there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::archive) struct Replaces(BTreeMap<String, u64>);

impl Replaces {
    /// What a footer says; nothing if it does not. On failure the reason.
    pub(in crate::archive) fn of(metadata: &ParquetMetaData) -> Result<Self, String> {
        let Some(paths) = value(metadata, REPLACES_KEY) else { return Ok(Self::default()) };
        let wrong = |key: &str, reason: String| format!("its metadata {key} cannot be read: {reason}");
        let paths: Vec<String> = serde_json::from_str(paths).map_err(|error| wrong(REPLACES_KEY, error.to_string()))?;
        let rows = value(metadata, ROWS_KEY).unwrap_or_default();
        let rows: Vec<u64> = serde_json::from_str(rows).map_err(|error| wrong(ROWS_KEY, error.to_string()))?;
        if paths.len() != rows.len() {
            return Err(wrong(ROWS_KEY, format!("{} numbers for {} files", rows.len(), paths.len())));
        }
        Ok(Self(paths.into_iter().zip(rows).collect()))
    }

    /// What a footer is to say.
    pub(super) fn footer(&self) -> Result<Vec<KeyValue>> {
        let json = || -> serde_json::Result<_> {
            let paths = serde_json::to_string(&self.0.keys().collect::<Vec<_>>())?;
            let rows = serde_json::to_string(&self.0.values().collect::<Vec<_>>())?;
            Ok([(REPLACES_KEY, paths), (ROWS_KEY, rows)])
        };
        let pairs = json().context(|| "writing which files are replaced".into())?;
        Ok(pairs.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect())
    }

    /// Adds a file, and what it replaced itself: its rows count there.
    pub(super) fn add(&mut self, path: &str, rows: u64, before: Option<&Self>) {
        self.0.insert(path.to_owned(), if before.is_some() { 0 } else { rows });
        self.0.extend(before.into_iter().flat_map(|before| before.0.clone()));
    }

    /// Rows of a file that is replaced.
    pub(in crate::archive) fn rows(&self, path: &str) -> Option<u64> {
        self.0.get(path).copied()
    }

    /// Every file that is replaced.
    pub(in crate::archive) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Those of sources, with their rows.
    pub(super) fn of_sources(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(path, rows)| (path.as_str(), *rows)).filter(|(path, _)| !is_compacted(path))
    }

    /// Rows of all of them.
    pub(super) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    pub(in crate::archive) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn value<'a>(metadata: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    metadata.file_metadata().key_value_metadata()?.iter().find(|pair| pair.key == key)?.value.as_deref()
}

#[cfg(test)]
mod tests {
    use super::{Replaces, is_compacted};

    #[test]
    fn what_was_replaced_before_counts_once() {
        let mut first = Replaces::default();
        first.add("date=2024-05-01/a-0.parquet", 2, None);
        first.add("date=2024-05-01/b-0.parquet", 3, None);
        let mut second = Replaces::default();
        second.add("date=2024-05-01/compact-1-0.parquet", 5, Some(&first));
        second.add("date=2024-05-01/c-0.parquet", 4, None);
        assert_eq!((first.total(), second.total()), (5, 9));
        assert_eq!((second.paths().count(), second.of_sources().count()), (4, 3));
        assert_eq!(second.rows("date=2024-05-01/a-0.parquet"), Some(2));
        assert!(is_compacted("date=2024-05-01/compact-1-0.parquet") && !is_compacted("compact-x/a-0.parquet"));
    }
}
