//! A habit: something that a device does again and again.

use crate::{
    calendar::{Calendar, DAY_US, Day, HOUR_US, Hour, MINUTE_US, SECOND_US},
    draw::{Draw, mix},
    exchange::Exchange,
    rhythm::Rhythm,
    site::{Outside, Party},
    tap::{Call, Tap, ephemeral},
};

/// The exporter's active timeout: a longer conversation is cut into pieces of this length.
const ACTIVE_TIMEOUT_US: i64 = 30 * MINUTE_US;

/// Who talks to whom, when, how often, and about what.
#[derive(Debug)]
pub(crate) struct Habit {
    pub(crate) from: Party,
    pub(crate) to: Peers,
    pub(crate) when: Cadence,
    pub(crate) what: Exchange,
    pub(crate) fan: Fan,
}

/// Whom a habit turns to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peers {
    One(Party),
    /// Any of these, each time anew.
    AnyOf(&'static [Outside]),
}

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
    Daily {
        days: Days,
        from_minute: f64,
        to_minute: f64,
    },
    /// Once.
    Once { at_us: i64 },
}

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Days {
    All,
    /// From Monday, 0.
    Only(u8),
}

/// How many flows come of one occasion.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fan {
    One,
    /// Evenly from the first number through the second.
    Between(u32, u32),
    /// One to each of these ports.
    Ports(&'static [u16]),
}

/// How much faster or slower than natural a hospital goes about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// A factor on how often everything happens that has no fixed hour.
    pub(crate) rate: f64,
    /// The share of nightly and weekly occasions that take place.
    pub(crate) kept: f64,
}

/// A stretch of at most an hour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from_us: i64,
    pub(crate) to_us: i64,
    pub(crate) hour: Hour,
}

impl Habit {
    pub(crate) fn new(from: Party, to: Party, when: Cadence, what: Exchange) -> Self {
        Self {
            from,
            to: Peers::One(to),
            when,
            what,
            fan: Fan::One,
        }
    }

    pub(crate) fn any_of(
        from: Party,
        to: &'static [Outside],
        when: Cadence,
        what: Exchange,
    ) -> Self {
        Self {
            from,
            to: Peers::AnyOf(to),
            when,
            what,
            fan: Fan::One,
        }
    }

    pub(crate) fn fan(self, fan: Fan) -> Self {
        Self { fan, ..self }
    }

    /// The flows to expect over the whole span, at natural pace where the habit has no fixed hours.
    pub(crate) fn expected(&self, key: u64, calendar: &Calendar, kept: f64) -> f64 {
        let hours = calendar.length_us() as f64 / HOUR_US as f64;
        let occasions = match self.when {
            Cadence::Every { seconds, .. } => hours * 3_600.0 / seconds,
            Cadence::Stream => hours * HOUR_US as f64 / ACTIVE_TIMEOUT_US as f64,
            Cadence::Hourly { times, rhythm } => times * calendar.busy_hours(rhythm),
            Cadence::Daily { .. } | Cadence::Once { .. } => self
                .appointments(key, calendar.start_us, calendar.end_us, calendar, kept)
                .count() as f64,
        };
        occasions * self.fan.mean()
    }

    /// Whether the habit keeps fixed hours, so that no pace makes it more frequent.
    pub(crate) fn is_scheduled(&self) -> bool {
        matches!(self.when, Cadence::Daily { .. } | Cadence::Once { .. })
    }

    /// The instants, from `from_us` up to `to_us`, of a habit that keeps fixed hours.
    fn appointments(
        &self,
        key: u64,
        from_us: i64,
        to_us: i64,
        calendar: &Calendar,
        kept: f64,
    ) -> impl Iterator<Item = i64> {
        let daily = move |(number, day): (usize, &Day)| match self.when {
            Cadence::Daily {
                days,
                from_minute,
                to_minute,
            } => {
                let fate = mix(key ^ mix(number as u64));
                let minute = from_minute + (to_minute - from_minute) * fraction(fate);
                let takes_place = days.has(day.weekday) && fraction(mix(fate)) < kept;
                takes_place.then(|| calendar.instant(day, minute))
            }
            _ => None,
        };
        let once = match self.when {
            Cadence::Once { at_us } => Some(at_us),
            _ => None,
        };
        let days = calendar.days_near(from_us, to_us).filter_map(daily);
        days.chain(once)
            .filter(move |at_us| (from_us..to_us).contains(at_us))
    }

