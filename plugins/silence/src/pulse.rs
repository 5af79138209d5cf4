//! A device's contacts as they come, and the pauses between them.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{HOUR, MINUTE, Slice};

use crate::baseline::PAUSE;

/// Contacts in an hour that show a device in use, at least, and after a silence that use goes on.
pub(crate) const BUSY: u32 = 6;
/// Use goes on within this time.
const RESUMES: i64 = HOUR;
/// What the last hour is counted in.
const BUCKET: i64 = 5 * MINUTE;
/// Attempts in a silence that show that the device is on the network.
const LIFE: u32 = 3;

/// The rhythm of contacts. Times are in microseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pulse {
    /// End of the last contact, and its minute of the local week.
    last: Option<i64>,
    minute_of_week: u16,
    /// Contacts of the last hour, the newest at the end, and the number of that bucket.
    recent: [u16; 12],
    bucket: i64,
    /// Since the last contact, in earlier slices: time in which the sensors delivered nothing.
    blind: i64,
    /// Since then: attempts, and the end of the last.
    life: u32,
    last_life: i64,
    /// A pause that began in use, until it is known whether use goes on.
    pending: Option<Silence>,
}

/// A silence that began in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Silence {
    /// End of the last contact before it.
    pub(crate) from: i64,
    /// Start of the first contact after it, or end of the slice if there is none yet.
    pub(crate) to: i64,
    /// End of the last flow that shows it.
    pub(crate) last_flow: i64,
    /// Time in it in which the sensors delivered nothing.
    blind: i64,
    /// Minute of the local week at its beginning.
    pub(crate) minute_of_week: u16,
    /// Contacts after it.
    contacts: u32,
    /// Attempts in it.
    pub(crate) life: u32,
    pub(crate) has_ended: bool,
}

impl Pulse {
    /// Takes a contact. `rate` is what an hour usually has, by its minute of the week. Returns a silence after which
    /// use went on.
    pub(crate) fn beat(
        &mut self,
        start: i64,
        end: i64,
        minute_of_week: u16,
        rate: impl Fn(u16) -> f64,
    ) -> Option<Silence> {
        if let Some(last) = self.last.filter(|last| start - last >= PAUSE) {
            let is_in_use = f64::from(self.recent()) >= (rate(self.minute_of_week) / 2.0).max(f64::from(BUSY));
            self.pending = is_in_use.then_some(Silence {
                from: last,
                to: start,
                last_flow: end,
                blind: self.blind,
                minute_of_week: self.minute_of_week,
                contacts: 0,
                life: self.life,
                has_ended: true,
            });
        }
        self.add(end);
        (self.blind, self.life, self.minute_of_week) = (0, 0, minute_of_week);
        self.last = Some(self.last.map_or(end, |last| last.max(end)));
        // A contact that lasted all the while, or one too late to be what ended the silence.
        self.pending.take_if(|pending| start <= pending.from || start - pending.to > RESUMES);
        let pending = self.pending.as_mut()?;
        pending.contacts += 1;
        pending.last_flow = end;
        if pending.contacts >= BUSY { self.pending.take() } else { None }
    }

    /// Takes an attempt, which shows the device on the network.
    pub(crate) fn live(&mut self, time: i64) {
        (self.life, self.last_life) = (self.life.saturating_add(1), time);
    }

    /// Ends a slice: tells the gaps of the sensors from silence, in the silences that ended as well. Returns the
    /// silence that goes on, if the device is still on the network.
    pub(crate) fn end_slice(
        &mut self,
        slice: &Slice<'_>,
        ended: &mut [Silence],
        rate: impl Fn(u16) -> f64,
    ) -> Option<Silence> {
        for silence in ended.iter_mut().chain(&mut self.pending).filter(|silence| silence.to >= slice.start) {
            silence.blind += slice.blind(silence.from, silence.to);
        }
        let last = self.last?;
        self.blind += slice.blind(last, slice.end);
        let is_in_use = f64::from(self.recent()) >= (rate(self.minute_of_week) / 2.0).max(f64::from(BUSY));
        let is_alive = self.life >= LIFE && self.last_life >= slice.start && self.last_life - last >= PAUSE;
        (is_in_use && is_alive).then_some(Silence {
            from: last,
            to: self.last_life,
            last_flow: self.last_life,
            blind: self.blind,
            minute_of_week: self.minute_of_week,
            contacts: 0,
            life: self.life,
            has_ended: false,
        })
    }

    /// Contacts in the hour before the last.
    fn recent(&self) -> u32 {
        self.recent.iter().map(|count| u32::from(*count)).sum()
    }

    fn add(&mut self, time: i64) {
        let bucket = time.div_euclid(BUCKET);
        let steps = usize::try_from((bucket - self.bucket).clamp(0, 12)).unwrap_or_default();
        if steps > 0 {
            self.recent.rotate_left(steps % 12);
            self.recent[12 - steps..].fill(0);
            self.bucket = bucket;
        }
        self.recent[11] = self.recent[11].saturating_add(1);
    }
}

impl Silence {
    /// Microseconds of it in which the sensors delivered.
    pub(crate) const fn length(&self) -> i64 {
        self.to - self.from - self.blind
    }
}
