//! Delimited text, made into flows by a mapping: whatever a firewall, a collector or a cloud exports as lines.
//!
//! Records are read in batches of columns of text, over which the mapping's expressions are evaluated. A record that
//! they fail for is rejected alone, with its line as it stands. Names in a header count in lower case, with `_` for
//! every character that is no letter and no digit, so that they need no quotes in SQL. A header that comes again, as
//! where files were put together, is passed over. A last line that has no end is a reject if the mapping reads its last
//! value, which may be cut off: it is read again once the file goes on, if only by a line end. So is a record that is cut off
//! in a quoted field of several lines.
//!
//! Text that is read as a time and says no offset is of the workspace's `timezone`, or of `--timezone`: in `to_timestamp`
//! and its like, in `CAST`, or as it is; what stands before `AT TIME ZONE` is of that zone. A time that clocks show twice
//! when summer ends is the first of the two, but for an end that would be before its start then; one that they leap over when
//! it begins counts on from before. Numbers count from 1970 on, and are of no zone.

mod batch;
mod clocks;
mod fields;
mod flows;
mod made;
mod records;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, io::Read, sync::Arc};

use arrow::{
    array::timezone::Tz,
    datatypes::{DataType, Field, Schema},
};
use jiff::tz::TimeZone;

use self::{
    batch::{Batch, Maker},
    records::{Records, Step},
};
pub(super) use self::{
    flows::Flows,
    made::{Made, Row},
};
use super::reader::{Place, Reader, Record, Reject};
use crate::{
    error::{Error, Result},
    mapping::Mapping,
};

/// The name by which records are counted that the mapping's `where` leaves out.
const UNWANTED: &str = "left out by the mapping";

/// Reads flows from delimited text.
pub(super) struct Delimited<R> {
    records: Records<R>,
    mapping: Arc<Mapping>,
    sensor: Option<String>,
    /// Of which times are that say no offset.
    zone: TimeZone,
    /// What makes the flows, once the columns are known.
    maker: Option<Maker>,
    header: Option<Vec<u8>>,
    batch: Batch,
    /// The next of the batch.
    next: usize,
    place: u64,
}

impl<R: Read> Delimited<R> {
    /// A reader of decompressed content. `sensor` is the name for the column of that name, in place of what the mapping
    /// says, and `zone` that of times that say no offset.
    pub(super) fn new(input: R, mapping: Arc<Mapping>, sensor: Option<String>, zone: TimeZone) -> Self {
        let source = &mapping.source;
        Self {
            records: Records::new(input, source.delimiter, source.comment),
            mapping,
            sensor,
            zone,
            maker: None,
            header: None,
            batch: Batch::default(),
            next: 0,
            place: 0,
        }
    }

    /// Finds the columns, and holds the mapping against them; none if there is not even a header.
    fn begin(&mut self) -> Result<Option<Maker>> {
        let source = &self.mapping.source;
        let mut names = source.columns.clone();
        if source.header {
            match self.records.advance()? {
                Step::Record => self.header = Some(self.records.text().to_vec()),
                Step::End => return Ok(None),
                Step::Malformed(reason) => {
                    return Err(Error::usage(format!("its header cannot be read: {reason}")));
                }
            }
            if names.is_empty() {
                let text = self.records.text();
                names = self.records.fields().iter().map(|field| plain(&field.lossy(text))).collect();
            }
        }
        let fields = unique(names).into_iter().map(|name| Field::new(name, DataType::Utf8View, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let fit = self.mapping.fit(schema).map_err(|misfit| self.mapping.error(&misfit, "the columns of the text"))?;
        let zone = match self.zone.iana_name() {
            None | Some("UTC") => None,
            Some(zone) if zone.parse::<Tz>().is_ok() => Some(self.zone.clone()),
            Some(zone) => {
                return Err(Error::usage(format!("times of the zone {zone} cannot be read from text in columns"))
                    .remedy("name another zone of the same hours, or say it in the mapping: AT TIME ZONE '+02:00'"));
            }
        };
        Maker::new(&fit, source, zone).map(Some)
    }
}

impl<R: Read> Reader for Delimited<R> {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        if self.next >= self.batch.rows() {
            if self.maker.is_none() {
                self.maker = self.begin()?;
            }
            let Some(maker) = &self.maker else { return Ok(None) };
            self.batch = maker.read(&mut self.records, self.header.as_deref())?;
            self.next = 0;
            if self.batch.rows() == 0 {
                return Ok(None);
            }
        }
        let row = self.next;
        self.next += 1;
        self.place = self.batch.number(row);
        Ok(Some(match self.batch.row(row, self.sensor.as_deref()) {
            Row::Flow(flow) if self.mapping.source.parts => Record::Part(flow),
            Row::Flow(flow) => Record::Flow(flow),
            Row::Unwanted => Record::Other(UNWANTED),
            Row::Reject(reason) => {
                Record::Reject(Reject { place: Place::Line(self.place), reason, raw: self.batch.text(row) })
            }
        }))
    }

    fn place(&self) -> Place {
        Place::Line(self.place)
    }

    fn raw(&self) -> &[u8] {
        self.next.checked_sub(1).map_or(&[], |last| self.batch.text(last))
    }

    fn is_broken(&self) -> bool {
        self.records.is_broken()
    }
}

/// A name as SQL has it without quotes.
fn plain(name: &str) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    name.trim().chars().map(plain).collect()
}

/// Names, each once: the second `bytes` becomes `bytes_2`.
fn unique(names: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let once = |name: String| {
        let mut numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut candidate = name.clone();
        while !seen.insert(candidate.clone()) {
            candidate = numbered.next().unwrap_or_default();
        }
        candidate
    };
    names.into_iter().map(once).collect()
}
