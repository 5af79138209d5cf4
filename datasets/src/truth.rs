//! The truth: what really happened, to measure findings against.

use crate::{Incident, Variant};
use serde::Serialize;
use std::net::IpAddr;

/// One thing that an incident did, from the side of the device that a finding should name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// The incident.
    pub incident: Incident,
    /// How loud it was.
    pub variant: Variant,
    /// The incident's ATT&CK technique, such as `T1071.001`, or `T0814` of those for industrial control systems.
    pub technique: &'static str,
    /// The device that a finding should name.
    pub device_id: String,
    /// The devices at the other end, in order of their ids. A finding about one of them is right as well. Empty where
    /// the other end is no device of the inventory, and where there is none.
    pub peer_device_ids: Vec<String>,
    /// Start of the first flow, or of the first silence; UTC microseconds.
    pub first_us: i64,
    /// End of the last flow, or of the last silence; UTC microseconds.
    pub last_us: i64,
    /// The other end; `None` where there were many, or none.
    pub peer_ip: Option<IpAddr>,
    /// The responder's port; `None` where there were many, or none.
    pub peer_port: Option<u16>,
    /// IANA protocol number; `None` of a silence.
    pub protocol: Option<u8>,
    /// How many flows it left in the archive; 0 of a silence.
    pub flows: u64,
    /// The UTC hours in which those flows ended, each once and by its first microsecond, in order. Of a silence the
    /// hours that were silent throughout.
    pub hours_us: Vec<i64>,
    /// One line for people.
    pub description: &'static str,
}
