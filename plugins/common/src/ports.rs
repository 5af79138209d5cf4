use crate::{TCP, UDP};

/// Ports that programs commonly poll: web, mail, MQTT, AMQP and push services.
const POLLING: [u16; 15] = [80, 443, 465, 587, 993, 995, 1883, 3128, 5223, 5228, 5671, 8080, 8443, 8883, 9443];

/// Whether a port is a usual one for polling.
pub fn is_polling_port(port: u16, protocol: u8) -> bool {
    matches!(protocol, TCP | UDP) && POLLING.contains(&port)
}

/// Whether people and programs log in by a TCP port, or fetch and leave files there: FTP, SSH, Telnet, MS-RPC, NetBIOS, SMB,
/// rexec, rlogin, RDP, VNC with its display numbers, WinRM (IANA's registry of service names). Not rsh: its port, 514, has long
/// been that of syslog.
pub const fn is_login_port(port: u16) -> bool {
    matches!(port, 21..=23 | 135 | 139 | 445 | 512 | 513 | 3389 | 5800..=5806 | 5900..=5906 | 5985 | 5986)
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
