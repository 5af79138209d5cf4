//! What has expired, `_wardflow/expired/<directory>.json`: paths as the ledger has them, with their rows. Their sources
//! count as there, so that old logs are not read in again.

use std::collections::BTreeMap;

use crate::{
    archive::{Archive, OWN_DIRECTORY},
    error::{Context, Result},
};

impl Archive {
    /// Rows of a file that has expired.
    pub(in crate::archive) async fn expired_rows(&self, file: &str) -> Result<Option<u64>> {
        Ok(self.record_of_expired(&path(file)).await?.get(file).copied())
    }

    /// Everything that has expired.
    pub(super) async fn expired(&self) -> Result<BTreeMap<String, u64>> {
        let mut all = BTreeMap::new();
        for object in self.objects(Some(&directory())).await? {
            all.extend(self.record_of_expired(self.file(&object.location)).await?);
        }
        Ok(all)
    }

    /// Records files that are about to be deleted, with their rows.
    pub(super) async fn record_expired(&self, files: &BTreeMap<String, u64>) -> Result<()> {
        let mut records: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for (file, rows) in files {
            records.entry(path(file)).or_default().insert(file.clone(), *rows);
        }
        for (record, new) in records {
            let mut all = self.record_of_expired(&record).await?;
            all.extend(new);
            let json = serde_json::to_vec_pretty(&all).context(|| format!("writing {record}"))?;
            self.put(&record, json).await?;
        }
        Ok(())
    }

    async fn record_of_expired(&self, record: &str) -> Result<BTreeMap<String, u64>> {
        let json = self.get(record).await?;
        json.map_or_else(|| Ok(BTreeMap::new()), |json| parse(&json).context(|| unreadable(record)))
    }
}

pub(super) fn parse(json: &[u8]) -> serde_json::Result<BTreeMap<String, u64>> {
    serde_json::from_slice(json)
}

fn unreadable(record: &str) -> String {
    format!("{record}, which says what has expired, cannot be read; `wardflow archive check --repair` moves it away")
}

pub(super) fn directory() -> String {
    format!("{OWN_DIRECTORY}/expired")
}

fn path(file: &str) -> String {
    let name = file.rsplit('/').nth(1).unwrap_or_default();
    format!("{}/{name}.json", directory())
}
