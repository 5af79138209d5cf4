use serde::{Deserialize, Serialize};
use wardflow_sdk::{Bounded, Flows};

use crate::{Days, Service, minute_at_end};

/// What is seen on one day only is no habit.
const LEAST_DAYS: u16 = 2;

/// The services that a device has with peers which its model does not declare. They are learned until they are settled;
/// from then on they do not change, so that nobody becomes a habit by coming again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Habits {
    is_settled: bool,
    services: Bounded<(u64, Service), Days, 96>,
}

impl Habits {
    /// Whether learning is over.
    pub const fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Learns that the peer of a flow and the device have a service.
    pub fn learn(&mut self, service: Service, flows: &Flows<'_>, row: usize) {
        if !self.is_settled {
            let time = flows.end_time()[row];
            let days = self.services.touch((flows.peer()[row], service), time, Days::default);
            days.add(time, minute_at_end(flows, row));
        }
    }

    /// Ends learning.
    pub fn settle(&mut self) {
        if !self.is_settled {
            self.is_settled = true;
            self.services.retain(|_, _, days| days.count() >= LEAST_DAYS);
        }
    }

    /// Whether a peer and the device have a service.
    pub fn know(&self, peer: u64, service: Service) -> bool {
        self.services.get(&(peer, service)).is_some()
    }

    /// Whether a peer and the device have any service.
    pub fn know_peer(&self, peer: u64) -> bool {
        self.services.iter().any(|((known, _), _)| *known == peer)
    }
}
