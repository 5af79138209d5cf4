use serde::{Deserialize, Serialize};
use wardflow_sdk::{Continuity, Flows, Learning, surprise};

/// Bits of surprise of what a model declares never to happen: taken for one in a thousand device-days, which is what a
/// hospital can look at.
pub const DECLARED: f64 = 10.0;

/// How much a model has seen: of its device, and how many others of its class there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experience {
    learning: Learning,
    /// The largest prevalence of any peer: so many devices of the class there are at least.
    class: u32,
}

impl Experience {
    /// Takes a flow in. A device that was silent for a week begins anew.
    pub fn count(&mut self, flows: &Flows<'_>, row: usize) -> Continuity {
        self.class = self.class.max(flows.peer_prevalence()[row]);
        self.learning.count(flows.end_time()[row])
    }

    /// How far learning is, in [0, 1], that needs so many hours with traffic and so many flows.
    pub fn progress(&self, hours: u32, flows: u64) -> f64 {
        self.learning.progress(hours, flows)
    }

    /// Bits of surprise of what neither the device did in any hour, nor any other of its class.
    pub fn novelty(&self) -> f64 {
        surprise::of_novelty(f64::from(self.learning.hours())) + self.novelty_to_class()
    }

    /// Bits of surprise of what no other device of the class did; none where no other is known.
    pub fn novelty_to_class(&self) -> f64 {
        surprise::of_novelty(f64::from(self.class)) - surprise::of_novelty(0.0)
    }
}
