//! A detector, asked otherwise than usual or watched at work. Each is a detector itself, so that the operator around it stays
//! the same.

mod alone;
mod cut;
mod told;
mod watched;

use std::{fmt::Debug, sync::Arc};

use wardflow_manifest::Manifest;

pub use self::{
    alone::Alone,
    cut::Cut,
    told::Told,
    watched::{Call, Step, Watched, Watcher},
};
use crate::detector::{Detector, Fault, Instance, Stop};

/// A way to ask a detector.
pub trait Way: Debug + Send + Sync {
    /// An instance of the detector that is asked this way.
    ///
    /// # Errors
    /// The detector's own.
    fn instantiate(
        &self,
        detector: &Arc<dyn Detector>,
        sessions: usize,
        stop: &Stop,
    ) -> Result<Box<dyn Instance>, Fault>;
}

/// The same detector, asked this way.
pub fn ask(detector: &Arc<dyn Detector>, way: impl Way + 'static) -> Arc<dyn Detector> {
    Arc::new(Probe { detector: Arc::clone(detector), way })
}

#[derive(Debug)]
struct Probe<W> {
    detector: Arc<dyn Detector>,
    way: W,
}

impl<W: Way> Detector for Probe<W> {
    fn manifest(&self) -> &Manifest {
        self.detector.manifest()
    }

    fn digest(&self) -> &str {
        self.detector.digest()
    }

    fn memory(&self) -> usize {
        self.detector.memory()
    }

    fn instantiate(&self, sessions: usize, stop: &Stop) -> Result<Box<dyn Instance>, Fault> {
        self.way.instantiate(&self.detector, sessions, stop)
    }
}
