//! The services of one slice. They are not saved.

use wardflow_sdk::Bounded;

use crate::{Service, seen::Seen};

/// Services of a few flows that are told apart, and those of more.
const FEW: usize = 256;
const BUSY: usize = 64;
/// Flows from which a service is busy, if nothing else shows it.
const BUSY_FLOWS: u64 = 32;

/// What there is of each service. Those that are busy are kept apart, so that nobody hides a flood by a scan after it.
#[derive(Default)]
pub(crate) struct InSlice {
    few: Bounded<Service, Seen, FEW>,
    busy: Bounded<Service, Seen, BUSY>,
}

impl InSlice {
    /// What there is of a service that has a flow of this start and end.
    pub(crate) fn touch(&mut self, service: Service, start: i64, end: i64) -> &mut Seen {
        let is_busy = self.few.get(&service).is_some_and(|seen| seen.flows >= BUSY_FLOWS || !seen.examples.is_empty());
        if is_busy && let Some(seen) = self.few.remove(&service) {
            return self.busy.touch(service, end, || seen);
        }
        match self.busy.get(&service).is_some() {
            true => self.busy.touch(service, end, || Seen::new(start)),
            false => self.few.touch(service, end, || Seen::new(start)),
        }
    }

    /// All of them, each part in order of the service.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Service, &Seen)> {
        self.few.iter().chain(self.busy.iter())
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Service, &mut Seen)> {
        self.few.iter_mut().chain(self.busy.iter_mut())
    }

    pub(crate) fn len(&self) -> usize {
        self.few.len() + self.busy.len()
    }
}