    /// Makes the flows that begin in a window. `key` is the habit's own number; it sets the phase of what is regular.
    pub(crate) fn act(
        &self,
        key: u64,
        window: &Window,
        pace: Pace,
        calendar: &Calendar,
        draw: &mut Draw,
        tap: &mut Tap<'_>,
    ) {
        match self.when {
            Cadence::Every { seconds, jitter } => {
                let period_us = (seconds * SECOND_US as f64 / pace.rate).max(1.0) as i64;
                for tick_us in ticks(key, window, period_us) {
                    let late_us = draw.unit() * jitter * period_us as f64;
                    self.occasion(tick_us + late_us as i64, draw, tap);
                }
            }
            Cadence::Stream => {
                let period_us = (ACTIVE_TIMEOUT_US as f64 / pace.rate).max(1_000.0) as i64;
                for tick_us in ticks(key, window, period_us) {
                    self.piece(key, tick_us, ACTIVE_TIMEOUT_US.min(period_us), draw, tap);
                }
            }
            Cadence::Hourly { times, rhythm } => {
                let hours = (window.to_us - window.from_us) as f64 / HOUR_US as f64;
                let noise = 0.6 + 0.8 * draw.unit();
                let weight = rhythm.weight(window.hour.weekday, window.hour.hour);
                for _ in 0..draw.round(times * weight * hours * pace.rate * noise) {
                    let at_us = draw.between(window.from_us as f64, window.to_us as f64) as i64;
                    self.occasion(at_us, draw, tap);
                }
            }
            Cadence::Daily { .. } | Cadence::Once { .. } => {
                for at_us in
                    self.appointments(key, window.from_us, window.to_us, calendar, pace.kept)
                {
                    self.occasion(at_us, draw, tap);
                }
            }
        }
    }

    /// One occasion, with all the flows that come of it one after the other.
    fn occasion(&self, at_us: i64, draw: &mut Draw, tap: &mut Tap<'_>) {
        let to = match self.to {
            Peers::One(to) => to,
            Peers::AnyOf(hosts) => match draw.one_of(hosts) {
                Some(host) => Party::Outside(host),
                None => return,
            },
        };
        let call = |at_us| Call::new(self.from, to, at_us, &self.what);
        match self.fan {
            Fan::One => tap.call(call(at_us), draw),
            Fan::Between(least, most) => {
                let mut at_us = at_us;
                for _ in 0..least + draw.below(most - least + 1) {
                    tap.call(call(at_us), draw);
                    at_us += (draw.skewed(400.0, 2.0) * 1_000.0) as i64;
                }
            }
            Fan::Ports(ports) => {
                for (&port, number) in ports.iter().zip(0..) {
                    let at_us = at_us + number * 150_000 + i64::from(draw.below(50_000));
                    tap.call(
                        Call {
                            port: Some(port),
                            ..call(at_us)
                        },
                        draw,
                    );
                }
            }
        }
    }

    /// A piece of the one long conversation. It keeps its port for a day.
    fn piece(&self, key: u64, at_us: i64, lasts_us: i64, draw: &mut Draw, tap: &mut Tap<'_>) {
        let Peers::One(to) = self.to else { return };
        let port = ephemeral(mix(key ^ at_us.div_euclid(DAY_US) as u64) as u32);
        let call = Call::new(self.from, to, at_us, &self.what);
        tap.call(
            Call {
                source_port: Some(port),
                lasts_us: Some(lasts_us - 1_000),
                ..call
            },
            draw,
        );
    }
}

impl Days {
    fn has(self, weekday: u8) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => only == weekday,
        }
    }
}

impl Fan {
    fn mean(self) -> f64 {
        match self {
            Self::One => 1.0,
            Self::Between(least, most) => f64::from(least + most) / 2.0,
            Self::Ports(ports) => ports.len() as f64,
        }
    }
}

/// The instants in a window that are whole periods apart, from a phase that `key` sets.
fn ticks(key: u64, window: &Window, period_us: i64) -> impl Iterator<Item = i64> + use<> {
    let phase_us = (mix(key) % period_us as u64) as i64;
    let first = (window.from_us - phase_us).div_euclid(period_us) * period_us + phase_us;
    let first = if first < window.from_us {
        first + period_us
    } else {
        first
    };
    let to_us = window.to_us;
    (0..)
        .map(move |tick| first + tick * period_us)
        .take_while(move |&tick_us| tick_us < to_us)
}

/// A number in [0, 1) from the upper bits of another.
fn fraction(number: u64) -> f64 {
    (number >> 40) as f64 / (1_u64 << 24) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    #[track_caller]
    fn check(key: u64, period_us: i64) {
        let hour = Calendar::new(&Options::default()).unwrap().hour_at(0);
        let window = |from_us, to_us| Window {
            from_us,
            to_us,
            hour,
        };
        let whole: Vec<i64> = ticks(key, &window(1_000_000, 2_000_000), period_us).collect();
        let halves = [window(1_000_000, 1_300_000), window(1_300_000, 2_000_000)]
            .map(|half| ticks(key, &half, period_us));
        assert_eq!(whole, halves.into_iter().flatten().collect::<Vec<_>>());
        assert!(whole.windows(2).all(|pair| pair[1] - pair[0] == period_us));
        let fitting = 1_000_000 / period_us;
        assert!(
            (fitting..=fitting + 1).contains(&(whole.len() as i64)),
            "{} ticks",
            whole.len()
        );
    }

    #[test]
    fn ticks_go_on_from_window_to_window() {
        check(1, 7_000);
        check(2, 1_000_000);
        check(3, 999_983);
    }
}
