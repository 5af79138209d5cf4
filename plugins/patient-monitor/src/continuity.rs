use serde::{Deserialize, Serialize};
use wardflow_sdk::{HOUR, MINUTE, Slice, math};

/// The least time without contact that is a break: telemetry comes each second, records of it each minute or more.
const LEAST: i64 = 5 * MINUTE;
/// Unbroken contact that shows a monitor in use.
const IN_USE: i64 = HOUR;
/// Stretches of a break, of [`LEAST`] each, in which other flows show the monitor on the network: as many, and a
/// quarter.
const LIFE: u32 = 3;
/// Bits of a break that lost records would hardly make.
const RARE: f64 = 14.0;
/// A longer break is none of lost records: six as exporters cut them, which a sensor that loses a third of all would lose in
/// a row once in two weeks.
const LOST: i64 = 3 * HOUR;
/// Contacts after which what is known of lost records is halved: a week and a half of records of half an hour.
const MEMORY: u32 = 512;
/// A break that has not ended is not told of any longer than this.
const ONGOING: i64 = 24 * HOUR;

/// The contact of a monitor with its central station, as its flows cover the time, and the breaks in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Continuity {
    /// Beginning and end of the unbroken contact so far, in microseconds since 1970.
    covered: Option<(i64, i64)>,
    /// Since then, in earlier slices: time in which the sensors delivered nothing.
    blind: i64,
    /// Since then: a bit for each stretch of [`LEAST`] in which another flow ended, the first 128; and the end of the
    /// last.
    life: u128,
    last_life: i64,
    /// Since then: whether the monitor asked for an address.
    has_asked: bool,
    usual: Usual,
}

/// How contact is seen, which sensors that lose flows break often. A break that is too long for that, or after which the
/// monitor asks for an address, is another matter: a night, or a way through the house.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Usual {
    contacts: u32,
    breaks: u32,
    /// What the contacts cover, and the longest break that was learned; in microseconds.
    covered: i64,
    longest: i64,
}

/// A break of contact in use.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Break {
    /// End of the last contact before it.
    pub(crate) from: i64,
    /// Beginning of the first contact after it, or end of the slice if there is none yet.
    to: i64,
    /// End of the first contact after it, or of the last sign of life if there is none yet.
    pub(crate) last_flow: i64,
    blind: i64,
    life: u128,
    has_asked: bool,
    pub(crate) has_ended: bool,
}

impl Continuity {
    /// Takes a contact with the central station. A long one that ends late fills the breaks that it spans.
    pub(crate) fn contact(&mut self, start: i64, end: i64, breaks: &mut Vec<Break>) {
        breaks.retain(|known| known.from < start);
        breaks.iter_mut().for_each(|known| known.to = known.to.min(start));
        let Some((since, until)) = self.covered else {
            self.covered = Some((start, end));
            return;
        };
        let is_broken = start - until >= LEAST;
        let may_be_lost = is_broken && start - until <= LOST && !self.has_asked;
        self.usual.take(may_be_lost, if is_broken { end - start } else { (end - until).max(0) });
        if is_broken && until - since >= IN_USE {
            let Self { blind, life, has_asked, .. } = *self;
            breaks.push(Break { from: until, to: start, last_flow: end, blind, life, has_asked, has_ended: true });
        }
        let since = if is_broken { start } else { since.min(start) };
        *self = Self { covered: Some((since, until.max(end))), usual: self.usual, ..Self::default() };
    }

    /// Takes another flow that shows the monitor on the network.
    pub(crate) fn live(&mut self, time: i64) {
        if let Some((_, until)) = self.covered.filter(|(_, until)| time > *until) {
            self.life |= 1 << stretches(until, time).min(127);
            self.last_life = time;
        }
    }

    /// Takes a request for an address.
    pub(crate) fn ask_for_address(&mut self) {
        self.has_asked = true;
    }

    /// Ends a slice: tells the gaps of the sensors from breaks. Returns the break that goes on, if the monitor is still
    /// on the network.
    pub(crate) fn end_slice(&mut self, slice: &Slice<'_>, ended: &mut [Break]) -> Option<Break> {
        for known in ended {
            known.blind += slice.blind(known.from, known.to);
        }
        let (since, until) = self.covered?;
        self.blind += slice.blind(until, slice.end);
        if slice.end - until > ONGOING {
            self.covered = None;
        }
        let is_break = slice.end - until >= LEAST && until - since >= IN_USE && self.last_life >= slice.start;
        let Self { blind, life, last_life: last_flow, has_asked, .. } = *self;
        let ongoing = Break { from: until, to: slice.end, last_flow, blind, life, has_asked, has_ended: false };
        (is_break && self.covered.is_some() && ongoing.is_alive()).then_some(ongoing)
    }

    /// Learns that a break is nothing unusual.
    pub(crate) fn learn(&mut self, known: &Break) {
        self.usual.longest = self.usual.longest.max(known.length());
    }

    /// Up to how many microseconds a break is none that would be unusual.
    pub(crate) fn usual(&self) -> i64 {
        let Usual { longest, .. } = self.usual;
        (longest + longest / 2).max(self.usual.lost())
    }
}

