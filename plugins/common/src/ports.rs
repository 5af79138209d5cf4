use crate::{TCP, UDP};

/// Ports that programs commonly poll: web, mail, MQTT, AMQP and push services.
const POLLING: [u16; 15] = [80, 443, 465, 587, 993, 995, 1883, 3128, 5223, 5228, 5671, 8080, 8443, 8883, 9443];

/// Whether a port is a usual one for polling.
pub fn is_polling_port(port: u16, protocol: u8) -> bool {
    matches!(protocol, TCP | UDP) && POLLING.contains(&port)
}

/// `port 443/tcp`, or the protocol where there are no ports.
pub fn port_name(port: u16, protocol: u8) -> String {
    match protocol {
        TCP => format!("port {port}/tcp"),
        UDP => format!("port {port}/udp"),
        1 | 58 => "ICMP".to_owned(),
        other => format!("protocol {other}"),
    }
}
