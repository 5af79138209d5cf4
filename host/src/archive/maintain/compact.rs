//! `wardflow archive compact`: few large files in place of the many small ones that following and hourly logs leave.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    OnStep, Replaces, Steps, compact_tables, date_of, flow_rows::FlowRows, holdings::Holdings, leftovers, read_back,
    replaces::COMPACT,
};
use crate::{
    archive::{
        ArchiveFile, ArchiveLock, ArchiveWriter, ROW_GROUP_ROWS, SourceEntry,
        carried::Line,
        chains::Chains,
        files::Survey,
        hours::{self, Hours},
        ingest::Failure,
    },
    error::{Context, Error, Result},
    zone::AddressSpace,
};

/// Small files that are worth it: fewer are few enough.
pub(super) const FEWEST: usize = 4;

/// How long a capture may grow, microseconds: a week. A grown one replaces what it was, and that must lie in files of
/// its own.
const GROWTH: i64 = 7 * 24 * hours::HOUR;

/// What became fewer files.
#[derive(Debug, Default, Serialize)]
pub struct CompactReport {
    /// The new files, of flows and of tables beside them.
    pub compacted: Vec<Compacted>,
    /// Dates and tables that stay as they are, since something is wrong with them.
    pub refused: Vec<Refused>,
    /// Captures that stay in files of their own, since they may grow.
    pub growing: u64,
    /// Sources that stay in files of their own, since flows of them are missing.
    pub incomplete: u64,
}

/// A file that took the place of others.
#[derive(Debug, Serialize)]
pub struct Compacted {
    /// Its path in the archive.
    pub file: String,
    /// The files that it replaces.
    pub replaces: u64,
    /// Its rows.
    pub rows: u64,
    /// Size of the files that it replaces.
    pub bytes_before: u64,
    /// Its size.
    pub bytes: u64,
}

/// A date or a table that stays as it is.
#[derive(Debug, Serialize)]
pub struct Refused {
    /// Its directory in the archive.
    pub place: String,
    /// Why.
    pub reason: String,
    /// What to do.
    pub remedy: Option<String>,
}

/// Merges the small flow files of each date into one, laid out by the hospital's own networks, and the small files of
/// each table beside the flows into one a month, where there are at least four.
///
/// The new file is read back and compared with the digests of the old ones before it takes their place, which it does
/// in one moment: whenever the process is killed, a reader sees every flow once.
///
/// # Errors
/// The archive cannot be read or written. Dates that were compacted before stay so.
pub async fn compact(lock: &ArchiveLock, space: &AddressSpace, on_step: OnStep<'_>) -> Result<CompactReport> {
    let archive = lock.archive();
    leftovers::clear(archive).await?;
    let entries = archive.sources().await?;
    let survey = archive.survey().await?;
    let expired = archive.expired().await?;
    let holdings = Holdings::new(&survey, &expired, |_| true);
    let now = Timestamp::now().as_microsecond();
    let mut report = CompactReport::default();
    let mut apart = BTreeSet::new();
    let mut incomplete = Vec::new();
    let chains = Chains::new(&entries);
    for entry in &entries {
        let is_growing = may_grow(entry, now);
        let is_incomplete = !holdings.is_whole(entry) || chains.missing_before(entry).next().is_some();
        report.growing += u64::from(is_growing);
        report.incomplete += u64::from(is_incomplete);
        if is_growing {
            apart.extend(entry.paths());
        }
        if is_incomplete {
            apart.extend(entry.paths());
            incomplete.extend(line(entry));
        }
    }
    // What may go on in it, or from it, is read anew together with it: of what is compacted, nothing can be.
    let goes_along = |entry: &&SourceEntry| line(entry).is_some_and(|line| incomplete.contains(&line));
    apart.extend(entries.iter().filter(goes_along).flat_map(SourceEntry::paths));
    let dates = small_files(&survey, &apart);
    let mut steps = Steps::new(dates.values().flatten().map(|file| file.object.size).sum(), on_step);
    for (date, files) in dates {
        match compact_date(lock, space, date, files, &survey, &mut steps).await {
            Ok(compacted) => report.compacted.push(compacted),
            Err(Failure::Source(error)) => report.refused.push(Refused::of(date, &error)),
            Err(Failure::Archive(error)) => return Err(error),
        }
    }
    compact_tables::compact(archive, &entries, &apart, &mut report).await?;
    Ok(report)
}

