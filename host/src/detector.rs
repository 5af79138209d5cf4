//! The seam between what runs a detector and what a detector is: flows in, findings out.
//!
//! The operator knows only these traits. The sandbox implements them for a plugin, a test for ten lines of Rust, and a
//! benchmark for the very source of a plugin, linked natively.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use wardflow_manifest::{Column, Manifest, Severity};

/// A detector that can be instantiated any number of times, on any thread.
pub trait Detector: fmt::Debug + Send + Sync {
    /// What the plugin says of itself.
    fn manifest(&self) -> &Manifest;

    /// BLAKE3 of the component, in hex; of anything that tells versions apart for a native detector.
    fn digest(&self) -> &str;

    /// Bytes that one instance may grow to. They are reserved before `instantiate`.
    fn memory(&self) -> usize;

    /// An instance for at most `sessions` sessions of one slice.
    ///
    /// # Errors
    /// A fault of the guest's own start code, or a limit.
    fn instantiate(&self, sessions: usize, stop: &Stop) -> Result<Box<dyn Instance>, Fault>;
}

/// One instance: sessions of some devices for one slice. After a fault it is dropped, never called again.
pub trait Instance: Send {
    /// Begins the slice for a device. Sessions are numbered from zero in the order of opening.
    ///
    /// # Errors
    /// Any breach of the contract or of a limit, as for the other calls.
    fn open(&mut self, device: &DeviceFacts, parameters: &str, state: Option<&[u8]>) -> Result<Opened, Fault>;

    /// Hands over the next flows of a session.
    ///
    /// # Errors
    /// See [`Instance::open`].
    fn observe(&mut self, session: SessionId, flows: Box<dyn FlowBatch>) -> Result<Vec<Report>, Fault>;

    /// Ends the slice for a session.
    ///
    /// # Errors
    /// See [`Instance::open`].
    fn end_slice(&mut self, session: SessionId, start: i64, end: i64, gaps: &[Gap]) -> Result<Vec<Report>, Fault>;

    /// Takes the session's state. The session is not called again.
    ///
    /// # Errors
    /// See [`Instance::open`].
    fn save(&mut self, session: SessionId) -> Result<Saved, Fault>;

    /// What the guest said to its author since this was asked last, one line each. It never reaches findings.
    fn said(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// What the instance cost so far.
    fn cost(&self) -> Cost;
}

/// The number of a session in its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub usize);

/// What opening a session came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The session is there.
    Session(SessionId),
    /// The saved state could not be read; open it again without.
    StateUnreadable(String),
    /// The parameters make no sense together: the plugin does not run.
    ParametersRefused(String),
}

/// Flows of one device, in order, lent for one call. At most [`BATCH_ROWS`] of them.
pub trait FlowBatch: Send + Sync {
    /// Number of flows.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Position of the first flow among the session's flows of this slice.
    fn first_row(&self) -> u32;

    /// One column, one entry a flow, in the type that the contract gives it.
    fn column(&self, column: Column) -> Values;
}

/// Most flows in a batch.
pub const BATCH_ROWS: usize = 8_192;

/// A column's values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Values {
    I64(Vec<i64>),
    U64(Vec<u64>),
    U32(Vec<u32>),
    U16(Vec<u16>),
    U8(Vec<u8>),
}

/// What the guest is told of its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFacts {
    /// Keyed pseudonym.
    pub pseudonym: u64,
    /// Device class, `unknown` if nothing is known.
    pub class: String,
    /// Empty if unknown.
    pub manufacturer: String,
    /// Empty if unknown.
    pub model: String,
    /// Empty if unknown.
    pub firmware: String,
    /// Keyed number of the zone, zero for none.
    pub zone: u32,
}

/// A stretch in which no sensor delivered a flow; microseconds, end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the type says it")]
pub struct Gap {
    pub start: i64,
    pub end: i64,
}

/// A finding as the guest reports it, not yet admitted. Fields as in `types.finding` of the contract.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the contract describes each")]
pub struct Report {
    pub kind: String,
    pub severity: Option<Severity>,
    pub score: f64,
    pub confidence: f64,
    pub first_time: i64,
    pub last_time: i64,
    pub peer: Option<u64>,
    pub peer_port: Option<u16>,
    pub protocol: Option<u8>,
    pub flow_count: u64,
    pub summary: String,
    pub cause_key: String,
    pub observations: Vec<Observation>,
    pub examples: Vec<u32>,
}

/// One number that a finding rests on. Fields as in `types.observation` of the contract.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the contract describes each")]
pub struct Observation {
    pub name: String,
    pub measured: f64,
    pub expected_low: Option<f64>,
    pub expected_high: Option<f64>,
    pub unit: String,
}

/// A session's state at the end of a slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// In the guest's own format.
    pub bytes: Vec<u8>,
    /// How far learning is, in [0, 1].
    pub learned: f64,
    /// Whether what was learned suffices to report from it.
    pub ready: bool,
}

/// What an instance cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// CPU time in the guest and at its boundary.
    pub cpu: Duration,
    /// Bytes of columns that were copied into the guest.
    pub bytes: u64,
    /// Bytes of linear memory, which never shrinks; zero for a native detector.
    pub memory: usize,
}

/// A breach of the contract or of a limit by the guest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {message}")]
pub struct Fault {
    /// The export that was running, such as `observe`.
    pub call: &'static str,
    /// Of which sort it is.
    pub kind: FaultKind,
    /// What happened; for a limit what was asked, what is allowed, and where to change it.
    pub message: String,
}

/// Of which sort a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The guest trapped.
    Trap,
    /// It asked for more than a limit allows.
    Limit,
    /// It broke a rule of the contract.
    Contract,
    /// It was stopped because the run was: no breach.
    Stopped,
    /// The machine gave no memory for an instance: no breach, and nothing that may stand in coverage.
    Machine,
    /// The run's memory has no room for what the plugin is to be shown: no breach.
    Room,
}

impl FaultKind {
    /// Whether the guest is not to blame.
    pub const fn is_no_breach(self) -> bool {
        matches!(self, Self::Stopped | Self::Machine | Self::Room)
    }
}

impl Fault {
    /// A fault in a call.
    pub fn new(call: &'static str, kind: FaultKind, message: impl Into<String>) -> Self {
        Self { call, kind, message: message.into() }
    }
}

/// Tells running guests that the run is being cancelled.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    /// What this is a part of.
    whole: Option<Arc<Self>>,
}

impl Stop {
    /// That of a part, which ends with the whole, and may end alone: a part that fails is no reason to think that the whole
    /// was cancelled.
    #[must_use]
    pub fn part(&self) -> Self {
        Self { asked: Arc::default(), whole: Some(Arc::new(self.clone())) }
    }

    /// Asks everything that runs to stop.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    pub fn is_stopped(&self) -> bool {
        self.asked.load(Ordering::Relaxed) || self.whole.as_ref().is_some_and(|whole| whole.is_stopped())
    }
}
