use serde::{Deserialize, Serialize};
use wardflow_sdk::{HOUR, MINUTE, Slice};

/// Contacts with servers within [`BUSY`] that show a pump in use.
const CONTACTS: usize = 20;
/// A pump in use makes [`CONTACTS`] in this time.
const BUSY: i64 = 30 * MINUTE;
/// The least pause that is looked at.
const PAUSE: i64 = 10 * MINUTE;
/// Flows in a silence that show that the pump is on the network.
const LIFE: u32 = 3;
/// Silence that has not ended is not reported any longer than this.
const ONGOING: i64 = 24 * HOUR;

/// The rhythm of a pump's contacts with its servers, and the pauses in it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pulse {
    /// Ends of the last contacts, oldest first.
    recent: Vec<i64>,
    /// Minute of the local week of the last one.
    minute_of_week: u16,
    /// Since then, in earlier slices: time in which the sensors delivered nothing.
    blind: i64,
    /// Since then: other flows that show the pump on the network, and the end of the last.
    life: u32,
    last_life: i64,
    /// A pause after use, until it is known whether use went on.
    pending: Option<Silence>,
    /// The longest silence in use that was learned, in microseconds.
    longest: i64,
}

/// A silence that began in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Silence {
    /// End of the last contact before it.
    pub(crate) from: i64,
    /// End of the first contact after it, or of the slice if there is none yet.
    pub(crate) to: i64,
    /// End of the first contact after it, or of the last sign of life if there is none yet.
    pub(crate) last_flow: i64,
    /// Time in it in which the sensors delivered nothing.
    blind: i64,
    /// Minute of the local week at its beginning.
    pub(crate) minute_of_week: u16,
    /// Flows that show it: contacts after it, or signs of life.
    pub(crate) flows: u32,
    pub(crate) has_ended: bool,
}

impl Pulse {
    /// Takes a contact with a server. Returns a silence of which it is now known that use went on after it.
    pub(crate) fn beat(&mut self, time: i64, minute_of_week: u16) -> Option<Silence> {
        if let Some(last) = self.recent.last().copied().filter(|last| time - last >= PAUSE) {
            let minute_of_week = self.minute_of_week;
            let (to, last_flow, blind) = (time, time, self.blind);
            let silence = Silence { from: last, to, last_flow, blind, minute_of_week, flows: 0, has_ended: true };
            self.pending = self.is_in_use().then_some(silence);
        }
        (self.blind, self.life, self.minute_of_week) = (0, 0, minute_of_week);
        if self.recent.len() == CONTACTS {
            self.recent.remove(0);
        }
        self.recent.push(time);
        let pending = self.pending.as_mut()?;
        pending.flows += 1;
        let is_busy_again = pending.flows as usize >= CONTACTS;
        if time - pending.to > BUSY {
            self.pending = None;
        }
        if is_busy_again { self.pending.take() } else { None }
    }

    /// Takes another flow that shows the pump on the network.
    pub(crate) fn live(&mut self, time: i64) {
        (self.life, self.last_life) = (self.life.saturating_add(1), time);
    }

    /// Ends a slice: tells the gaps of the sensors from silence, in the silences that ended as well. Returns the
    /// silence that goes on, if the pump is still on the network.
    pub(crate) fn end_slice(&mut self, slice: &Slice<'_>, ended: &mut [Silence]) -> Option<Silence> {
        for silence in ended.iter_mut().chain(&mut self.pending).filter(|silence| silence.to >= slice.start) {
            silence.blind += slice.blind(silence.from, silence.to);
        }
        let last = *self.recent.last()?;
        self.blind += slice.blind(last, slice.end);
        let is_alive = self.life >= LIFE && self.last_life >= slice.start && slice.end - last <= ONGOING;
        (is_alive && self.is_in_use()).then_some(Silence {
            from: last,
            to: slice.end,
            last_flow: self.last_life,
            blind: self.blind,
            minute_of_week: self.minute_of_week,
            flows: self.life,
            has_ended: false,
        })
    }

    /// Learns that a silence is nothing unusual.
    pub(crate) fn learn(&mut self, silence: &Silence) {
        self.longest = self.longest.max(silence.length());
    }

    /// The longest silence in use that was learned, in microseconds.
    pub(crate) fn longest(&self) -> i64 {
        self.longest
    }

    fn is_in_use(&self) -> bool {
        match self.recent.as_slice() {
            [first, .., last] => self.recent.len() == CONTACTS && last - first <= BUSY,
            _ => false,
        }
    }
}

impl Silence {
    /// Microseconds of it in which the sensors delivered.
    pub(crate) fn length(&self) -> i64 {
        self.to - self.from - self.blind
    }
}
