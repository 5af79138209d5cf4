//! How to ingest.

use std::{fmt, sync::Arc};

use jiff::tz::TimeZone;

use super::{max_rejects::MaxRejects, report::OnProgress};
use crate::{
    archive::{SourceEntry, format::Format},
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
    /// Whether what was ingested before is read anew, and replaces what it gave then.
    pub again: bool,
    /// Rejects from which on a source is refused; absent for any number.
    pub max_rejects: Option<MaxRejects>,
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
            again: false,
            max_rejects: None,
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
    /// Whether something is asked for that a source may not have been read with.
    pub(super) fn other_than(&self, entry: &SourceEntry) -> bool {
        let format = self.format.map(Format::name);
        let is_other_format = format.is_some_and(|format| entry.format.as_deref().is_some_and(|then| then != format));
        is_other_format
            || (self.sensor.is_some() && self.sensor != entry.sensor)
            || self.start.is_some()
            || self.sampling.is_some()
            || self.mapping.is_some()
    }
}
