use serde::{Deserialize, Serialize};
use wardflow_sdk::DAY;

/// Minutes of a day.
const DAY_MINUTES: u16 = 1_440;

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
    /// Sees it at a time, in microseconds since 1970, and its minute of the local week.
    pub fn add(&mut self, time: i64, minute_of_week: u16) {
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

/// The hour of the local day, 0 to 23.
pub fn hour_of_day(minute_of_week: u16) -> usize {
    usize::from(minute_of_week / 60 % 24)
}

#[cfg(test)]
mod tests {
    use super::{Days, Hours};
    use wardflow_sdk::{DAY, HOUR};

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
    fn the_same_weekday_of_another_week_is_another_day() {
        let check = |times: &[i64], count| {
            let mut days = Days::default();
            times.iter().for_each(|time| days.add(*time, (time / (HOUR / 60) % 10_080) as u16));
            assert_eq!(days.count(), count, "{times:?}");
        };
        check(&[0, HOUR, 23 * HOUR], 1);
        check(&[23 * HOUR, 25 * HOUR, 47 * HOUR], 2);
        check(&[HOUR, 7 * DAY + HOUR, 14 * DAY], 3);
    }
}
