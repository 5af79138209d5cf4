//! Write a behaviour model of a device as a plain struct; test it with `cargo test`; ship it as a sandboxed component.
//!
//! A [`Detector`] watches one device. It is given the device's flows column by column, reports findings, and says at
//! the end of each slice what it needs to remember. A complete one:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use wardflow_sdk::{Detector, Device, Findings, Flows, Saved, Slice};
//!
//! /// Reports a device that sends more in a slice than it ever did.
//! struct Loud {
//!     parameters: Parameters,
//!     state: State,
//!     sent: u64,
//! }
//!
//! #[derive(Clone, Deserialize)]
//! struct Parameters {
//!     times: f64,
//! }
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct State {
//!     slices: u32,
//!     most_sent: u64,
//! }
//!
//! impl Detector for Loud {
//!     type Parameters = Parameters;
//!     type State = State;
//!
//!     fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
//!         Ok(Self { parameters, state: state.unwrap_or_default(), sent: 0 })
//!     }
//!
//!     fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
//!         self.sent += flows.bytes_sent().iter().filter(|sent| **sent != wardflow_sdk::UNKNOWN).sum::<u64>();
//!     }
//!
//!     fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
//!         let most = self.state.most_sent as f64 * self.parameters.times;
//!         if self.state.slices >= 4 && self.sent as f64 > most {
//!             findings
//!                 .report("loud", slice.start, slice.end)
//!                 .score(1.0 - most / self.sent as f64)
//!                 .confidence(0.9)
//!                 .measured("bytes-sent", self.sent as f64, "By", ..=most)
//!                 .summary(format_args!("sent {} bytes; at most {most:.0} were expected", self.sent));
//!         }
//!         self.state.slices += 1;
//!         self.state.most_sent = self.state.most_sent.max(self.sent);
//!     }
//!
//!     fn save(self) -> Saved<State> {
//!         let slices = f64::from(self.state.slices);
//!         Saved { learned: slices / 4.0, ready: slices >= 4.0, state: self.state }
//!     }
//! }
//!
//! // The manifest usually is a file: `include_str!("../plugin.toml")`.
//! wardflow_sdk::export!(Loud, r#"
//!     id = "example/loud"
//!     version = "1.0.0"
//!     contract = "0.1.0"
//!     publisher = "Example"
//!     intended_use = "Shows the shape of a detector."
//!     columns = ["end-time", "bytes-sent"]
//!
//!     [[findings]]
//!     kind = "loud"
//!     title = "Device sends more than ever before"
//!     severity = "low"
//!     shows = "More bytes sent in a slice than in any slice before."
//!     first_action = "Ask biomedical engineering whether the device is in maintenance."
//!
//!     [parameters]
//!     type = "object"
//!     properties.times = { type = "number", minimum = 1, default = 2 }
//! "#);
//!
//! // A test of it: five quiet slices of six hours, and a loud one.
//! use wardflow_sdk::{HOUR, native::{Flow, Harness}};
//! let flows = (0..6).map(|slice| Flow {
//!     bytes_sent: if slice == 5 { 50_000 } else { 1_000 },
//!     ..Flow::at(slice * 6 * HOUR)
//! });
//! let run = Harness::new(plugin()?).run(flows);
//! assert_eq!(run.kinds(), ["loud"]);
//! # Ok::<(), wardflow_sdk::manifest::ManifestError>(())
//! ```
//!
//! # What a guest does not have
//! A clock, files, sockets, an environment, random numbers, addresses: see `wit/detector.wit`. Time is the time of
//! traffic. So that the sandboxed and the native detector agree bit for bit, functions such as `ln` and `exp` come from
//! [`math`], and state sits in `BTreeMap`, `Vec` or [`Bounded`], never in a map of random order.

mod bounded;
mod columns;
mod detector;
mod export;
mod finding;
mod flows;
mod learning;
mod level;
mod log;
pub mod math;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
mod slice;
mod state;
pub mod surprise;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod wasm;

pub use bounded::Bounded;
pub use columns::{Code, Codes, Columns};
pub use detector::{Detector, Device, OpenError, Saved};
pub use finding::{Draft, Finding, Findings, Observation};
pub use flows::Flows;
pub use learning::{Continuity, Learning};
pub use level::Level;
pub use log::log;
pub use slice::{DAY, Gap, HOUR, MINUTE, SECOND, Slice};
pub use wardflow_manifest as manifest;
pub use wardflow_manifest::{ConnState, Direction, PeerRole, PeerScope, Severity, name_id};

/// What a byte or packet column holds where the record does not say: 2^64 - 1.
pub const UNKNOWN: u64 = u64::MAX;
