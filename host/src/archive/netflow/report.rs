//! How much of what an exporter sent came, hour by hour of the time at which it sent.

use super::{losses::Change, message::Version};
use crate::{
    archive::aside::SensorReport,
    time::{HOUR, SECOND},
};

/// An exporter's count of the hour that runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    hour: Option<Hour>,
}

/// What came in an hour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hour {
    /// Since 1970.
    number: i64,
    /// Microseconds UTC; the end is exclusive.
    start: i64,
    end: i64,
    records: u64,
    datagrams: u64,
    /// In what the sequence numbers count.
    missing: u64,
}

impl Hour {
    const fn new(number: i64, start: i64, export: i64) -> Self {
        Self { number, start, end: end(export), records: 0, datagrams: 0, missing: 0 }
    }

    /// The row of the hour. What version 9 counts are datagrams: how many records are missing is not known, only which
    /// share of the datagrams.
    pub(super) fn report(self, sensor: Option<String>, version: Version) -> SensorReport {
        let is_of_records = version != Version::V9;
        let received = if is_of_records { self.records } else { self.datagrams };
        SensorReport {
            sensor,
            interval_start: self.start,
            interval_end: self.end,
            packets: Some(self.records),
            dropped: is_of_records.then_some(self.missing),
            loss_ratio: SensorReport::ratio(Some(received), Some(self.missing)),
        }
    }
}

/// The end of what was seen with a datagram: headers of version 9 and IPFIX have whole seconds.
const fn end(export: i64) -> i64 {
    export - export.rem_euclid(SECOND) + SECOND
}

impl Tally {
    /// Notes that a datagram was sent at some time. Returns the hour that thereby ended. Datagrams of the hour before
    /// count in this one, for they are late.
    pub(super) fn begin(&mut self, export: i64) -> Option<Hour> {
        let number = export.div_euclid(HOUR);
        match &mut self.hour {
            Some(hour) if number == hour.number || number + 1 == hour.number => {
                hour.end = hour.end.max(end(export));
                None
            }
            hour => {
                // An hour that the one before runs into was seen from its beginning.
                let runs_on = hour.is_some_and(|hour| hour.number + 1 == number);
                let start = if runs_on { number * HOUR } else { export };
                let ended = hour.replace(Hour::new(number, start, export));
                ended.map(|hour| Hour { end: if runs_on { start } else { hour.end }, ..hour })
            }
        }
    }

    /// Notes records that were read.
    pub(super) fn add_records(&mut self, records: u32) {
        if let Some(hour) = &mut self.hour {
            hour.records += u64::from(records);
        }
    }

    /// Notes a datagram, and what it tells of others.
    pub(super) fn add_datagram(&mut self, change: Change) {
        if let Some(hour) = &mut self.hour {
            hour.datagrams += 1;
            hour.missing = (hour.missing + change.missing).saturating_sub(change.found);
        }
    }

    /// The hour that the input ends in.
    pub(super) fn end(&mut self) -> Option<Hour> {
        self.hour.take()
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, HOUR, SECOND, Tally};
    use crate::archive::netflow::message::Version;

    #[test]
    fn hours_are_reported_as_far_as_seen() {
        let mut tally = Tally::default();
        let exports = [10, HOUR - 5, HOUR + 7, HOUR - 4, 2 * HOUR - 1, 2 * HOUR, 5 * HOUR + 3];
        let mut hours: Vec<_> = exports.iter().filter_map(|export| tally.begin(*export)).collect();
        hours.extend(tally.end());
        let intervals: Vec<_> = hours.iter().map(|hour| (hour.start, hour.end)).collect();
        let expected = [(10, HOUR), (HOUR, 2 * HOUR), (2 * HOUR, 2 * HOUR + SECOND), (5 * HOUR + 3, 5 * HOUR + SECOND)];
        assert_eq!(intervals, expected);
        assert!(tally.end().is_none());
    }

    #[test]
    fn losses_are_told_in_what_is_counted() {
        let mut tally = Tally::default();
        tally.begin(0);
        tally.add_records(30);
        tally.add_datagram(Change { missing: 12, found: 0 });
        tally.add_datagram(Change { missing: 0, found: 2 });
        let hour = tally.end().unwrap();
        let v5 = hour.report(Some("a".into()), Version::V5);
        assert_eq!((v5.packets, v5.dropped, v5.loss_ratio), (Some(30), Some(10), Some(0.25)));
        let v9 = hour.report(None, Version::V9);
        assert_eq!((v9.packets, v9.dropped, v9.loss_ratio), (Some(30), None, Some(10.0 / 12.0)));
    }
}
