//! The calendar: the archive's span, hour by hour, in the hospital's own time.

use crate::{Error, Options, rhythm::Rhythm};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

pub(crate) const SECOND_US: i64 = 1_000_000;
pub(crate) const MINUTE_US: i64 = 60 * SECOND_US;
pub(crate) const HOUR_US: i64 = 60 * MINUTE_US;
pub(crate) const DAY_US: i64 = 24 * HOUR_US;

/// A span of whole days from any instant.
#[derive(Debug)]
pub(crate) struct Calendar {
    /// The first instant, UTC microseconds.
    pub(crate) start_us: i64,
    /// The first instant after the span.
    pub(crate) end_us: i64,
    hours: Vec<Hour>,
    days: Vec<Day>,
}

/// An hour of the span.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hour {
    /// From Monday, 0.
    pub(crate) weekday: u8,
    /// Hour of the local day.
    pub(crate) hour: u8,
    offset_us: i64,
}

/// A local day that the span touches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Day {
    /// From Monday, 0.
    pub(crate) weekday: u8,
    midnight_us: i64,
}

impl Calendar {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let zone = TimeZone::get(&options.timezone)
            .map_err(|cause| Error::Timezone { name: options.timezone.clone(), cause: cause.to_string() })?;
        let too_long = |_| Error::Span { start: options.start, days: options.days };
        let hours = i64::from(options.days) * 24;
        // A day past the end must exist as well, in any time zone.
        options.start.checked_add(SignedDuration::from_hours(hours + 48)).map_err(too_long)?;
        let hours = (0..hours)
            .map(|hour| options.start.checked_add(SignedDuration::from_hours(hour)).map(|at| Hour::new(at, &zone)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(too_long)?;
        let start_us = options.start.as_microsecond();
        let days = days(start_us, &hours);
        Ok(Self { start_us, end_us: start_us + i64::from(options.days) * DAY_US, hours, days })
    }

    /// The span's length in microseconds.
    pub(crate) fn length_us(&self) -> i64 {
        self.end_us - self.start_us
    }

    /// The instant at this share of the span, 0 its start and 1 its end.
    pub(crate) fn at_share(&self, share: f64) -> i64 {
        self.start_us + (self.length_us() as f64 * share) as i64
    }

    /// The hour of the span that an instant lies in, the first or the last one outside it.
    pub(crate) fn hour_at(&self, at_us: i64) -> Hour {
        let hour = ((at_us - self.start_us) / HOUR_US).clamp(0, self.hours.len() as i64 - 1);
        self.hours[hour as usize]
    }

    /// The local days that the span touches, the first and the last one in part.
    pub(crate) fn days(&self) -> &[Day] {
        &self.days
    }

    /// The local days that instants from `from_us` up to `to_us` can lie in, each with its number.
    pub(crate) fn days_near(&self, from_us: i64, to_us: i64) -> impl Iterator<Item = (usize, &Day)> {
        let number = |at_us: i64| (at_us - self.start_us).div_euclid(DAY_US).max(0) as usize;
        let last = self.days.len().min(number(to_us) + 3);
        let first = number(from_us).saturating_sub(1).min(last);
        (first..).zip(&self.days[first..last])
    }

    /// The instant of a minute of a local day.
    pub(crate) fn instant(&self, day: &Day, minute: f64) -> i64 {
        let local_us = day.midnight_us + (minute * MINUTE_US as f64) as i64;
        let near_us = local_us - self.hour_at(local_us).offset_us;
        local_us - self.hour_at(near_us).offset_us
    }

    /// The sum of a rhythm over the hours of the span.
    pub(crate) fn busy_hours(&self, rhythm: Rhythm) -> f64 {
        self.hours.iter().map(|hour| rhythm.weight(hour.weekday, hour.hour)).sum()
    }
}

impl Hour {
    fn new(at: Timestamp, zone: &TimeZone) -> Self {
        let local = zone.to_datetime(at);
        Self {
            weekday: local.weekday().to_monday_zero_offset() as u8,
            hour: local.hour() as u8,
            offset_us: i64::from(zone.to_offset(at).seconds()) * SECOND_US,
        }
    }
}

fn days(start_us: i64, hours: &[Hour]) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for (at_us, hour) in (0..).map(|hour| start_us + hour * HOUR_US).zip(hours) {
        let midnight_us = (at_us + hour.offset_us).div_euclid(DAY_US) * DAY_US;
        if days.last().is_none_or(|day| day.midnight_us < midnight_us) {
            days.push(Day { weekday: hour.weekday, midnight_us });
        }
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(start: &str) -> Calendar {
        let options = Options { start: start.parse().unwrap(), days: 2, ..Options::default() };
        Calendar::new(&options).unwrap()
    }

    #[track_caller]
    fn check(start: &str, day: usize, minute: f64, expected: &str) {
        let calendar = calendar(start);
        let instant = calendar.instant(&calendar.days()[day], minute);
        assert_eq!(Timestamp::from_microsecond(instant).unwrap().to_string(), expected);
    }

    #[test]
    fn local_minutes_become_instants() {
        check("2026-03-02T00:00:00Z", 0, 150.0, "2026-03-02T01:30:00Z");
        check("2026-03-02T00:00:00Z", 1, 0.0, "2026-03-02T23:00:00Z");
        check("2026-03-28T12:30:00Z", 0, 900.0, "2026-03-28T14:00:00Z");
        check("2026-03-28T12:30:00Z", 1, 240.0, "2026-03-29T02:00:00Z");
    }

    #[test]
    fn a_span_has_the_local_days_that_it_touches() {
        let calendar = calendar("2026-03-02T00:00:00Z");
        assert_eq!(calendar.days().iter().map(|day| day.weekday).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(calendar.busy_hours(Rhythm::Always), 48.0);
        assert_eq!(calendar.days_near(calendar.start_us, calendar.end_us).count(), 3);
    }

    #[test]
    fn an_unknown_zone_and_an_endless_span_are_refused() {
        let options = Options { timezone: "Mars/Base".to_owned(), ..Options::default() };
        let message = Calendar::new(&options).unwrap_err().to_string();
        assert!(message.starts_with("the time zone \"Mars/Base\" is unknown here"), "{message}");
        let options = Options { start: Timestamp::MAX, ..Options::default() };
        assert!(matches!(Calendar::new(&options), Err(Error::Span { .. })));
    }
}
