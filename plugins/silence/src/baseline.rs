//! When a device is in use, and which pauses it makes then.

use serde::{Deserialize, Serialize};
use wardflow_common::day_type_and_hour;
use wardflow_sdk::{HOUR, MINUTE, math};

/// The least pause that is looked at, in microseconds.
pub(crate) const PAUSE: i64 = 10 * MINUTE;
/// An hour is usual if the device has contact in it on so many of its days.
const USUAL: f64 = 0.8;
/// Days of a type before its hours are known.
const LEAST_DAYS: u16 = 2;
/// Days that the mean of an hour remembers.
const MEMORY: u16 = 28;
/// What is assumed of a device whose pauses are few: so many pauses, of e^0.25 times ten minutes on average.
const ASSUMED_PAUSES: f64 = 2.0;
const ASSUMED_MEAN: f64 = 0.25;
/// Pauses after which their weight is halved.
const MOST_PAUSES: f64 = 200.0;
/// Continuous contact: contact in so many of all hours that the sensors saw, for a week, and so many contacts in each.
const CONTINUOUS: f64 = 0.98;
const CONTINUOUS_HOURS: f64 = 168.0;
/// Hours after which these count half, so that who was away for days is continuous again.
const CONTINUOUS_MEMORY: f64 = 336.0;
const CONTINUOUS_RATE: f64 = 20.0;
/// Nor does such a device pause for longer.
const CONTINUOUS_PAUSE: i64 = 15 * MINUTE;
/// Each week with contact takes this share of the longest pause: what was long once in months tells nothing, and what is so
/// once a month stays usual.
const FADES: i64 = 8;
/// Hours of a week.
const WEEK: i64 = 168;

/// What was learned of one device.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// By type of day, 1 for weekends, and local hour.
    slots: [[Slot; 24]; 2],
    /// Days with contact, by type.
    days: [u16; 2],
    /// Day of the local week, from 1, and hour since 1970, of the hour that was learned last.
    last_day: u16,
    last_hour: i64,
    /// The hour that is going on, in hours since 1970, its minute of the local week, and its contacts.
    hour: i64,
    minute_of_week: u16,
    contacts: u32,
    /// Hours with contact, and hours that the sensors saw, of the last weeks.
    active: f64,
    observed: f64,
    /// Pauses in use, and the sum of the logarithms of their lengths in units of [`PAUSE`].
    pauses: f64,
    logarithms: f64,
    longest: i64,
}

/// A local hour.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Slot {
    /// Days on which it had contact.
    days: u16,
    /// Contacts on these.
    mean: f32,
}

impl Baseline {
    /// Counts a contact that ended at `time`.
    pub(crate) fn count(&mut self, time: i64, minute_of_week: u16) {
        let hour = time.div_euclid(HOUR);
        if hour != self.hour {
            self.close();
            (self.hour, self.minute_of_week) = (hour, minute_of_week);
        }
        self.contacts = self.contacts.saturating_add(1);
    }

    /// Counts time that the sensors saw.
    pub(crate) fn observe(&mut self, micros: i64) {
        self.observed += micros as f64 / HOUR as f64;
        if self.observed >= CONTINUOUS_MEMORY {
            (self.active, self.observed) = (self.active / 2.0, self.observed / 2.0);
        }
    }

    fn close(&mut self) {
        let contacts = std::mem::take(&mut self.contacts);
        if contacts == 0 {
            return;
        }
        self.active += 1.0;
        let (kind, local) = day_type_and_hour(self.minute_of_week);
        let day = self.minute_of_week / 1_440 + 1;
        if day != self.last_day || self.hour - self.last_hour >= 24 {
            self.days[kind] = self.days[kind].saturating_add(1);
        }
        if self.hour.div_euclid(WEEK) != self.last_hour.div_euclid(WEEK) {
            self.longest -= self.longest / FADES;
        }
        (self.last_day, self.last_hour) = (day, self.hour);
        let slot = &mut self.slots[kind][local];
        slot.days = slot.days.saturating_add(1);
        slot.mean += (contacts as f32 - slot.mean) / f32::from(slot.days.min(MEMORY));
    }

    /// Contacts in a local hour, on days that have any.
    pub(crate) fn rate(&self, minute_of_week: u16) -> f64 {
        let (kind, local) = day_type_and_hour(minute_of_week);
        f64::from(self.slots[kind][local].mean)
    }

    /// Whether the device has contact in all local hours from a minute of the week on, for so long.
    pub(crate) fn is_usual(&self, minute_of_week: u16, micros: i64) -> bool {
        let minutes = u64::try_from(micros / MINUTE).unwrap_or_default();
        (0..=minutes / 60 + 1).all(|hour| {
            let minute = u64::from(minute_of_week) + (hour * 60).min(minutes);
            let (kind, local) = day_type_and_hour((minute % 10_080) as u16);
            let (days, with_contact) = (self.days[kind], self.slots[kind][local].days);
            // The day that is going on may not have come to this hour yet.
            days >= LEAST_DAYS && f64::from(with_contact) >= USUAL * f64::from(days - 1)
        })
    }

