//! A cadence: when a habit is due.

use crate::{
    calendar::{Calendar, Day, HOUR_US, Hour, MINUTE_US, SECOND_US},
    draw::{Draw, mix},
    rhythm::Rhythm,
};

/// The exporter's active timeout: a longer conversation is cut into pieces of this length.
pub(crate) const ACTIVE_TIMEOUT_US: i64 = 30 * MINUTE_US;

/// When a habit is due.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cadence {
    /// At a regular interval, each time late by up to `jitter` of it.
    Every { seconds: f64, jitter: f64 },
    /// All the time: one conversation, of which the exporter makes pieces.
    Stream,
    /// By chance, this often in an hour in which the rhythm's weight is 1.
    Hourly { times: f64, rhythm: Rhythm },
    /// Once on each of these days, between two minutes of the local day.
    Daily { days: Days, from_minute: f64, to_minute: f64 },
    /// Once in every so many seconds of a time, at any instant of them.
    During { from_us: i64, to_us: i64, seconds: f64 },
    /// Once.
    Once { at_us: i64 },
}

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Days {
    All,
    Weekdays,
    /// From Monday, 0.
    Only(u8),
}

/// How much faster or slower than natural a hospital goes about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// A factor on how often everything happens that has no fixed hour.
    pub(crate) rate: f64,
    /// The share of nightly, weekly and single occasions that take place.
    pub(crate) kept: f64,
}

/// A stretch of at most an hour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from_us: i64,
    pub(crate) to_us: i64,
    pub(crate) hour: Hour,
}

impl Cadence {
    /// Whether it keeps fixed hours, so that no pace makes it more frequent.
    pub(crate) fn is_scheduled(self) -> bool {
        matches!(self, Self::Daily { .. } | Self::During { .. } | Self::Once { .. })
    }

    /// The occasions to expect over the whole span, at natural pace where there are no fixed hours.
    pub(crate) fn expected(self, key: u64, calendar: &Calendar, kept: f64) -> f64 {
        let hours = calendar.length_us() as f64 / HOUR_US as f64;
        match self {
            Self::Every { seconds, .. } => hours * 3_600.0 / seconds,
            Self::Stream => hours * HOUR_US as f64 / ACTIVE_TIMEOUT_US as f64,
            Self::Hourly { times, rhythm } => times * calendar.busy_hours(rhythm),
            Self::Daily { .. } | Self::During { .. } | Self::Once { .. } => {
                self.appointments(key, calendar.start_us, calendar.end_us, calendar, kept).count() as f64
            }
        }
    }

    /// Calls `act` with each instant of a window at which the habit with this `key` is due. The key sets the phase of
    /// what is regular and the minute of what is daily.
    pub(crate) fn each(
        self,
        key: u64,
        window: &Window,
        pace: Pace,
        calendar: &Calendar,
        draw: &mut Draw,
        mut act: impl FnMut(i64, &mut Draw),
    ) {
        match self {
            Self::Every { seconds, jitter } => {
                let period_us = (seconds * SECOND_US as f64 / pace.rate).max(1.0) as i64;
                for tick_us in ticks(key, window, period_us) {
                    let late_us = draw.unit() * jitter * period_us as f64;
                    act(tick_us + late_us as i64, draw);
                }
            }
            Self::Stream => {
                for tick_us in ticks(key, window, stream_period_us(pace)) {
                    act(tick_us, draw);
                }
            }
            Self::Hourly { times, rhythm } => {
                let hours = (window.to_us - window.from_us) as f64 / HOUR_US as f64;
                let noise = 0.6 + 0.8 * draw.unit();
                let weight = rhythm.weight(window.hour.weekday, window.hour.hour);
                for _ in 0..draw.round(times * weight * hours * pace.rate * noise) {
                    let at_us = draw.between(window.from_us as f64, window.to_us as f64);
                    act(at_us as i64, draw);
                }
            }
            Self::Daily { .. } | Self::During { .. } | Self::Once { .. } => {
                for at_us in self.appointments(key, window.from_us, window.to_us, calendar, pace.kept) {
                    act(at_us, draw);
                }
            }
        }
    }

    /// The instants, from `from_us` up to `to_us`, of what keeps fixed hours.
    fn appointments(
        self,
        key: u64,
        from_us: i64,
        to_us: i64,
        calendar: &Calendar,
        kept: f64,
    ) -> impl Iterator<Item = i64> {
        let daily = move |(number, day): (usize, &Day)| match self {
            Self::Daily { days, from_minute, to_minute } => {
                let fate = mix(key ^ mix(number as u64));
                let minute = from_minute + (to_minute - from_minute) * fraction(fate);
                let takes_place = days.has(day.weekday) && fraction(mix(fate)) < kept;
                takes_place.then(|| calendar.instant(day, minute))
            }
            _ => None,
        };
        let once = match self {
            Self::Once { at_us } if fraction(mix(key)) < kept => Some(at_us),
            _ => None,
        };
        let during = match self {
            Self::During { from_us: begin_us, to_us: end_us, seconds } => {
                Some(spread(key, (begin_us, end_us), from_us, (seconds * SECOND_US as f64).max(1.0) as i64, kept))
            }
            _ => None,
        };
        let during = during.into_iter().flatten().take_while(move |&at_us| at_us < to_us);
        let days = calendar.days_near(from_us, to_us).filter_map(daily);
        days.chain(once).chain(during).filter(move |at_us| (from_us..to_us).contains(at_us))
    }
}

