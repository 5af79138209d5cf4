//! A whole content, read from memory by the reader of its format: for those who try readers with contents that nobody would
//! write.

use std::{path::Path, sync::Arc};

use jiff::tz::TimeZone;

use super::{
    content::HEAD,
    format::{Format, Opening},
    nfdump::Nfdump,
    reader::{Reader, Record},
    zeek::Names,
};
use crate::{error::Result, mapping::Mapping};

/// How many records of each sort a content has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Flows, and parts of flows.
    pub flows: u64,
    /// Connections that had not ended.
    pub open: u64,
    /// What is no flow and tells of addresses, sensors or hosts.
    pub asides: u64,
    /// Records of other kinds.
    pub others: u64,
    /// What could not be read.
    pub rejects: u64,
    /// Whether it broke off.
    pub is_broken: bool,
}

/// Reads a content to its end, as ingesting it does, and keeps nothing. It calls no program: for [`Format::Nfdump`] and
/// [`Format::Pcap`] the content is what `nfdump` writes for its reader.
///
/// # Errors
/// Those for which a source is refused: it is not of the format, or has no mapping and needs one.
pub fn read_all(format: Format, mut content: &[u8], mapping: Option<Arc<Mapping>>) -> Result<Held> {
    let head = &content[..content.len().min(HEAD)];
    if matches!(format, Format::Nfdump | Format::Pcap) {
        return held(&mut Nfdump::of_records(content));
    }
    let opening = Opening {
        path: Path::new("conn.log"),
        head,
        scratch: Path::new(""),
        sensor: None,
        mapping,
        zone: TimeZone::UTC,
        names: Names::default(),
    };
    held(opening.open(format, &mut content)?.as_mut())
}

fn held(reader: &mut dyn Reader) -> Result<Held> {
    let mut held = Held::default();
    let mut bytes = Vec::new();
    while let Some(record) = reader.next()? {
        match record {
            Record::Flow(flow) | Record::Part(flow) => {
                // Looks at every value.
                flow.digest(&mut bytes);
                held.flows += 1;
            }
            Record::Open(_) => held.open += 1,
            Record::Aside(_) => held.asides += 1,
            Record::Other(_) => held.others += 1,
            Record::Reject(_) => held.rejects += 1,
        }
        // What a reject shows of it.
        let _ = (reader.place(), reader.raw().len());
    }
    held.is_broken = reader.is_broken();
    Ok(held)
}
