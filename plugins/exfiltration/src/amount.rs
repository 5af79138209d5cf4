//! Amounts, what is usual of them, and what is made of one that is not.

use std::fmt;

use wardflow_sdk::{Level, Severity, math, surprise};

/// Bits from which a new peer is reported: what a device shows on one day in 250.
pub(crate) const REPORTED: f64 = 8.0;
/// One in a million.
pub(crate) const STRONG: f64 = 20.0;
/// One in 10^12.
pub(crate) const VERY_STRONG: f64 = 40.0;

/// Bytes a day below which amounts are alike.
const NOTHING: f64 = 100_000.0;
/// Least standard deviation of the logarithm of an amount for one peer: a factor of e.
const LEAST: f64 = 1.0;
/// As [`LEAST`], for all that goes outside in a day, which varies less: a factor of 1.65.
const LEAST_OF_DAYS: f64 = 0.5;

/// Days that a level remembers.
const MEMORY: u32 = 28;

/// The logarithm by which amounts are compared.
fn log(bytes: f64) -> f64 {
    math::ln(NOTHING + bytes)
}

/// Teaches a level the amount of a day.
pub(crate) fn teach(level: &mut Level, bytes: f64) {
    level.learn(log(bytes), MEMORY, LEAST);
}

/// What amounts are judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Yardstick {
    mean: f64,
    deviation: f64,
}

impl Yardstick {
    /// Of a device that sends nothing, before anything was learned: ln 100,000, and one and a half times the least
    /// deviation.
    pub(crate) const UNLEARNED: Self = Self { mean: 11.512_925_464_970_229, deviation: 1.5 * LEAST };

    /// What was learned of a peer, or of new ones.
    pub(crate) fn of(level: &Level) -> Self {
        Self::with(level, LEAST)
    }

    /// What was learned of whole days.
    pub(crate) fn of_days(level: &Level) -> Self {
        Self::with(level, LEAST_OF_DAYS)
    }

    /// A level of few values may be off by as much as they vary.
    fn with(level: &Level, least: f64) -> Self {
        let values = f64::from(level.values());
        if values < 1.0 {
            return Self::UNLEARNED;
        }
        Self { mean: level.mean(), deviation: level.deviation().max(least) * (1.0 + 2.0 / values) }
    }

    pub(crate) fn sigmas(self, bytes: f64) -> f64 {
        (log(bytes) - self.mean) / self.deviation
    }

    /// Bits of an amount that is sent to a peer which none of `company` devices uses, one of `looks` peers.
    pub(crate) fn bits(self, bytes: f64, company: u32, looks: f64) -> f64 {
        let class = if company > 0 { surprise::of_novelty(f64::from(company)) } else { 0.0 };
        surprise::of_deviation(self.sigmas(bytes)) + class - math::log2(looks.max(1.0))
    }

    /// What would have been no surprise: two deviations above the mean.
    pub(crate) fn usual(self) -> f64 {
        (math::exp(self.mean + 2.0 * self.deviation) - NOTHING).max(0.0)
    }
}

/// What is made of a peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) bits: f64,
    pub(crate) severity: Severity,
    pub(crate) confidence: f64,
    /// The bytes that were judged.
    pub(crate) amount: f64,
    /// The bytes that the peer sent back meanwhile, where records tell.
    pub(crate) received: Option<u64>,
    /// The most that would have been no surprise.
    pub(crate) usual: f64,
    pub(crate) is_new: bool,
    /// Other devices of the class that use the peer.
    pub(crate) others: u32,
}

/// Bytes, as a person says them.
pub(crate) struct Amount(pub(crate) f64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ ..1e6 => write!(f, "{:.0} kB", bytes / 1e3),
            bytes @ ..1e9 => write!(f, "{:.1} MB", bytes / 1e6),
            bytes => write!(f, "{:.1} GB", bytes / 1e9),
        }
    }
}
