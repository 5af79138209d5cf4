//! The truth: what really happened, to measure findings against.

use crate::Incident;
use serde::Serialize;
use std::net::IpAddr;

/// One thing that an incident did, from the side of the device that a finding should name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// The incident.
    pub incident: Incident,
    /// The device that a finding should name.
    pub device_id: String,
    /// Start of the first flow, UTC microseconds.
    pub first_us: i64,
    /// End of the last flow, UTC microseconds.
    pub last_us: i64,
    /// The other end; `None` where there were many.
    pub peer_ip: Option<IpAddr>,
    /// The responder's port; `None` where there were many.
    pub peer_port: Option<u16>,
    /// IANA protocol number.
    pub protocol: u8,
    /// How many flows it left in the archive.
    pub flows: u64,
    /// One line for people.
    pub description: &'static str,
}
