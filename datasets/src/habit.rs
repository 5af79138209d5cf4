//! A habit: something that a device does again and again.

use crate::{
    cadence::{Cadence, Pace, Window, piece_us},
    calendar::{Calendar, DAY_US},
    draw::{Draw, mix},
    exchange::Exchange,
    site::{Outside, Party},
    tap::{Call, Tap, ephemeral},
};

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

/// How many flows come of one occasion.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fan {
    One,
    /// Evenly from the first number through the second.
    Between(u32, u32),
    /// One to each of these ports.
    Ports(&'static [u16]),
}

impl Habit {
    pub(crate) fn new(from: Party, to: Party, when: Cadence, what: Exchange) -> Self {
        Self { from, to: Peers::One(to), when, what, fan: Fan::One }
    }

    pub(crate) fn any_of(from: Party, to: &'static [Outside], when: Cadence, what: Exchange) -> Self {
        Self { from, to: Peers::AnyOf(to), when, what, fan: Fan::One }
    }

    pub(crate) fn fan(self, fan: Fan) -> Self {
        Self { fan, ..self }
    }

    /// The flows to expect over the whole span, at natural pace where the habit has no fixed hours.
    pub(crate) fn expected(&self, key: u64, calendar: &Calendar, kept: f64) -> f64 {
        self.when.expected(key, calendar, kept) * self.fan.mean()
    }

    /// Makes the flows of all occasions in a window. `key` is the habit's own number.
    pub(crate) fn act(
        &self,
        key: u64,
        window: &Window,
        pace: Pace,
        calendar: &Calendar,
        draw: &mut Draw,
        tap: &mut Tap<'_>,
    ) {
        self.when.each(key, window, pace, calendar, draw, |at_us, draw| match self.when {
            Cadence::Stream => self.piece(key, at_us, piece_us(pace), draw, tap),
            _ => self.occasion(at_us, draw, tap),
        });
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
            Fan::One => {
                tap.call(call(at_us), draw);
            }
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
                    tap.call(Call { port: Some(port), ..call(at_us) }, draw);
                }
            }
        }
    }

    /// A piece of the one long conversation. It keeps its port for a day.
    fn piece(&self, key: u64, at_us: i64, lasts_us: i64, draw: &mut Draw, tap: &mut Tap<'_>) {
        let Peers::One(to) = self.to else { return };
        let port = ephemeral(mix(key ^ at_us.div_euclid(DAY_US) as u64) as u32);
        let call = Call::new(self.from, to, at_us, &self.what);
        tap.call(Call { source_port: Some(port), lasts_us: Some(lasts_us - 1_000), ..call }, draw);
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
