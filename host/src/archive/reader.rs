//! The seam of the foreign formats: a reader gives records, one after the other, whatever the format.

use super::{aside::Aside, record::FlowRecord};
use crate::error::Result;

/// Reads one format. It knows no archive: what becomes of a record is not its business.
pub trait Reader {
    /// The next record; none at the end.
    ///
    /// # Errors
    /// The input cannot be read, or is not of the format.
    fn next(&mut self) -> Result<Option<Record<'_>>>;

    /// Where the last record stands.
    fn place(&self) -> Place;

    /// Its bytes, or their beginning; empty where the format has none to show.
    fn raw(&self) -> &[u8] {
        &[]
    }

    /// Whether the input broke off in the midst, as a damaged compressed file does.
    fn is_broken(&self) -> bool;
}

/// What a reader gives.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly every record is a flow, lent for a moment and never stored")]
pub enum Record<'a> {
    /// A flow, whole.
    Flow(FlowRecord<'a>),
    /// A flow, or what an exporter saw of one: of one direction, or up to a timeout. It waits for the rest.
    Part(FlowRecord<'a>),
    /// A connection that has not ended, with its counts so far.
    Open(FlowRecord<'a>),
    /// What is no flow and tells of addresses, sensors or hosts.
    Aside(Aside),
    /// A record of another kind, by the name of that; it is counted.
    Other(&'a str),
    /// What could not be read.
    Reject(Reject<'a>),
}

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject<'a> {
    /// Where it stands in the source.
    pub place: Place,
    /// The rule that it breaks, and its value.
    pub reason: String,
    /// Its bytes, or their beginning.
    pub raw: &'a [u8],
}

/// Where a record stands in its source, decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The number of its line, from one.
    Line(u64),
    /// The position of its first byte, from zero.
    Offset(u64),
}