impl Days {
    pub(crate) fn has(self, weekday: u8) -> bool {
        match self {
            Self::All => true,
            Self::Weekdays => weekday < 5,
            Self::Only(only) => only == weekday,
        }
    }
}

/// How long a piece of a stream lasts.
pub(crate) fn piece_us(pace: Pace) -> i64 {
    ACTIVE_TIMEOUT_US.min(stream_period_us(pace))
}

/// The time between the beginnings of a stream's pieces. At a slow pace there are gaps between them.
fn stream_period_us(pace: Pace) -> i64 {
    (ACTIVE_TIMEOUT_US as f64 / pace.rate).max(2_000.0) as i64
}

/// The instants in a window that are whole periods apart, from a phase that `key` sets.
fn ticks(key: u64, window: &Window, period_us: i64) -> impl Iterator<Item = i64> + use<> {
    let phase_us = (mix(key) % period_us as u64) as i64;
    let since_us = (window.from_us - phase_us).rem_euclid(period_us);
    let first_us = if since_us == 0 { window.from_us } else { window.from_us - since_us + period_us };
    let to_us = window.to_us;
    (0..).map(move |tick| first_us + tick * period_us).take_while(move |&tick_us| tick_us < to_us)
}

/// An instant in each step of a time, those before `from_us` left out, of which a share is `kept`.
fn spread(
    key: u64,
    (begin_us, end_us): (i64, i64),
    from_us: i64,
    step_us: i64,
    kept: f64,
) -> impl Iterator<Item = i64> {
    let passed = (from_us - begin_us).max(0) / step_us;
    let steps = (passed..).map(move |step| (step, begin_us + step * step_us));
    steps.take_while(move |&(_, at_us)| at_us < end_us).filter_map(move |(step, at_us)| {
        let fate = mix(key ^ mix(step as u64));
        (fraction(mix(fate)) < kept).then_some(at_us + (fraction(fate) * step_us as f64) as i64)
    })
}

/// A number in [0, 1) from the upper bits of another.
fn fraction(number: u64) -> f64 {
    (number >> 40) as f64 / (1_u64 << 24) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    const PACE: Pace = Pace { rate: 1.0, kept: 1.0 };

    /// Two weeks window by window, against what is expected of them.
    #[track_caller]
    fn check(cadence: Cadence) {
        let calendar = Calendar::new(&Options::default()).unwrap();
        let mut draw = Draw::new(1, 2, 3);
        let mut due = Vec::new();
        let mut from_us = calendar.start_us;
        while from_us < calendar.end_us {
            let window = Window { from_us, to_us: from_us + HOUR_US / 4, hour: calendar.hour_at(from_us) };
            cadence.each(7, &window, PACE, &calendar, &mut draw, |at_us, _| {
                assert!(window.from_us <= at_us, "{at_us} is before {window:?}");
                due.push(at_us);
            });
            from_us = window.to_us;
        }
        let expected = cadence.expected(7, &calendar, PACE.kept);
        assert!((due.len() as f64 - expected).abs() <= 1.0 + expected * 0.05, "{} of {expected}", due.len());
    }

    #[test]
    fn as_many_occasions_come_as_are_expected() {
        check(Cadence::Every { seconds: 45.0, jitter: 0.3 });
        check(Cadence::Every { seconds: 7_201.0, jitter: 0.0 });
        check(Cadence::Stream);
        check(Cadence::Hourly { times: 12.0, rhythm: Rhythm::Ward });
        check(Cadence::Hourly { times: 12.0, rhythm: Rhythm::Office });
        check(Cadence::Daily { days: Days::All, from_minute: 120.0, to_minute: 300.0 });
        check(Cadence::Daily { days: Days::Only(5), from_minute: 1_500.0, to_minute: 1_501.0 });
        let from_us = Options::default().start.as_microsecond() + 7 * HOUR_US + 1;
        check(Cadence::During { from_us, to_us: from_us + 9 * HOUR_US, seconds: 7.5 });
    }

    #[test]
    fn ticks_go_on_from_window_to_window() {
        let hour = Calendar::new(&Options::default()).unwrap().hour_at(0);
        let window = |from_us, to_us| Window { from_us, to_us, hour };
        let halves = [window(1_000_000, 1_300_000), window(1_300_000, 2_000_000)];
        let due: Vec<i64> = halves.iter().flat_map(|half| ticks(1, half, 7_000)).collect();
        assert_eq!(due, ticks(1, &window(1_000_000, 2_000_000), 7_000).collect::<Vec<_>>());
        assert!(due.windows(2).all(|pair| pair[1] - pair[0] == 7_000));
    }
}
