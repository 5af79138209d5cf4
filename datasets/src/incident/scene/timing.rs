//! Timing: when an incident does what it does, by the seed.

use super::{Scene, Stretch, call};
use crate::{
    cadence::{ACTIVE_TIMEOUT_US, Days},
    calendar::{HOUR_US, SECOND_US},
    exchange::Exchange,
    site::{DeviceIndex, Party},
    tap::{Call, ephemeral},
};

/// Every incident begins after the first share of the span and is over by the second.
const OPEN: (f64, f64) = (0.51, 0.97);
/// How many occasions are left of a series, however low the intensity.
const OCCASIONS_AT_LEAST: u32 = 10;

impl Scene<'_> {
    /// From some instant between two shares of the span on, for so long, as far as the span allows.
    pub(in crate::incident) fn times(&mut self, (earliest, latest): (f64, f64), lasts_us: i64) -> Stretch {
        let from_us = self.site.calendar.at_share(self.draw.between(earliest, latest));
        (from_us, (from_us + lasts_us).min(self.site.calendar.at_share(OPEN.1)))
    }

    /// Up to so many stretches, one a day on consecutive ones of these days, between two local minutes, of which up to
    /// a sixth is left out at either end. If the second half of the span has no hour of them, most of that half.
    pub(in crate::incident) fn shifts(
        &mut self,
        days: Days,
        count: usize,
        (from_minute, to_minute): (f64, f64),
    ) -> Vec<Stretch> {
        let calendar = &self.site.calendar;
        let (open_us, over_us) = (calendar.at_share(OPEN.0), calendar.at_share(OPEN.1));
        let chosen = calendar.days().iter().filter(|day| days.has(day.weekday));
        let whole = chosen.map(|day| (calendar.instant(day, from_minute), calendar.instant(day, to_minute)));
        let within = whole.map(|(from_us, to_us)| (from_us.max(open_us), to_us.min(over_us)));
        let shifts: Vec<Stretch> = within.filter(|(from_us, to_us)| to_us - from_us >= HOUR_US).collect();
        if shifts.is_empty() {
            return vec![(calendar.at_share(0.6), calendar.at_share(0.95))];
        }
        let skipped = self.draw.below((shifts.len().saturating_sub(count) + 1) as u32) as usize;
        let mut shorten = |(from_us, to_us): Stretch| {
            let most = (to_us - from_us) as f64 / 6.0;
            let [late_us, early_us] = [(); 2].map(|()| (self.draw.unit() * most) as i64);
            (from_us + late_us, to_us - early_us)
        };
        shifts.into_iter().skip(skipped).take(count).map(&mut shorten).collect()
    }

    /// Instants that are between two numbers of seconds apart, through all of these stretches, as far as intensity
    /// allows.
    pub(in crate::incident) fn series(&mut self, stretches: &[Stretch], (least, most): (f64, f64)) -> Vec<i64> {
        let mut instants = Vec::new();
        for &(from_us, to_us) in stretches {
            let mut at_us = from_us + (self.draw.between(0.0, least) * SECOND_US as f64) as i64;
            while at_us < to_us {
                instants.push(at_us);
                at_us += (self.draw.between(least, most) * SECOND_US as f64) as i64;
            }
        }
        instants.truncate(self.many(instants.len() as u32, OCCASIONS_AT_LEAST) as usize);
        instants
    }

    /// One connection that stays open, in the pieces that the exporter makes of it.
    pub(in crate::incident) fn connection<'c>(
        &mut self,
        from: DeviceIndex,
        to: Party,
        (from_us, to_us): Stretch,
        exchange: &'c Exchange,
    ) -> Vec<Call<'c>> {
        let port = ephemeral(self.draw.below(u32::from(u16::MAX)));
        let begins = (0..).map(|piece| from_us + piece * ACTIVE_TIMEOUT_US).take_while(|&at_us| at_us < to_us);
        let piece = |at_us: i64| Call {
            source_port: Some(port),
            lasts_us: Some((to_us - at_us).min(ACTIVE_TIMEOUT_US) - 1),
            ..call(from, to, at_us, exchange)
        };
        begins.map(piece).collect()
    }
}
