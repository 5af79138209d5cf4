//! Files, ingested into an archive of their own.

use std::{path::Path, sync::Arc};

use wardflow::{
    archive::{Archive, Format, IngestOptions, SourceStatus, ingest},
    mapping::Mapping,
};

use crate::Result;

/// Ingests what is in a case's directory, and says what became of it. `is_told` is whether its format is said.
///
/// # Errors
/// The archive cannot be made.
pub(super) async fn ingested(place: &Path, format: Format, is_told: bool) -> Result<String> {
    let archive = Archive::open("archive", place)?;
    let lock = archive.lock()?;
    let mapping = match format {
        Format::Csv => Some(Arc::new(Mapping::find("aws-vpc", place)?)),
        _ => None,
    };
    let options = IngestOptions { format: is_told.then_some(format), mapping, ..IngestOptions::default() };
    let report = match ingest(&lock, &[place.join("in").display().to_string()], None, &options).await {
        Ok(report) if report.broken_off.is_none() => report,
        _ => return Ok("broken off".to_owned()),
    };
    let is = |wanted: fn(&SourceStatus) -> bool| report.sources.iter().any(|source| wanted(&source.status));
    let is_rejecting = report.sources.iter().any(|source| source.counts.rejects > 0);
    Ok(match () {
        () if is(|status| matches!(status, SourceStatus::Refused(_))) => "refused",
        () if is(|status| matches!(status, SourceStatus::Added)) && is_rejecting => "added with rejects",
        () if is(|status| matches!(status, SourceStatus::Added)) => "added",
        () => "passed over",
    }
    .to_owned())
}