/// Where a source follows others.
fn line(entry: &SourceEntry) -> Option<Line> {
    Some(Line::of(entry.known_format()?, entry.path.as_deref()))
}

/// Whether a source is a capture that may yet grow.
fn may_grow(entry: &SourceEntry, now: i64) -> bool {
    entry.known_format().is_some_and(|format| !format.goes_on()) && now.saturating_sub(entry.ingested_at) < GROWTH
}

/// By date, where there are enough of them, in order of time.
fn small_files<'a>(survey: &'a Survey, apart: &BTreeSet<String>) -> BTreeMap<&'a str, Vec<&'a ArchiveFile>> {
    let mut dates: BTreeMap<&str, Vec<&ArchiveFile>> = BTreeMap::new();
    for file in &survey.listing.files {
        let is_small = file.rows < ROW_GROUP_ROWS as u64;
        if let Some(date) = date_of(&file.path)
            && is_small
            && !file.foreign
            && !apart.contains(&file.path)
        {
            dates.entry(date).or_default().push(file);
        }
    }
    dates.retain(|_, files| files.len() >= FEWEST);
    for files in dates.values_mut() {
        files.sort_by(|a, b| (a.span(), &a.path).cmp(&(b.span(), &b.path)));
    }
    dates
}

async fn compact_date(
    lock: &ArchiveLock,
    space: &AddressSpace,
    date: &str,
    files: Vec<&ArchiveFile>,
    survey: &Survey,
    steps: &mut Steps<'_>,
) -> Result<Compacted, Failure> {
    let archive = lock.archive();
    let (mut replaces, mut expected, mut digest) = (Replaces::default(), Hours::default(), blake3::Hasher::new());
    for file in &files {
        replaces.add(&file.path, file.rows, survey.replaces.get(&file.path));
        file.hours.iter().for_each(|hour| expected.add_hour(*hour));
        let hours = hours::to_json(&file.hours).context(|| format!("naming what replaces {}", file.path))?;
        digest.update(file.path.as_bytes()).update(hours.as_bytes());
    }
    let name = format!("{COMPACT}{}", &digest.finalize().to_hex()[..16]);
    let mut writer = ArchiveWriter::replacing(lock, space.clone(), replaces.footer()?)?;
    let mut rows = FlowRows::default();
    for file in &files {
        let read = read_back::batches(archive.store().as_ref(), &file.object, read_back::Texts::AsViews, |batch| {
            rows.each(batch, |flow| writer.push(flow).map_err(Failure::Archive))
        });
        read.await.map_err(|failure| in_file(&file.path, failure))?;
        steps.add(file.object.size, file.rows);
    }
    let staged = tokio::task::spawn_blocking(move || writer.stage());
    let staged = staged.await.context(|| format!("compacting {date}"))??;
    let path: PathBuf = match staged.only() {
        Some((of, path)) if format!("date={of}") == date => path.to_owned(),
        _ => return Err(Failure::Source(differs("it has flows of another date, and files are of one"))),
    };
    let (store, object) = read_back::staged(&path).await?;
    if !read_back::is_same(&read_back::hours(&store, &object).await?, &expected.list()) {
        return Err(Failure::Source(differs("its flows do not have the digests that its footers have")));
    }
    let file = format!("{date}/{name}-0.parquet");
    archive.begin_replacing(&file).await?;
    let written = staged.publish(None, &name).await?;
    archive.end_replacing(&file, files.iter().map(|file| file.path.as_str())).await?;
    let bytes_before = files.iter().map(|file| file.object.size).sum();
    Ok(Compacted { file, replaces: files.len() as u64, rows: written.rows, bytes_before, bytes: written.bytes })
}

const CHECK: &str = "run `wardflow archive check`, which says which file it is";

fn differs(rule: &str) -> Error {
    Error::failed(rule).remedy(CHECK)
}

pub(super) fn in_file(path: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Source(error) => {
            Failure::Source(Error::failed(format!("{path} cannot be read back")).because(error).remedy(CHECK))
        }
        archive => archive,
    }
}

impl Refused {
    pub(super) fn of(place: &str, error: &Error) -> Self {
        Self { place: place.to_owned(), reason: error.reason(), remedy: error.remedy_text().map(ToOwned::to_owned) }
    }
}
