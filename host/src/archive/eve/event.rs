//! The JSON of an event, as far as it is read.

use super::{json::object, value::Value};

object! {
    /// An event of any kind.
    Event {
        timestamp: Value,
        flow_id: Value,
        event_type: Value,
        vlan: Value,
        src_ip: Value,
        src_port: Value,
        dest_ip: Value,
        dest_port: Value,
        proto: Value,
        icmp_type: Value,
        icmp_code: Value,
        app_proto: Value,
        direction: Value,
        community_id: Value,
        host: Value,
        sensor_name: Value,
        flow: Flow,
        netflow: Netflow,
        tcp: Tcp,
        ether: Ether,
        alert: Alert,
        dns: Dns,
        http: Http,
        tls: Tls,
        quic: Tls,
        stats: Stats,
    }
}

object! {
    /// Counts of both directions.
    Flow {
        pkts_toserver: Value,
        pkts_toclient: Value,
        bytes_toserver: Value,
        bytes_toclient: Value,
        start: Value,
        end: Value,
        state: Value,
    }
}

object! {
    /// Counts of one direction.
    Netflow {
        pkts: Value,
        bytes: Value,
        start: Value,
        end: Value,
    }
}

object! {
    Tcp {
        tcp_flags: Value,
        tcp_flags_ts: Value,
        tcp_flags_tc: Value,
        state: Value,
    }
}

object! {
    /// Arrays in a flow, single addresses in an event of a packet.
    Ether {
        src_macs: Value,
        dest_macs: Value,
        src_mac: Value,
        dest_mac: Value,
    }
}

object! {
    Alert {
        action: Value,
        signature_id: Value,
        signature: Value,
        category: Value,
        severity: Value,
    }
}

object! {
    /// The name is in `rrname` up to version 2, and in `queries` from version 3 on.
    Dns {
        version: Value,
        kind "type": Value,
        rrname: Value,
        queries: Query,
    }
}

object! {
    Query {
        rrname: Value,
    }
}

object! {
    Http {
        hostname: Value,
    }
}

object! {
    Tls {
        sni: Value,
    }
}

object! {
    Stats {
        uptime: Value,
        capture: Capture,
        decoder: Decoder,
    }
}

object! {
    Capture {
        kernel_packets: Value,
        kernel_drops: Value,
    }
}

object! {
    Decoder {
        pkts: Value,
    }
}

impl Event<'_> {
    /// What the sensor calls itself: `host` is Suricata's own word for it.
    pub(super) fn sensor(&self) -> Option<&str> {
        self.host.text().or_else(|| self.sensor_name.text())
    }
}
