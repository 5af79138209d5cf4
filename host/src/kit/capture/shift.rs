//! Other times, that say no more of when and where than the model needs.

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

use super::WEEK;
use crate::time::{HOUR, SECOND};

/// Weeks that times go back: at least a year, at most eleven.
const WEEKS: (u32, u32) = (52, 572);

/// By whole weeks, so that hours, weekdays and slices stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    /// To be added, microseconds.
    pub(super) by: i64,
    /// In which the clock shows the same hours.
    pub(super) timezone: String,
}

impl Shift {
    /// For flows from `from` to `to`, microseconds UTC, in a hospital's time zone. `random` decides how far.
    ///
    /// Where the clock is not changed in between, any week will do, and an offset of whole hours stands for the time zone.
    /// Where it is, the time zone stays, and so does the season: whole years of 52 weeks. One that is a fraction of an hour
    /// off stays too, as there is no other name for it.
    pub(super) fn new(timezone: &TimeZone, (from, to): (i64, i64), random: u32) -> Self {
        let stamp = |at: i64| Timestamp::from_microsecond(at).unwrap_or_default();
        let offset = timezone.to_offset(stamp(from));
        let is_steady = timezone.following(stamp(from)).next().is_none_or(|change| change.timestamp() > stamp(to));
        let (least, most) = WEEKS;
        let own = || timezone.iana_name().unwrap_or("UTC").to_owned();
        // A zone that changes its clock at all would change it elsewhere.
        let is_fixed = timezone.following(stamp(to)).next().is_none();
        let name = fixed(offset).or_else(|| is_fixed.then(own)).filter(|_| is_steady);
        match name {
            Some(timezone) => Self { by: -WEEK * i64::from(least + random % (most - least)), timezone },
            None => Self { by: -WEEK * 52 * i64::from(1 + random % 10), timezone: own() },
        }
    }
}

/// The time zone of an offset of whole hours. In the names of the time zone database hours west of Greenwich count up.
fn fixed(offset: Offset) -> Option<String> {
    let seconds = i64::from(offset.seconds());
    let hours = seconds / (HOUR / SECOND);
    match hours {
        _ if hours * 3_600 != seconds => None,
        0 => Some("UTC".to_owned()),
        -12..=14 => Some(format!("Etc/GMT{:+}", -hours)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};

    use super::{Shift, WEEK};

    fn check(zone: &str, (from, to): (&str, &str), expected: &str) {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        let zone = TimeZone::get(zone).unwrap();
        for random in [0, 1, 9, 519, 520, u32::MAX] {
            let shift = Shift::new(&zone, (at(from), at(to)), random);
            assert_eq!(shift.timezone, expected);
            assert!(shift.by % WEEK == 0 && (-572 * WEEK..=-52 * WEEK).contains(&shift.by), "{shift:?}");
            let clock = |zone: &TimeZone, at: i64| {
                let zoned = Timestamp::from_microsecond(at).unwrap().to_zoned(zone.clone());
                (zoned.weekday(), zoned.time())
            };
            let other = TimeZone::get(&shift.timezone).unwrap();
            if expected.starts_with("Etc") || expected == "UTC" {
                assert_eq!(clock(&zone, at(from)), clock(&other, at(from) + shift.by));
            }
        }
    }

    #[test]
    fn the_clock_shows_the_same() {
        check("Europe/Berlin", ("2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"), "Etc/GMT-1");
        check("Europe/Berlin", ("2026-07-02T00:00:00Z", "2026-07-09T00:00:00Z"), "Etc/GMT-2");
        check("America/New_York", ("2026-07-02T00:00:00Z", "2026-07-09T00:00:00Z"), "Etc/GMT+4");
        check("UTC", ("2026-07-02T00:00:00Z", "2026-07-09T00:00:00Z"), "UTC");
    }

    #[test]
    fn where_it_is_changed_the_time_zone_stays() {
        check("Europe/Berlin", ("2026-03-27T00:00:00Z", "2026-04-02T00:00:00Z"), "Europe/Berlin");
        check("Asia/Kolkata", ("2026-07-02T00:00:00Z", "2026-07-09T00:00:00Z"), "Asia/Kolkata");
    }
}
