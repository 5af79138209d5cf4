//! The manifest of a plugin, and the codes of the contract.
//!
//! A manifest is data: the host reads it from a custom section of the component without running any guest code, and
//! learns from it what the plugin is, which devices it watches, which columns it sees and what it may report. An author
//! writes it as `plugin.toml`; the component carries it as JSON of the same shape.
//!
//! ```
//! let manifest = wardflow_manifest::Manifest::from_toml(r#"
//!     id = "example/quiet"
//!     version = "1.0.0"
//!     contract = "0.1.0"
//!     publisher = "Example"
//!     intended_use = "Shows the shape of a manifest."
//!     columns = ["end-time", "peer"]
//!
//!     [[findings]]
//!     kind = "loud"
//!     title = "Device talks more than usual"
//!     severity = "low"
//!     shows = "More flows a minute than ever before."
//!     first_action = "Ask biomedical engineering whether the device is in maintenance."
//! "#)?;
//! assert_eq!(manifest.id.name(), "quiet");
//! # Ok::<(), wardflow_manifest::ManifestError>(())
//! ```

mod column;
mod error;
mod firmware;
mod id;
mod manifest;
mod name_id;
mod state;
mod text;

pub use column::Column;
pub use error::ManifestError;
pub use firmware::FirmwareRange;
pub use id::PluginId;
pub use manifest::{
    ExpectedFlow, FindingKind, Initiator, Manifest, PeerGroup, Requirement, Scope, Severity, Transport,
};
pub use name_id::name_id;
pub use state::{ConnState, Direction, PeerRole, PeerScope};
pub use text::is_unprintable;

/// The contract versions that this crate describes, oldest first.
pub const CONTRACT_VERSIONS: &[&str] = &["0.1.0"];

/// Name of the component's custom section that holds the manifest as JSON.
pub const SECTION: &str = "wardflow:manifest";
