//! Tries in a row, and the session that they may lead to.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{HOUR, SECOND, math};

use crate::spread::Spread;

/// Tries of a run that may be reported.
pub(crate) const LEAST: u32 = 8;
/// Tries further apart than this are not of one run, nor is a session later than this its success.
pub(crate) const PATIENCE: i64 = HOUR;
/// Tries after a session that show that short connections are simply what the pair does; save after so many in a row,
/// which no work is, or so soon, as those that guess in parallel have tries on the way when one succeeds.
const AFTERWARDS: usize = 3;
const COUNTLESS: u32 = 100;
const ON_THE_WAY: i64 = 60 * SECOND;

/// Tries in a row, without a session between them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) tries: u32,
    pub(crate) first: i64,
    /// Starts of the latest tries, in order; zero for none.
    latest: [i64; AFTERWARDS],
    size: Spread,
    interval: Spread,
    /// Payload of the session that followed, in bytes, and its start; zero for none.
    pub(crate) success: u64,
    opened: i64,
}

impl Run {
    /// Takes a try, with so many bytes of payload.
    pub(crate) fn take_try(&mut self, start: i64, bytes: u64) {
        let interval = start - self.last();
        if interval > PATIENCE {
            *self = Self::default();
        }
        self.come(start);
        if self.success > 0 && self.has_gone_on_after(self.opened) {
            self.take_back_success();
        }
        if self.success > 0 {
            return;
        }
        if self.tries == 0 {
            self.first = start;
        } else {
            self.interval.add(interval.max(0) as f64 / SECOND as f64);
        }
        self.tries = self.tries.saturating_add(1);
        self.size.add(math::ln(bytes as f64));
    }

    /// Takes a session that began no earlier than the first try, with so many bytes of payload.
    pub(crate) fn take_session(&mut self, start: i64, bytes: u64) {
        if self.tries < LEAST || self.is_over(start) {
            *self = Self::default();
        } else if self.has_gone_on_after(start) {
            self.take_back_success();
        } else {
            if self.success == 0 {
                self.opened = start;
            }
            self.success = self.success.max(bytes);
        }
    }

    /// Whether it ended long before a time.
    pub(crate) const fn is_over(&self, time: i64) -> bool {
        time - self.last() > PATIENCE
    }

    /// Notes the start of a try.
    fn come(&mut self, start: i64) {
        if start > self.latest[0] {
            self.latest[0] = start;
            self.latest.sort_unstable();
        }
    }

    /// Start of the last try; zero for none.
    pub(crate) const fn last(&self) -> i64 {
        self.latest[AFTERWARDS - 1]
    }

    /// Whether tries go on after a session that began then.
    const fn has_gone_on_after(&self, session: i64) -> bool {
        self.latest[0] > session + ON_THE_WAY
    }

    /// Takes the session for work, and with it the tries before, unless they are too many for that.
    fn take_back_success(&mut self) {
        match self.tries {
            ..COUNTLESS => *self = Self { latest: self.latest, ..Self::default() },
            _ => self.success = 0,
        }
    }

    /// Hours that it lasts, one at least.
    pub(crate) fn hours(&self) -> f64 {
        ((self.last() - self.first) as f64 / HOUR as f64).max(1.0)
    }

    /// Tries a minute.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.tries) / ((self.last() - self.first) as f64 / (60 * SECOND) as f64).max(1.0)
    }

    /// Standard deviation of the logarithm of payloads: 0.5 is a half more or less.
    pub(crate) fn size_deviation(&self) -> f64 {
        self.size.deviation()
    }

    /// Whether a program asks by the clock, with always the same: a check of health. Guesses differ in length.
    pub(crate) fn is_clockwork(&self) -> bool {
        let mean = f64::from(self.interval.mean);
        mean >= 20.0 && self.interval.deviation() <= 0.05 * mean && self.size.deviation() <= 0.02
    }
}
