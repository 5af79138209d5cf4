//! The reset: a device whose behaviour has changed for good, so that what was learned of it does not count any more.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::flow::time_type;

/// That learning is to begin anew. It is of traffic time, so that runs over the same archive come to the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// When this was said.
    pub time: Timestamp,
    /// The device.
    pub device_id: String,
    /// The plugin; absent for all.
    pub plugin: Option<String>,
    /// The first slice that begins with nothing learned is the first that begins then or later.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// The resets of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resets(Vec<Reset>);

impl Resets {
    /// Of these.
    pub fn new(resets: Vec<Reset>) -> Self {
        Self(resets)
    }

    /// The last reset that what a plugin learned of a device from a slice on, both in microseconds UTC, is to give way to.
    pub fn of(&self, plugin: &str, device_id: &str, learned_since: i64, slice_start: i64) -> Option<&Reset> {
        let holds = |reset: &&Reset| {
            let since = reset.since.as_microsecond();
            reset.device_id == device_id
                && reset.plugin.as_deref().is_none_or(|only| only == plugin)
                && learned_since < since
                && since <= slice_start
        };
        self.0.iter().filter(holds).max_by_key(|reset| reset.since)
    }

    /// The resets of what a plugin learned of devices, of which it knows some.
    pub fn of_plugin(&self, plugin: &str, knows: impl Fn(&str) -> bool) -> Self {
        let is_of_it =
            |reset: &&Reset| reset.plugin.as_deref().is_none_or(|only| only == plugin) && knows(&reset.device_id);
        Self(self.0.iter().filter(is_of_it).cloned().collect())
    }

    /// When the last of them was said that holds of a slice.
    pub fn last_said(&self, slice_start: i64) -> Option<Timestamp> {
        self.0.iter().filter(|reset| reset.since.as_microsecond() <= slice_start).map(|reset| reset.time).max()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Columns of the table `resets`, in the order of [`Reset`].
pub fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let time = |name| Field::new(name, time_type(), true);
    Arc::new(Schema::new(vec![time("time"), text("device_id"), text("plugin"), time("since"), text("reason")]))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Reset, Resets};

    #[test]
    fn what_was_learned_before_gives_way_from_then_on() {
        let reset = Reset {
            time: Timestamp::UNIX_EPOCH,
            device_id: "pump".into(),
            plugin: Some("vendor/model".into()),
            since: Timestamp::from_microsecond(100).unwrap(),
            reason: "repaired".into(),
        };
        let resets = Resets::new(vec![reset]);
        let check = |plugin, device, learned_since, slice_start, expected: bool| {
            assert_eq!(resets.of(plugin, device, learned_since, slice_start).is_some(), expected);
        };
        check("vendor/model", "pump", 0, 100, true);
        check("vendor/model", "pump", 0, 99, false);
        check("vendor/model", "pump", 100, 200, false);
        check("vendor/model", "monitor", 0, 100, false);
        check("vendor/other", "pump", 0, 100, false);
        let said = |plugin, knows, slice_start| resets.of_plugin(plugin, |_| knows).last_said(slice_start).is_some();
        assert_eq!([said("vendor/model", true, 100), said("vendor/model", true, 99)], [true, false]);
        assert_eq!([said("vendor/model", false, 100), said("vendor/other", true, 100)], [false, false]);
    }
}
