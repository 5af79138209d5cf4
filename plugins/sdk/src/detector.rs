use serde::{Serialize, de::DeserializeOwned};

use crate::{Findings, Flows, Slice};

/// A behaviour model of one device: a plain struct, one value a device.
///
/// The host calls [`open`](Self::open), then [`observe`](Self::observe) for each batch of flows, then
/// [`end_slice`](Self::end_slice) and [`save`](Self::save), once a slice, also when the device had no flow. Only what
/// `save` returned lives on, so a detector behaves the same in one long run, in nightly runs and in resumed ones.
pub trait Detector: Sized + 'static {
    /// What the hospital may set, read from a JSON object that passed the manifest's schema, defaults filled in. It is
    /// read once an instance, and each session has a copy.
    type Parameters: DeserializeOwned + Clone + 'static;

    /// What is remembered between slices, up to 64 KiB. It is stored by field order, without names: a changed field
    /// asks for a new `state_version` in the manifest, and serde's `skip_serializing_if`, `flatten` and `untagged` do not
    /// work.
    type State: Serialize + DeserializeOwned;

    /// Begins a slice for a device. `state` is what [`save`](Self::save) returned at the end of the device's last
    /// slice; absent at first and after a change of firmware, state version or parameters.
    ///
    /// # Errors
    /// Why the parameters make no sense together. The plugin then does not run.
    fn open(device: &Device, parameters: Self::Parameters, state: Option<Self::State>) -> Result<Self, String>;

    /// Takes the next flows of the device, up to 8,192, in order of end time. Deadline: 1 s of CPU time.
    fn observe(&mut self, flows: &Flows<'_>, findings: &mut Findings);

    /// Ends the slice. Deadline: 100 ms of CPU time.
    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings);

    /// Gives what the next slice needs.
    fn save(self) -> Saved<Self::State>;
}

/// What the host knows of the device that a detector watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The device's own pseudonym, as its peers would see it.
    pub pseudonym: u64,
    /// Device class, such as `infusion-pump`; `unknown` without an inventory.
    pub class: String,
    /// Empty where the inventory says nothing.
    pub manufacturer: String,
    /// Empty where the inventory says nothing.
    pub model: String,
    /// Empty where the inventory says nothing.
    pub firmware: String,
    /// The zone as numbered in [`Flows::peer_zone`]; zero for none.
    pub zone: u32,
}

/// What a detector leaves to its next slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved<S> {
    /// What to remember.
    pub state: S,
    /// How far learning is, in [0, 1], shown to the hospital. Other values are brought into the range.
    pub learned: f64,
    /// Whether what was learned suffices to report from it.
    pub ready: bool,
}

/// Why a session could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The saved state is not readable; the host opens the session again without it.
    StateUnreadable(String),
    /// The parameters pass their schema but make no sense together; the plugin does not run.
    ParametersRefused(String),
}
