use serde::{Deserialize, Serialize};

use crate::{DAY, HOUR};

/// A device that was silent as long as this comes back as another one: moved, repaired, or lent.
const AWAY: i64 = 7 * DAY;

/// How much was seen of a device: hours with traffic, not hours that pass, and flows. A device on a shelf learns nothing.
///
/// ```
/// use wardflow_sdk::{HOUR, Learning, MINUTE};
/// let mut learning = Learning::default();
/// (0..240).for_each(|flow| { learning.count(flow * 10 * MINUTE); });
/// assert_eq!((learning.hours(), learning.flows()), (40, 240));
/// assert_eq!(learning.progress(80, 100), 0.5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learning {
    hours: u32,
    flows: u64,
    /// The last hour with traffic, in hours since 1970.
    last_hour: i64,
    /// End of the last flow.
    last: Option<i64>,
}

/// Whether a flow goes on with what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// It does, or it is the first.
    GoesOn,
    /// The device was silent for a week: what it did before tells little of what it does now.
    Returned,
}

impl Learning {
    /// Counts a flow that ended at `time`, in microseconds since 1970. After a week of silence counting begins anew.
    pub fn count(&mut self, time: i64) -> Continuity {
        let is_back = self.last.is_some_and(|last| time - last >= AWAY);
        if is_back {
            *self = Self::default();
        }
        self.flows += 1;
        let hour = time.div_euclid(HOUR);
        if self.last.is_none() || hour != self.last_hour {
            (self.hours, self.last_hour) = (self.hours.saturating_add(1), hour);
        }
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        if is_back { Continuity::Returned } else { Continuity::GoesOn }
    }

    /// Hours with traffic.
    pub const fn hours(&self) -> u32 {
        self.hours
    }

    /// Flows.
    pub const fn flows(&self) -> u64 {
        self.flows
    }

    /// How far learning is, in [0, 1], that needs so many hours with traffic and so many flows.
    pub fn progress(&self, hours: u32, flows: u64) -> f64 {
        let hours = f64::from(self.hours) / f64::from(hours.max(1));
        hours.min(self.flows as f64 / flows.max(1) as f64).min(1.0)
    }

    /// Whether that is enough.
    pub fn is_done(&self, hours: u32, flows: u64) -> bool {
        self.progress(hours, flows) >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Continuity, Learning};
    use crate::{DAY, HOUR};

    #[test]
    fn who_was_away_for_a_week_learns_anew() {
        let mut learning = Learning::default();
        (0..48).for_each(|hour| assert_eq!(learning.count(hour * HOUR), Continuity::GoesOn));
        assert!(learning.is_done(48, 48) && !learning.is_done(49, 48));
        assert_eq!(learning.count(8 * DAY), Continuity::GoesOn);
        assert_eq!(learning.hours(), 49);
        assert_eq!(learning.count(15 * DAY), Continuity::Returned);
        assert_eq!((learning.hours(), learning.flows()), (1, 1));
    }

    #[test]
    fn flows_that_end_in_one_hour_are_one_hour() {
        let mut learning = Learning::default();
        (-3..3).for_each(|minute| {
            learning.count(minute * 60_000_000);
        });
        assert_eq!((learning.hours(), learning.flows()), (2, 6));
    }
}
