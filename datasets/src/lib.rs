//! A synthetic hospital: an inventory, months of flows, and the truth about what went wrong in them.
//!
//! ```
//! use wardflow_datasets::{Hospital, Incident, Options};
//!
//! # fn main() -> Result<(), wardflow_datasets::Error> {
//! let hospital = Hospital::new(Options {
//!     devices: 40,
//!     days: 1,
//!     flows: Some(10_000),
//!     incidents: vec![Incident::Beacon],
//!     ..Options::default()
//! })?;
//!
//! let beacon = &hospital.truth()[0];
//! let modality = hospital.inventory().iter().find(|device| device.id == beacon.device_id);
//! assert_eq!(modality.map(|device| device.class.as_str()), Some("imaging-modality"));
//!
//! let labelled = hospital.flows().filter(|flow| flow.incident == Some(Incident::Beacon));
//! assert_eq!(labelled.count() as u64, beacon.flows);
//! # Ok(())
//! # }
//! ```
//!
//! Equal [`Options`] give equal flows, to the byte: all chance comes from one seed, by device and window of time, and
//! no platform's mathematical library has a say. Flows come in the order of an archive and are made as they are asked
//! for, so a hundred million take no more memory than an hour of them.
//!
//! The devices of a class have the habits that `behaviour/` lists: data, so that the number of flows is known before
//! they are made. Harmless oddities (`oddity/`) change the site or add habits. Incidents (`incident/`) are played once,
//! in the second half of the span, and leave the truth.
//!
//! All makers and names are invented. Internal addresses are from RFC 1918 and RFC 4193; external ones from RFC 5737
//! and RFC 3849; names end in `.example` or `.local`.
//!
//! Knows nothing of Arrow, Parquet or files, of the host or of detectors.

mod behaviour;
mod cadence;
mod calendar;
mod device;
mod draw;
mod error;
mod exchange;
pub mod export;
mod flow;
mod flows;
mod habit;
mod hospital;
mod incident;
mod infrastructure;
mod names;
mod oddity;
mod options;
mod plan;
mod rhythm;
mod side;
mod site;
mod tap;
mod truth;
mod variant;
mod view;
mod volume;

pub use device::{Binding, Criticality, Device, DeviceClass, Firmware, InventoryRow};
pub use error::Error;
pub use flow::{ConnState, Flow};
pub use flows::Flows;
pub use hospital::Hospital;
pub use incident::Incident;
pub use infrastructure::{Infrastructure, PeerGroup, Role};
pub use oddity::Oddity;
pub use options::Options;
pub use truth::Truth;
pub use variant::Variant;
pub use view::{View, ViewKind};
