//! A moment: when a single oddity happens, by the seed, in the second half of the span, in which detectors report.

use super::Oddity;
use crate::{cadence::Days, draw::Draw, site::Site};

/// Keeps chance for oddities apart from that for flows and incidents.
const PART: u64 = u64::MAX - 1;
/// The shares of the span between which it begins.
const OPEN: (f64, f64) = (0.5, 0.88);

/// The chance that an oddity takes, the same each time.
pub(super) fn chance(site: &Site, oddity: Oddity) -> Draw {
    Draw::new(site.seed, oddity as u64, PART)
}

/// This local minute of one of these days; `None` if none of them lies in the second half of the span.
pub(super) fn moment(site: &Site, oddity: Oddity, days: Days, minute: f64) -> Option<i64> {
    let calendar = &site.calendar;
    let open = calendar.at_share(OPEN.0)..calendar.at_share(OPEN.1);
    let chosen = calendar.days().iter().filter(|day| days.has(day.weekday));
    let moments: Vec<i64> =
        chosen.map(|day| calendar.instant(day, minute)).filter(|at_us| open.contains(at_us)).collect();
    chance(site, oddity).one_of(&moments).copied()
}
