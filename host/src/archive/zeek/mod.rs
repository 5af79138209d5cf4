//! Zeek's logs: `conn.log` into flows, with names from `ssl.log`, `http.log` and `dns.log` beside it, and other logs into
//! tables of their own.
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
//! | `ssl.log`'s `server_name`, else `http.log`'s `host`, else `dns.log`'s `query`, of the same `uid` | `dst_name` |
//! | what the user calls the sensor, else `_system_name` | `sensor` |
//! | none: Zeek sees every packet, and says nothing of the sides it sees | `sampling_interval`, `observed_sides` |
//!
//! Other fields, labels among them, are passed over. A field that is unset (`-`), empty or absent is null. Reading does not
//! know the archive: it gives flows and rejects, line by line.
//!
//! | log | table |
//! |---|---|
//! | `conn` | `flows` |
//! | `open_conn`, `conn_long`: connections that are open, with their counts so far | `open_flows`: the latest of each |
//! | `dhcp` with an address that was given | `leases` |
//! | `capture_loss` (`percent_lost`), `stats` (`pkts_proc`, `pkts_dropped`) | `sensor_reports` |
//! | `notice` | `ids_events` |
//! | `known_hosts`, `known_services`, `known_devices`, `software` | `host_facts` |

mod aside;
mod conn;
mod json;
mod log;
mod logs;
mod names;
mod places;
mod slots;
mod tsv;

use std::io::Read;

pub(super) use logs::{ZeekLog, beside};
pub(super) use names::{NameLog, Names};

use self::{
    aside::AsideLog,
    conn::{ConnLog, Connections},
};
use super::reader::Reader;

/// A reader of a log.
pub(super) fn open<'a>(
    input: impl Read + 'a,
    log: ZeekLog,
    names: Names,
    sensor: Option<String>,
) -> Box<dyn Reader + 'a> {
    let connections = match log {
        ZeekLog::OpenConn => Connections::Open,
        ZeekLog::ConnLong => Connections::Long,
        _ => Connections::Ended,
    };
    if connections == Connections::Ended && log != ZeekLog::Conn {
        return Box::new(AsideLog::new(input, log, sensor));
    }
    Box::new(ConnLog::new(input, connections, names, sensor))
}