impl Usual {
    fn take(&mut self, is_broken: bool, covered: i64) {
        if self.contacts >= MEMORY {
            (self.contacts, self.breaks, self.covered) = (self.contacts / 2, self.breaks / 2, self.covered / 2);
        }
        self.contacts += 1;
        self.breaks += u32::from(is_broken);
        self.covered = self.covered.saturating_add(covered);
    }

    /// The time of so many records of contacts that one time in 16,384 all of them are lost, each as often as breaks follow
    /// contacts, the latest break aside; no more than [`LOST`]. A record is half an hour at most, as exporters cut them.
    fn lost(&self) -> i64 {
        let contacts = f64::from(self.contacts) + 1.0;
        let share = (f64::from(self.breaks.max(1)) - 0.5) / contacts;
        let record = (self.covered as f64 / contacts).min(30.0 * MINUTE as f64);
        ((record * RARE / math::log2(1.0 / share).max(0.1)) as i64).min(LOST)
    }
}

impl Break {
    /// Microseconds of it in which the sensors delivered.
    pub(crate) fn length(&self) -> i64 {
        self.to - self.from - self.blind
    }

    /// Whether other flows show that the monitor was on the network.
    pub(crate) fn is_alive(&self) -> bool {
        self.life() >= LIFE && self.life() * 4 >= stretches(self.from, self.to).min(128)
    }

    /// Whether the monitor was carried along: it asked for an address, as one that is moved or switched on does; or
    /// nothing at all was seen of it in some stretch, though other flows fill half of them.
    pub(crate) fn has_moved(&self) -> bool {
        let all = stretches(self.from, self.to).min(128);
        self.has_asked || (self.life() * 2 >= all && self.life() < all)
    }

    /// Stretches of five minutes in it with other flows.
    pub(crate) fn life(&self) -> u32 {
        let all = stretches(self.from, self.to);
        let before_end = 1_u128.checked_shl(all).map_or(u128::MAX, |end| end - 1);
        (self.life & before_end).count_ones()
    }
}

/// Whole stretches of [`LEAST`] in [`from`, `to`).
fn stretches(from: i64, to: i64) -> u32 {
    u32::try_from((to - from) / LEAST).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Continuity;
    use wardflow_sdk::{HOUR, MINUTE};

    #[test]
    fn a_long_contact_that_ends_late_fills_breaks() {
        let check = |contacts: &[(i64, i64)], lengths: &[i64]| {
            let (mut continuity, mut breaks) = (Continuity::default(), Vec::new());
            let contacts = contacts.iter().map(|(start, end)| (start * MINUTE, end * MINUTE));
            contacts.for_each(|(start, end)| continuity.contact(start, end, &mut breaks));
            assert_eq!(breaks.iter().map(|known| known.length() / MINUTE).collect::<Vec<_>>(), lengths);
        };
        assert_eq!(HOUR, 60 * MINUTE);
        check(&[(0, 60), (62, 90), (100, 130)], &[10]);
        check(&[(0, 30), (50, 70), (90, 100)], &[]);
        check(&[(0, 60), (100, 101), (30, 200)], &[]);
        check(&[(0, 60), (100, 101), (80, 200)], &[20]);
    }

    #[test]
    fn a_sensor_that_loses_flows_makes_breaks_usual() {
        let usual = |lost: fn(i64) -> bool| {
            let (mut continuity, mut breaks) = (Continuity::default(), Vec::new());
            let records = (0..192).filter(|record| !lost(*record));
            records.for_each(|record| continuity.contact(record * HOUR / 2, (record + 1) * HOUR / 2, &mut breaks));
            continuity.usual() / MINUTE
        };
        assert_eq!([usual(|_| false), usual(|record| record == 50), usual(|record| record % 10 == 9)], [48, 48, 129]);
        assert_eq!(usual(|record| record % 48 < 16), 52, "nights are none of its losses");
        assert_eq!(usual(|record| record % 2 == 0), 180, "as long as lost records explain at most");
    }

    #[test]
    fn what_a_monitor_is_carried_through_is_no_loss_of_its_sensor() {
        let (mut continuity, mut breaks) = (Continuity::default(), Vec::new());
        for record in (0..192).filter(|record| record % 10 != 9) {
            if record % 10 == 0 {
                continuity.ask_for_address();
            }
            continuity.contact(record * HOUR / 2, (record + 1) * HOUR / 2, &mut breaks);
        }
        assert_eq!(continuity.usual() / MINUTE, 49);
    }

    #[test]
    fn a_sensor_that_was_mended_is_trusted_again() {
        let (mut continuity, mut breaks) = (Continuity::default(), Vec::new());
        let is_lost = |record: i64| record < 400 && record % 4 == 0;
        let mut usual = Vec::new();
        for record in 0..4_000 {
            if !is_lost(record) {
                continuity.contact(record * HOUR / 2, (record + 1) * HOUR / 2, &mut breaks);
            }
            if record % 1_000 == 399 {
                usual.push(continuity.usual() / MINUTE);
            }
        }
        assert!(usual[0] == 180 && usual[1] < 90 && usual[2..].iter().all(|usual| *usual < 48), "{usual:?}");
    }
}
