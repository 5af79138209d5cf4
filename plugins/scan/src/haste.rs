use wardflow_sdk::{SECOND, surprise};

use crate::walk::{Place, Tally};

/// Seconds of haste.
const SECONDS: i64 = 10;
/// New peers a second that an ordinary host has at most: Williamson, "Throttling Viruses: Restricting Propagation to Defeat
/// Malicious Mobile Code", ACSAC 2002.
const ORDINARY: f64 = 1.0;
/// First contacts that must fail, as many as the test of outcomes asks for in a row.
const FAILED: usize = 9;
/// First contacts that are looked at: a third of them must fail. Who asks a whole department at once whether it is there finds
/// some of it switched off.
const RECENT: usize = 3 * FAILED;

/// First contacts by one port in great haste, which software that spreads makes and a person does not, although many of them
/// are answered. It lasts no longer than a slice.
#[derive(Clone, Default)]
pub(crate) struct Haste {
    recent: Vec<(Place, bool)>,
    /// The worst ten seconds: what failed in them, and how much else there was.
    pub(crate) tally: Tally,
    pub(crate) answered: u64,
}

impl Haste {
    /// Takes a first contact, and whether it was answered.
    pub(crate) fn take(&mut self, place: Place, answered: bool) {
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push((place, answered));
        // Flows come by their end, so that one that began long ago may come last: it is near what began before it.
        let near_to = place.start - SECONDS * SECOND..=place.start;
        let is_near = |(other, _): &&(Place, bool)| near_to.contains(&other.start);
        let near = || self.recent.iter().filter(is_near);
        let failed = near().filter(|(_, answered)| !answered).count();
        if failed >= FAILED && failed as u64 > self.tally.failed {
            let answered = near().count() - failed;
            let mut tally = Tally::default();
            near().filter(|(_, answered)| !answered).for_each(|(place, _)| tally.take(*place));
            (self.tally, self.answered) = (tally, answered as u64);
        }
    }

    /// Whether there was any.
    pub(crate) fn is_shown(&self) -> bool {
        self.tally.failed > 0
    }

    /// Bits of so many failures in ten seconds.
    pub(crate) fn bits(&self, normally_failed: f64) -> f64 {
        surprise::of_count(self.tally.failed as f64, normally_failed * ORDINARY * SECONDS as f64)
    }
}
