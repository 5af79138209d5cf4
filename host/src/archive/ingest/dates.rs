//! Dates for times that count from the beginning of a capture: asked for, not invented.

use crate::archive::{aside::Aside, record::FlowRecord, values::LAST_TIME};

/// Times before this are counted from the beginning of a capture, and say nothing of when that was: 1980, before there were
/// networks of this kind.
const FIRST_DATE: i64 = 315_532_800_000_000;

/// The flow at its date; the time that has none.
pub(super) fn dated(mut flow: FlowRecord<'_>, start: Option<i64>) -> Result<FlowRecord<'_>, i64> {
    flow.start_time = at(flow.start_time, start)?;
    flow.end_time = at(flow.end_time, start)?;
    Ok(flow)
}

fn at(time: i64, start: Option<i64>) -> Result<i64, i64> {
    match start {
        _ if time >= FIRST_DATE => Ok(time),
        Some(start) => start.checked_add(time).filter(|time| *time < LAST_TIME).ok_or(time),
        None => Err(time),
    }
}

impl Aside {
    /// Dates its times; the time that has none.
    pub(super) fn date(&mut self, start: Option<i64>) -> Result<(), i64> {
        let times = match self {
            Self::Lease(row) => {
                if let Some(valid_to) = &mut row.valid_to {
                    *valid_to = at(*valid_to, start)?;
                }
                [Some(&mut row.valid_from), None]
            }
            Self::SensorReport(row) => [Some(&mut row.interval_start), Some(&mut row.interval_end)],
            Self::IdsEvent(row) => [Some(&mut row.time), None],
            Self::HostFact(row) => [Some(&mut row.time), None],
        };
        for time in times.into_iter().flatten() {
            *time = at(*time, start)?;
        }
        Ok(())
    }
}

/// Why a record with such a time is refused.
pub(super) fn relative(time: i64) -> String {
    let shown = jiff::Timestamp::from_microsecond(time).map_or_else(|_| time.to_string(), |time| time.to_string());
    format!("its time is {shown}: the capture counts from its own beginning; say with --start when that was")
}

#[cfg(test)]
mod tests {
    use super::{FIRST_DATE, at};

    #[test]
    fn a_date_is_asked_for_and_not_invented() {
        assert_eq!(at(FIRST_DATE, None), Ok(FIRST_DATE));
        assert_eq!(at(7_000_000, None), Err(7_000_000));
        assert_eq!(at(7_000_000, Some(FIRST_DATE)), Ok(FIRST_DATE + 7_000_000));
        // A time that has a date keeps it.
        assert_eq!(at(FIRST_DATE, Some(FIRST_DATE)), Ok(FIRST_DATE));
        assert_eq!(at(-1, Some(i64::MIN)), Err(-1));
    }
}
