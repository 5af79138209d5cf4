//! `wardflow archive expire`: what is old goes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    holdings::Holdings,
    leftovers,
    records::Records,
    tables::{owners, tables},
};
use crate::{
    archive::{Archive, ArchiveFile, ArchiveLock, SourceEntry, files::Survey, footer, hours::HOUR, metadata::metadata},
    error::{Context, Result},
};

/// What expired, or would.
#[derive(Debug, Default, Serialize)]
pub struct ExpireReport {
    /// Flow files that are deleted.
    pub files: Vec<Expired>,
    /// Files of tables beside the flows that are deleted: those of sources that have no flows left.
    pub tables: Vec<Expired>,
    /// Files that stay though some of their flows are old, since others are not.
    pub reaching: u64,
    /// Flows in the hours of them that began before.
    pub flows_reaching: u64,
    /// Old files of other programs, which stay.
    pub foreign: Vec<String>,
}

/// A file that is deleted.
#[derive(Debug, Serialize)]
pub struct Expired {
    /// Its path in the archive.
    pub file: String,
    /// Its flows; of a table none.
    pub flows: u64,
    /// Its size.
    pub bytes: u64,
}

/// Deletes the flow files all of whose flows ended before a time, and the tables beside the flows of sources that have
/// no flows left. Whole files go, or none of them. That they expired is recorded first, so that their sources count as
/// there.
///
/// # Errors
/// The archive cannot be read or written. Done again, it goes on.
pub async fn expire(lock: &ArchiveLock, before: Timestamp) -> Result<ExpireReport> {
    let archive = lock.archive();
    leftovers::clear(archive).await?;
    let (report, gone) = look(archive, before).await?;
    archive.record_expired(&gone).await?;
    archive.delete_all(report.files.iter().chain(&report.tables).map(|expired| expired.file.as_str())).await?;
    Ok(report)
}

/// What [`expire`] would delete. Nothing is written, so that an archive that can only be read is looked at too.
///
/// # Errors
/// The archive cannot be read, or another process writes into it.
pub async fn would_expire(archive: &Archive, before: Timestamp) -> Result<ExpireReport> {
    let _lock = archive.read_lock()?;
    Ok(look(archive, before).await?.0)
}

/// What is old, and how many flows each file of a source loses with it.
async fn look(archive: &Archive, before: Timestamp) -> Result<(ExpireReport, BTreeMap<String, u64>)> {
    let survey = archive.survey().await?;
    let before = before.as_microsecond();
    let mut report = ExpireReport::default();
    let mut gone: BTreeMap<String, u64> = BTreeMap::new();
    for file in &survey.listing.files {
        let ends = ends(archive, file, before).await?;
        if ends == Ends::Before && file.foreign {
            report.foreign.push(file.path.clone());
        } else if ends == Ends::Before {
            match survey.replaces.get(&file.path) {
                Some(replaces) => gone.extend(replaces.of_sources().map(|(file, rows)| (file.to_owned(), rows))),
                None => _ = gone.insert(file.path.clone(), file.rows),
            }
            report.files.push(Expired { file: file.path.clone(), flows: file.rows, bytes: file.object.size });
        } else if ends == Ends::Across {
            report.reaching += 1;
            let old = file.hours.iter().filter(|hour| hour.hour * HOUR < before);
            report.flows_reaching += old.map(|hour| hour.rows).sum::<u64>();
        }
    }
    let records = Records::read(archive).await?;
    let tables = old_tables(archive, &records, &survey, &report.files, before).await?;
    for (file, of_sources) in tables {
        gone.extend(of_sources.into_iter().map(|file| (file, 0)));
        report.tables.push(file);
    }
    Ok((report, gone))
}

/// When a file's flows ended, seen from a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Before,
    Across,
    After,
}

/// Hours tell it of nearly every file; of one that ends in the hour of that time, the statistics of its footer.
async fn ends(archive: &Archive, file: &ArchiveFile, before: i64) -> Result<Ends> {
    let Some((first, end)) = file.span() else { return Ok(Ends::After) };
    if first >= before {
        return Ok(Ends::After);
    }
    let is_before = if end <= before {
        true
    } else if end - HOUR < before {
        let footer = metadata(archive.store().as_ref(), &file.object).await;
        let footer = footer.context(|| format!("{} of the archive cannot be read", file.path))?;
        footer::last_end(&footer).is_some_and(|last| last < before)
    } else {
        false
    };
    Ok(if is_before { Ends::Before } else { Ends::Across })
}

/// Files of tables whose sources have no flows left, each with the files of sources that it stands for.
async fn old_tables(
    archive: &Archive,
    records: &Records,
    survey: &Survey,
    expired: &[Expired],
    before: i64,
) -> Result<Vec<(Expired, Vec<String>)>> {
    let expired: BTreeSet<&str> = expired.iter().map(|expired| expired.file.as_str()).collect();
    let left = Holdings::new(survey, &records.expired, |file| !expired.contains(file));
    let waiting: BTreeSet<&str> = records.carried.iter().map(|carried| carried.source.as_str()).collect();
    // What never had flows is as old as its ingest at least.
    let is_over = |source: &SourceEntry| {
        let is_old = if source.files.is_empty() { source.ingested_at < before } else { !left.has_flows(source) };
        is_old && !waiting.contains(source.digest.as_str())
    };
    let owners = owners(&records.entries);
    let mut old = Vec::new();
    for table in tables() {
        let beside = archive.beside(&table.directory).await?;
        for object in &beside.files {
            let file = archive.file(&object.location).to_owned();
            let of_sources: Vec<String> = match beside.replaces.get(&file) {
                Some(replaces) => replaces.of_sources().map(|(file, _)| file.to_owned()).collect(),
                None => vec![file.clone()],
            };
            let has_owner = of_sources.iter().any(|file| owners.contains_key(file));
            if has_owner && of_sources.iter().all(|file| owners.get(file).is_none_or(|&source| is_over(source))) {
                old.push((Expired { file, flows: 0, bytes: object.size }, of_sources));
            }
        }
    }
    Ok(old)
}
