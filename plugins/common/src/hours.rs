use serde::{Deserialize, Serialize};
use wardflow_sdk::{DAY, Flows, MINUTE};

/// Minutes of a day, and of a week.
const DAY_MINUTES: u16 = 1_440;
const WEEK_MINUTES: i64 = 10_080;

/// Local hours of a day, [`from`, `to`); over midnight if `to` is the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// First hour of it.
    pub from: usize,
    /// First hour after it.
    pub to: usize,
}

/// On how many days something was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    count: u16,
    /// Day of the local week, from 1, and time of the last.
    weekday: u8,
    last: i64,
}

impl Hours {
    /// Whether a minute of the week is in them.
    pub fn contain(self, minute_of_week: u16) -> bool {
        let hour = hour_of_day(minute_of_week);
        match self.from < self.to {
            true => (self.from..self.to).contains(&hour),
            false => hour >= self.from || hour < self.to,
        }
    }
}

impl Days {
    /// Sees it at a time, in microseconds since 1970, and the minute of the local week then. What is told of late, of
    /// before the last, is no other day.
    pub fn add(&mut self, time: i64, minute_of_week: u16) {
        if self.count > 0 && time < self.last {
            return;
        }
        let weekday = (minute_of_week / DAY_MINUTES) as u8 + 1;
        if weekday != self.weekday || time - self.last >= 2 * DAY {
            self.count = self.count.saturating_add(1);
        }
        (self.weekday, self.last) = (weekday, time);
    }

    /// On how many days.
    pub const fn count(self) -> u16 {
        self.count
    }
}

/// Minute of the local week at which a flow ended: a flow is known then, and the column is of its beginning.
pub fn minute_at_end(flows: &Flows<'_>, row: usize) -> u16 {
    let passed = flows.end_time()[row].div_euclid(MINUTE) - flows.start_time()[row].div_euclid(MINUTE);
    (i64::from(flows.minute_of_week()[row]) + passed).rem_euclid(WEEK_MINUTES) as u16
}

/// The hour of the local day, 0 to 23.
pub fn hour_of_day(minute_of_week: u16) -> usize {
    usize::from(minute_of_week / 60 % 24)
}

/// Type of day, 0 for working days and 1 for weekends, and hour of the local day.
pub fn day_type_and_hour(minute_of_week: u16) -> (usize, usize) {
    (usize::from(minute_of_week / DAY_MINUTES >= 5), hour_of_day(minute_of_week))
}

#[cfg(test)]
mod tests {
    use super::{Days, Hours, day_type_and_hour, minute_at_end};
    use wardflow_sdk::{
        DAY, Flows, HOUR, MINUTE, SECOND,
        native::{Batch, Flow},
    };

    #[test]
    fn hours_may_go_over_midnight() {
        let check = |from, to, hour: u16, is_in| assert_eq!(Hours { from, to }.contain(1_440 + hour * 60), is_in);
        check(1, 6, 1, true);
        check(1, 6, 6, false);
        check(22, 4, 23, true);
        check(22, 4, 3, true);
        check(22, 4, 4, false);
        check(0, 24, 23, true);
    }

    #[test]
    fn weeks_end_with_a_weekend() {
        let check =
            |day: u16, hour: u16, expected| assert_eq!(day_type_and_hour((day * 24 + hour) * 60 + 59), expected);
        check(0, 0, (0, 0));
        check(4, 23, (0, 23));
        check(5, 0, (1, 0));
        check(6, 23, (1, 23));
    }

    #[test]
    fn the_same_weekday_of_another_week_is_another_day() {
        let check = |times: &[i64], count| {
            let mut days = Days::default();
            times.iter().for_each(|time| days.add(*time, (time / (HOUR / 60) % 10_080) as u16));
            assert_eq!(days.count(), count, "{times:?}");
        };
        check(&[0, HOUR, 23 * HOUR], 1);
        check(&[23 * HOUR, 25 * HOUR, 47 * HOUR], 2);
        check(&[HOUR, 7 * DAY + HOUR, 14 * DAY], 3);
        check(&[23 * HOUR, 25 * HOUR, 22 * HOUR, 26 * HOUR], 2);
    }

    #[test]
    fn a_flow_ends_in_another_minute_than_it_begins() {
        let check = |start: i64, end: i64, minute_of_week: u16| {
            let batch = Batch::new(0, &[Flow { end_time: end, ..Flow::at(start) }]);
            assert_eq!(minute_at_end(&Flows::new(&batch), 0), minute_of_week, "{start} to {end}");
        };
        // 1970 began on a Thursday.
        check(0, 3 * HOUR, 3 * 1_440 + 180);
        check(59 * SECOND, 61 * SECOND, 3 * 1_440 + 1);
        check(4 * DAY - 10 * MINUTE, 4 * DAY + 10 * MINUTE, 10);
    }
}
