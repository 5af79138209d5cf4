//! The rhythm of a track, by which a peer that moves to another address is known again.

use wardflow_sdk::{SECOND, math};

use crate::{
    EQUAL_SIZES, Key, Regularity,
    histogram::{Histogram, Mode, Scale},
    track::{INTERVALS, SIZES, Track},
};

/// When contacts with a port come, and how large they are. Only of regular contacts with payload of equal sizes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    port: u16,
    protocol: u8,
    interval: Mode,
    sent: Mode,
    received: Mode,
}

impl Rhythm {
    pub(crate) fn of((_, port, protocol): Key, track: &Track) -> Option<Self> {
        let size = |sizes: &Histogram| sizes.mode(SIZES).filter(|mode| mode.share >= EQUAL_SIZES);
        let interval = Regularity::of(track).filter(|found| found.is_regular(1.0))?.mode;
        Some(Self { port, protocol, interval, sent: size(&track.sent)?, received: size(&track.received)? })
    }

    /// Whether another one is the same: port, interval give or take a fifth, sizes give or take a twentieth.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let is_near = |one: Mode, two: Mode, scale: Scale| {
            let ratio = scale.step * f64::from(scale.window) / 2.0;
            math::ln(one.middle / two.middle).abs() <= ratio
        };
        (self.port, self.protocol) == (other.port, other.protocol)
            && is_near(self.interval, other.interval, INTERVALS)
            && is_near(self.sent, other.sent, SIZES)
            && is_near(self.received, other.received, SIZES)
    }

    /// The longest of its intervals, in microseconds.
    pub(crate) fn longest(&self) -> i64 {
        (self.interval.high * SECOND as f64) as i64
    }
}
