//! A data set: records of one template.

use std::sync::Arc;

use super::template::Template;

/// Bytes at the end of a set that are padding whatever they are, since sets are aligned to four (RFC 3954, 5.3).
pub(super) const MOST_PADDING: usize = 3;

/// What the records of a set have from its datagram.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    /// When it was sent, microseconds UTC.
    pub(super) export: i64,
    /// The exporter's uptime then, in milliseconds; IPFIX does not say.
    pub(super) uptime: Option<u32>,
    /// Version 5: one packet in so many was seen, if it says.
    pub(super) sampling: Option<u32>,
    /// The number of the domain.
    pub(super) domain: usize,
    /// Where the datagram begins in the input.
    pub(super) place: u64,
}

/// The set that is being read.
#[derive(Debug, Default)]
pub(super) struct DataSet {
    pub(super) template: Option<Arc<Template>>,
    pub(super) context: Context,
    pub(super) bytes: Vec<u8>,
    /// Where the next record begins.
    pub(super) at: usize,
    /// Records that were read.
    pub(super) records: u32,
    /// Whether it waited for its template, and its datagram is long past.
    pub(super) is_late: bool,
}

impl DataSet {
    /// Begins with bytes that are there already.
    pub(super) fn begin(&mut self, template: Arc<Template>, context: Context, is_late: bool) {
        (self.template, self.context, self.is_late) = (Some(template), context, is_late);
        (self.at, self.records) = (0, 0);
    }

    /// What is left of it.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }
}

/// Whether a rest that is too short for a record is no record that was cut off.
pub(super) fn is_padding(rest: &[u8]) -> bool {
    rest.len() <= MOST_PADDING || rest.iter().all(|byte| *byte == 0)
}
