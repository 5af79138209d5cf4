//! Zeek's logs: `conn.log` into flows, with names from `ssl.log` and `dns.log` beside it.
//!
//! | Zeek | column |
//! |---|---|
//! | `ts` (seconds since 1970; in JSON also milliseconds or ISO 8601) | `start_time` |
//! | `ts` + `duration`, which counts as 0 if unset | `end_time` |
//! | `id.orig_h`, `id.resp_h` | `src_ip`, `dst_ip` |
//! | `id.orig_p`, `id.resp_p` (of ICMP the type and the code) | `src_port`, `dst_port` |
//! | `proto` (`icmp` is 1 or 58), `ip_proto` where that is `unknown_transport` (0) | `protocol` |
//! | `service`, in lower case | `service` |
//! | `orig_bytes`, `resp_bytes` (payload, without headers and retransmissions) | `src_bytes`, `dst_bytes` |
//! | `orig_pkts`, `resp_pkts` | `src_packets`, `dst_packets` |
//! | `conn_state` | `conn_state` |
//! | `history`, of TCP | `tcp_flags` |
//! | `orig_l2_addr`, `resp_l2_addr` (policy `mac-logging`) | `src_mac`, `dst_mac` |
//! | `vlan` (policy `vlan-logging`) | `vlan` |
//! | `uid` | `flow_uid` |
//! | `community_id` (policy `community-id-logging`) | `community_id` |
//! | `ssl.log`'s `server_name`, else `dns.log`'s `query`, of the same `uid` | `dst_name` |
//! | what the user calls the sensor, else `_system_name` | `sensor` |
//! | none: Zeek sees every packet, and says nothing of the sides it sees | `sampling_interval`, `observed_sides` |
//!
//! Other fields, labels among them, are passed over. A field that is unset (`-`), empty or absent is null. Reading does not
//! know the archive: it gives flows and rejects, line by line.

mod conn;
mod discover;
mod json;
mod log;
mod names;
mod places;
mod slots;
mod tsv;
mod values;

pub use conn::{ConnLine, ConnLog, Reject};
pub use discover::{Found, beside, conn_logs, is_of_open_connections};
pub use names::{NameLog, Names};
