//! Dates: of times that count from the beginning of a capture they are asked for, not invented, and none is to come.

use std::fmt;

use jiff::Timestamp;

use crate::{
    archive::{aside::Aside, record::FlowRecord, values::LAST_TIME},
    time::CLOCKS_APART,
};

/// Times before this are counted from the beginning of a capture, and say nothing of when that was: 1980, before there were
/// networks of this kind.
const FIRST_DATE: i64 = 315_532_800_000_000;

/// What makes dates of times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dates {
    /// When a capture began whose times count from there, microseconds UTC.
    start: Option<i64>,
    /// What is later is to come.
    latest: i64,
}

/// Why a time is no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoDate {
    /// It counts from the beginning of the capture.
    Relative(i64),
    /// It is to come.
    ToCome(i64),
}

impl Dates {
    /// Of captures that began at `start`, microseconds UTC, and are read now.
    pub(super) fn new(start: Option<i64>) -> Self {
        Self { start, latest: Timestamp::now().as_microsecond() + CLOCKS_APART }
    }

    /// The flow at its date.
    pub(super) fn date<'a>(&self, mut flow: FlowRecord<'a>) -> Result<FlowRecord<'a>, NoDate> {
        flow.start_time = self.past(flow.start_time)?;
        flow.end_time = self.past(flow.end_time)?;
        Ok(flow)
    }

    /// Gives a row beside the flows its dates. A lease may end in time to come; one beyond all dates does not end.
    pub(super) fn date_aside(&self, row: &mut Aside) -> Result<(), NoDate> {
        let times = match row {
            Aside::Lease(row) => {
                if let Some(valid_to) = &mut row.valid_to {
                    *valid_to = self.at(*valid_to)?;
                }
                row.valid_to = row.valid_to.filter(|to| *to < LAST_TIME);
                [Some(&mut row.valid_from), None]
            }
            Aside::SensorReport(row) => [Some(&mut row.interval_start), Some(&mut row.interval_end)],
            Aside::IdsEvent(row) => [Some(&mut row.time), None],
            Aside::HostFact(row) => [Some(&mut row.time), None],
        };
        for time in times.into_iter().flatten() {
            *time = self.past(*time)?;
        }
        Ok(())
    }

    fn past(&self, time: i64) -> Result<i64, NoDate> {
        let date = self.at(time)?;
        if date <= self.latest { Ok(date) } else { Err(NoDate::ToCome(date)) }
    }

    fn at(&self, time: i64) -> Result<i64, NoDate> {
        match self.start {
            _ if time >= FIRST_DATE => Ok(time),
            Some(start) => {
                let dates = FIRST_DATE..LAST_TIME;
                start.checked_add(time).filter(|time| dates.contains(time)).ok_or(NoDate::Relative(time))
            }
            None => Err(NoDate::Relative(time)),
        }
    }
}

impl fmt::Display for NoDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Relative(time) | Self::ToCome(time)) = *self;
        let shown = Timestamp::from_microsecond(time).map_or_else(|_| time.to_string(), |time| time.to_string());
        match self {
            Self::Relative(_) => write!(
                f,
                "its time is {shown}: the capture counts from its own beginning; say with --start when that was"
            ),
            Self::ToCome(_) => write!(
                f,
                "its time is {shown}, which is to come: set the clock of the sensor, or of this machine, and ingest it again"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CLOCKS_APART, Dates, FIRST_DATE, NoDate};

    #[test]
    fn a_date_is_asked_for_and_not_invented() {
        let of = |start| Dates::new(start);
        assert_eq!(of(None).at(FIRST_DATE), Ok(FIRST_DATE));
        assert_eq!(of(None).at(7_000_000), Err(NoDate::Relative(7_000_000)));
        assert_eq!(of(Some(FIRST_DATE)).at(7_000_000), Ok(FIRST_DATE + 7_000_000));
        // A time that has a date keeps it.
        assert_eq!(of(Some(FIRST_DATE)).at(FIRST_DATE), Ok(FIRST_DATE));
        assert_eq!(of(Some(i64::MIN)).at(-1), Err(NoDate::Relative(-1)));
    }

    #[test]
    fn no_date_is_to_come() {
        let now = jiff::Timestamp::now().as_microsecond();
        let dates = Dates::new(None);
        assert_eq!(dates.past(now + CLOCKS_APART / 2), Ok(now + CLOCKS_APART / 2));
        assert_eq!(dates.past(now + 2 * CLOCKS_APART), Err(NoDate::ToCome(now + 2 * CLOCKS_APART)));
        assert_eq!(Dates::new(Some(now)).past(2 * CLOCKS_APART), Err(NoDate::ToCome(now + 2 * CLOCKS_APART)));
    }
}