    /// Whether the device has contact in every hour of every day.
    pub(crate) fn is_continuous(&self) -> bool {
        let means = self.slots.iter().flatten().filter(|slot| slot.days > 0);
        self.observed >= CONTINUOUS_HOURS
            && self.active >= CONTINUOUS * self.observed - 1.0
            && self.longest <= CONTINUOUS_PAUSE
            && means.clone().all(|slot| f64::from(slot.mean) >= CONTINUOUS_RATE)
    }

    /// Learns a pause in use. One that was reported counts as half longer than the longest at most. The longest is `most`
    /// at most.
    pub(crate) fn learn(&mut self, length: i64, was_reported: bool, most: i64) {
        let bearable = self.longest.max(PAUSE) / 2 * 3;
        let length = if was_reported { length.min(bearable) } else { length };
        self.longest = self.longest.max(length.min(most));
        self.pauses += 1.0;
        self.logarithms += logarithm(length);
        if self.pauses >= MOST_PAUSES {
            (self.pauses, self.logarithms) = (self.pauses / 2.0, self.logarithms / 2.0);
        }
    }

    /// The longest pause in use that was learned, as far as it did not fade, in microseconds.
    pub(crate) const fn longest(&self) -> i64 {
        self.longest
    }

    /// Surprise of a pause, in bits: the tail of pauses falls as a power of their length, the exponent of which is
    /// estimated from the pauses so far (Hill, "A Simple General Approach to Inference About the Tail of a
    /// Distribution", Annals of Statistics 3, 1975).
    pub(crate) fn bits(&self, length: i64) -> f64 {
        let mean = (self.logarithms + ASSUMED_PAUSES * ASSUMED_MEAN) / (self.pauses + ASSUMED_PAUSES);
        logarithm(length) / mean * std::f64::consts::LOG2_E
    }
}

fn logarithm(length: i64) -> f64 {
    math::ln((length as f64 / PAUSE as f64).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::{Baseline, WEEK};
    use wardflow_sdk::{HOUR, MINUTE};

    #[test]
    fn a_pause_is_measured_by_those_before() {
        let check = |pauses: &[i64], minutes: i64, low: f64, high: f64| {
            let mut baseline = Baseline::default();
            (0..20).flat_map(|_| pauses).for_each(|pause| baseline.learn(pause * MINUTE, false, 3 * HOUR));
            let bits = baseline.bits(minutes * MINUTE);
            assert!((low..high).contains(&bits), "{minutes} min after {pauses:?}: {bits}");
        };
        check(&[], 30, 6.0, 6.5);
        check(&[], 120, 14.0, 15.0);
        check(&[12, 14], 120, 12.0, 20.0);
        check(&[15, 40, 60], 120, 2.5, 4.0);
        check(&[15, 40, 60], 5, 0.0, 0.1);
    }

    /// Goes on for hours with contact every other minute.
    fn go_on(baseline: &mut Baseline, hours: std::ops::Range<i64>) {
        for hour in hours {
            let minute = (hour * 60 % 10_080) as u16;
            (0..30).for_each(|contact| baseline.count(hour * HOUR + contact * 2 * MINUTE, minute));
            baseline.observe(HOUR);
        }
    }

    #[test]
    fn one_long_pause_fades() {
        let mut baseline = Baseline::default();
        baseline.learn(5 * HOUR, false, 3 * HOUR);
        assert_eq!(baseline.longest(), 3 * HOUR);
        go_on(&mut baseline, 0..4 * WEEK + 2);
        assert!((100..120).contains(&(baseline.longest() / MINUTE)), "{}", baseline.longest() / MINUTE);
        go_on(&mut baseline, 4 * WEEK + 2..8 * WEEK + 2);
        assert!((60..65).contains(&(baseline.longest() / MINUTE)), "{}", baseline.longest() / MINUTE);
    }

    #[test]
    fn who_was_away_or_paused_once_is_continuous_again() {
        let mut baseline = Baseline::default();
        go_on(&mut baseline, 0..2 * WEEK);
        assert!(baseline.is_continuous());
        baseline.learn(20 * MINUTE, false, 3 * HOUR);
        (0..72).for_each(|_| baseline.observe(HOUR));
        assert!(!baseline.is_continuous());
        go_on(&mut baseline, 2 * WEEK + 72..3 * WEEK + 72);
        assert!(!baseline.is_continuous());
        go_on(&mut baseline, 3 * WEEK + 72..9 * WEEK);
        assert!(baseline.is_continuous());
    }
}
