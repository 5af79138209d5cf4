//! The plugins that the binary carries.

/// File name and bytes of each bundled plugin; none if the host was built before they were.
pub(super) const PLUGINS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
