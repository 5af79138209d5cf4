//! How to ingest.

use std::{fmt, sync::Arc};

use jiff::tz::TimeZone;

use super::{max_rejects::MaxRejects, report::OnProgress};
use crate::{
    archive::{Asked, SourceEntry, format::Format},
    detector::Stop,
    mapping::Mapping,
    zone::AddressSpace,
};

/// How to ingest.
#[derive(Clone)]
pub struct IngestOptions {
    /// What the sources are; absent to tell by their content.
    pub format: Option<Format>,
    /// The name for the column `sensor`; without one, what the sources say.
    pub sensor: Option<String>,
    /// The hospital's own networks, by which row groups are laid out.
    pub space: AddressSpace,
    /// Which column is what, for delimited text.
    pub mapping: Option<Arc<Mapping>>,
    /// For times without an offset.
    pub timezone: TimeZone,
    /// One packet of so many was sampled, where the records do not say it themselves.
    pub sampling: Option<u32>,
    /// When captures began whose times count from their beginning, microseconds UTC.
    pub start: Option<i64>,
    /// Just so many of their first bytes, decompressed, as if no more had been written yet.
    pub first: Option<u64>,
    /// Whether what was ingested before is read anew, and replaces what it gave then.
    pub again: bool,
    /// Rejects from which on a source is refused; absent for any number.
    pub max_rejects: Option<MaxRejects>,
    /// Asks for an end: what is being read then is dropped.
    pub stop: Stop,
    /// Called a few times a second while a source is read, and once when it is done.
    pub progress: Option<OnProgress>,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            format: None,
            sensor: None,
            space: AddressSpace::default(),
            mapping: None,
            timezone: TimeZone::UTC,
            sampling: None,
            start: None,
            first: None,
            again: false,
            max_rejects: None,
            stop: Stop::default(),
            progress: None,
        }
    }
}

impl fmt::Debug for IngestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestOptions")
            .field("format", &self.format)
            .field("sensor", &self.sensor)
            .finish_non_exhaustive()
    }
}

/// What to tell of a source that is there and was to be read with other options.
pub(super) const UNCHANGED: &str =
    "it stays as it was read then; --again reads it anew, with the options that are given now";

impl IngestOptions {
    /// How a source of a format is asked to be read.
    pub(super) fn asked(&self, format: Format) -> Asked {
        let timezone = self.timezone.iana_name().filter(|name| format.has_local_times() && *name != "UTC");
        Asked {
            sensor: self.sensor.clone(),
            mapping: self.mapping.as_ref().map(|mapping| mapping.name()),
            timezone: timezone.map(ToOwned::to_owned),
            sampling: self.sampling,
            start: self.start,
        }
    }

    /// Whether something is asked for that a source was not read with. What is not said now may be as it was.
    pub(super) fn other_than(&self, entry: &SourceEntry) -> bool {
        let Some(then) = entry.known_format() else { return false };
        let (now, before) = (self.asked(then), &entry.asked);
        self.format.is_some_and(|format| format != then)
            || (now.sensor.is_some() && now.sensor != before.sensor)
            || (now.mapping.is_some() && now.mapping != before.mapping)
            || (now.sampling.is_some() && now.sampling != before.sampling)
            || (now.start.is_some() && now.start != before.start)
            || now.timezone != before.timezone
    }
}
