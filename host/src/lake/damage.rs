//! What is wrong with a table that cannot be read, in words for whoever has to put it right.

use std::collections::BTreeMap;

use deltalake_core::DeltaTableError;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStoreExt};
use serde_json::Value;

use super::{Lake, Table, location::Location, result_table::ResultTable};
use crate::error::{Error, Result};

impl Lake {
    /// That a table cannot be read.
    pub fn unreadable(&self, table: Table, error: &dyn std::error::Error) -> Error {
        self.result_table(table).unreadable(&first_line(error))
    }
}

impl ResultTable {
    /// That it cannot be read since its log cannot: which entry of it is damaged or missing, or else what was said.
    pub(super) async fn unreadable_log(&self, said: DeltaTableError) -> Error {
        let found = match of_log(self.location()).await {
            Ok(found) => found,
            Err(error) => Some(error.to_string()),
        };
        self.unreadable(&found.unwrap_or_else(|| first_line(&said)))
    }

    /// Refuses a log with an entry that is empty, which would be read as one in which nothing was written.
    ///
    /// # Errors
    /// There is one.
    pub(super) async fn check_log(&self) -> Result<()> {
        let log = Log::of(self.location()).await.map_err(|error| self.unreadable(&error.to_string()))?;
        match log.entries.range(log.first..).find(|(_, entry)| entry.size == 0) {
            Some((version, _)) => Err(self.unreadable(&is_what(*version, "damaged"))),
            None => Ok(()),
        }
    }

    pub(super) fn unreadable(&self, reason: &str) -> Error {
        let place = self.location().name();
        let place = place.trim_end_matches('/');
        Error::failed(format!("the table {place} cannot be read: {reason}"))
            .remedy(format!("put it back from a copy; or move {place} away, and {}", self.made_anew()))
    }

    /// That it is not there any more.
    pub(super) fn is_gone(&self) -> Error {
        let place = self.location().name();
        let place = place.trim_end_matches('/');
        Error::failed(format!("the table {place} is gone: runs say that they wrote into it"))
            .remedy(format!("put it back from a copy; or {}", self.made_anew()))
    }

    /// What to do about columns that are not those of the table.
    pub(super) fn made_by_another(&self) -> String {
        let place = self.location().name();
        let place = place.trim_end_matches('/');
        format!("something else wrote this table: move {place} away, and {}", self.made_anew())
    }

    /// Whether people write it, and no run.
    pub(super) const fn is_said(&self) -> bool {
        matches!(self.table(), Table::Exceptions | Table::Triage | Table::Resets)
    }

    const fn made_anew(&self) -> &'static str {
        match self.table() {
            Table::Runs => "the next `wardflow analyze` begins it anew: what it held of earlier runs is lost",
            Table::Exceptions => "the next `wardflow except add` begins it anew: what people said before is lost",
            Table::Triage => "the next `wardflow triage` begins it anew: what people said before is lost",
            Table::Resets => "the next `wardflow baseline reset` begins it anew: what people said before is lost",
            _ => "`wardflow analyze --rerun` makes it anew from the archive",
        }
    }
}

/// Errors of the engine come with where in the program they arose, and with whole lists of files.
fn first_line(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

/// A table's log.
struct Log {
    /// The first version that the last checkpoint does not stand for.
    first: u64,
    entries: BTreeMap<u64, ObjectMeta>,
}

impl Log {
    async fn of(table: &Location) -> object_store::Result<Self> {
        let place = table.path.clone().join("_delta_log");
        let objects: Vec<ObjectMeta> = table.store.list(Some(&place)).try_collect().await?;
        let mut log = Self { first: 0, entries: BTreeMap::new() };
        for object in objects {
            let name = object.location.filename().unwrap_or_default();
            let Some((version, kind)) = name.split_once('.') else { continue };
            let Ok(version) = version.parse::<u64>() else { continue };
            if kind == "json" {
                log.entries.insert(version, object);
            } else if kind.starts_with("checkpoint") {
                log.first = log.first.max(version + 1);
            }
        }
        Ok(log)
    }
}

fn is_what(version: u64, what: &str) -> String {
    format!("_delta_log/{version:020}.json is {what}")
}

/// The first entry of a table's log that is damaged or missing, of those that its last checkpoint does not stand for.
async fn of_log(table: &Location) -> object_store::Result<Option<String>> {
    let Log { first, entries } = Log::of(table).await?;
    let Some(last) = entries.last_key_value().map(|(last, _)| *last) else {
        return Ok((first == 0).then(|| "its log, _delta_log, has no entry".to_owned()));
    };
    let mut read = futures::stream::iter(first..=last)
        .map(|version| {
            let entry = entries.get(&version);
            async move {
                let Some(place) = entry else { return Ok((version, None)) };
                let bytes = table.store.get(&place.location).await?.bytes().await?;
                Ok::<_, object_store::Error>((version, Some(bytes)))
            }
        })
        .buffered(8);
    while let Some((version, bytes)) = read.try_next().await? {
        let what = match bytes {
            None => "missing",
            Some(bytes) if !is_entry(&bytes) => "damaged",
            Some(_) => continue,
        };
        return Ok(Some(is_what(version, what)));
    }
    Ok(None)
}

/// Whether bytes are an entry of a log: JSON objects, a line each.
fn is_entry(bytes: &[u8]) -> bool {
    let mut objects = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>().peekable();
    objects.peek().is_some() && objects.all(|object| object.is_ok_and(|object| object.is_object()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::lake::{
        Table,
        commit::tests::{lake, slice},
    };

    /// Damages the log of the findings, and reads it.
    async fn check(damage: impl Fn(&std::path::Path), expected: &str) {
        let directory = tempfile::tempdir().unwrap();
        let before = lake(directory.path());
        for number in 1..4 {
            before.commit_slice(slice(number, &[("pump", "loud")])).await.unwrap();
        }
        damage(&directory.path().join("the lake/findings/_delta_log"));
        let error = lake(directory.path()).table(Table::Findings).await.unwrap_err();
        let (text, remedy) = (error.reason(), error.remedy_text().unwrap());
        assert!(text.contains(expected) && !text.contains('\n') && text.contains("the lake/findings"), "{text}");
        assert!(remedy.contains("the lake/findings away, and `wardflow analyze --rerun`"), "{remedy}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn names_the_entry_of_the_log() {
        let (first, second) = ("00000000000000000001.json", "00000000000000000002.json");
        check(
            |log| fs::write(log.join(second), [0xff; 400]).unwrap(),
            "_delta_log/00000000000000000002.json is damaged",
        )
        .await;
        let cut = |log: &std::path::Path| {
            let whole = fs::read(log.join(first)).unwrap();
            fs::write(log.join(first), &whole[..whole.len() / 2]).unwrap();
        };
        check(cut, "_delta_log/00000000000000000001.json is damaged").await;
        check(|log| fs::remove_file(log.join(first)).unwrap(), "_delta_log/00000000000000000001.json is missing").await;
        let empty = |log: &std::path::Path| {
            for entry in fs::read_dir(log).unwrap() {
                fs::write(entry.unwrap().path(), "").unwrap();
            }
        };
        check(empty, "_delta_log/00000000000000000000.json is damaged").await;
    }
}
