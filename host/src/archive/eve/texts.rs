//! The text of an event, kept so that it can be lent: the line may have it with escapes, or as a number.

use std::fmt::Write as _;

use super::event::Event;
use crate::archive::record::FlowRecord;

/// The texts of the last event; those that it has not are empty.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) kind: String,
    pub(super) flow_uid: String,
    pub(super) sensor: String,
    /// The name that earlier events had for the flow.
    pub(super) dst_name: Option<Box<str>>,
    service: String,
    community_id: String,
}

impl Texts {
    /// Keeps those of an event. `sensor` counts before what the event has.
    pub(super) fn keep(&mut self, event: &Event<'_>, sensor: Option<&str>) {
        put(&mut self.kind, event.event_type.text());
        put(&mut self.sensor, sensor.or_else(|| event.sensor()));
        put(&mut self.service, event.app_proto.text().filter(|name| !matches!(*name, "failed" | "unknown")));
        self.service.make_ascii_lowercase();
        put(&mut self.community_id, event.community_id.text());
        self.flow_uid.clear();
        let _ = write!(self.flow_uid, "{}", event.flow_id);
        self.dst_name = None;
    }

    /// A flow with its texts.
    pub(super) fn lend<'t>(&'t self, flow: FlowRecord<'t>) -> FlowRecord<'t> {
        FlowRecord {
            service: some(&self.service),
            flow_uid: some(&self.flow_uid),
            community_id: some(&self.community_id),
            dst_name: self.dst_name.as_deref(),
            sensor: some(&self.sensor),
            ..flow
        }
    }
}

fn put(kept: &mut String, text: Option<&str>) {
    kept.clear();
    kept.push_str(text.unwrap_or_default());
}

/// A text, unless it is empty.
fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// As [`some`], to keep.
pub(super) fn owned(text: &str) -> Option<String> {
    some(text).map(str::to_owned)
}
