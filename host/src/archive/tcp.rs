//! What TCP flags tell of a connection, where a source gives no state of its own.

/// IANA numbers of protocols.
pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;

/// Flags of the TCP header (RFC 9293, 3.1).
pub(super) const FIN: u16 = 0x01;
pub(super) const SYN: u16 = 0x02;
pub(super) const RST: u16 = 0x04;
pub(super) const ACK: u16 = 0x10;

/// What was seen of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Direction {
    pub(super) packets: u64,
    /// Every flag that some packet had; absent where the source does not tell.
    pub(super) flags: Option<u16>,
}

/// How a connection went, in Zeek's words, from what was seen of both directions; none where flags are not known. Flags
/// have no order: where both ends sent a FIN it counts as closed in order, whatever resets followed.
///
/// Zeek's states are described under `conn_state` in the reference of its `Conn::Info`.
pub(super) fn conn_state(protocol: u8, src: Direction, dst: Direction) -> Option<&'static str> {
    match protocol {
        TCP => tcp_state(src, dst),
        UDP => Some(match (src.packets > 0, dst.packets > 0) {
            (true, true) => "SF",
            (true, false) => "S0",
            (false, _) => "SHR",
        }),
        ICMP | ICMPV6 => Some("OTH"),
        _ => None,
    }
}

fn tcp_state(src: Direction, dst: Direction) -> Option<&'static str> {
    let sent = if src.packets == 0 { 0 } else { src.flags? };
    let has = |flags: u16, flag: u16| flags & flag != 0;
    if dst.packets == 0 {
        return Some(match (has(sent, SYN), has(sent, RST), has(sent, FIN), has(sent, ACK)) {
            (true, true, ..) => "RSTOS0",
            (true, _, true, _) => "SH",
            (true, _, _, false) => "S0",
            // An acknowledgement answers something that was not seen.
            _ => "OTH",
        });
    }
    let received = dst.flags?;
    Some(match (has(sent, SYN), has(received, SYN)) {
        (true, false) if has(received, RST) => "REJ",
        (true, true) => match (has(sent, FIN), has(received, FIN)) {
            (true, true) => "SF",
            _ if has(sent, RST) => "RSTO",
            _ if has(received, RST) => "RSTR",
            (true, false) => "S2",
            (false, true) => "S3",
            (false, false) => "S1",
        },
        (false, true) if has(received, RST) => "RSTRH",
        (false, true) if has(received, FIN) => "SHR",
        _ => "OTH",
    })
}

#[cfg(test)]
mod tests {
    use super::{ACK, Direction, FIN, RST, SYN, TCP, conn_state};

    fn check(sent: u16, received: Option<u16>, expected: &str) {
        let seen = |flags: Option<u16>| Direction { packets: u64::from(flags.is_some()), flags };
        assert_eq!(conn_state(TCP, seen(Some(sent)), seen(received)), Some(expected), "{sent:#x} {received:x?}");
    }

    #[test]
    fn states_follow_from_flags() {
        check(SYN, None, "S0");
        check(SYN | RST, None, "RSTOS0");
        check(SYN | FIN, None, "SH");
        check(SYN | ACK, None, "OTH");
        check(ACK, None, "OTH");
        check(SYN, Some(RST | ACK), "REJ");
        check(SYN | ACK, Some(SYN | ACK), "S1");
        check(SYN | ACK | FIN, Some(SYN | ACK | FIN | RST), "SF");
        check(SYN | ACK | RST, Some(SYN | ACK | FIN), "RSTO");
        check(SYN | ACK, Some(SYN | ACK | RST), "RSTR");
        check(SYN | ACK | FIN, Some(SYN | ACK), "S2");
        check(SYN | ACK, Some(SYN | ACK | FIN), "S3");
        check(ACK, Some(SYN | ACK | RST), "RSTRH");
        let (silent, refuses) = (Direction::default(), Direction { packets: 1, flags: Some(SYN | ACK | RST) });
        assert_eq!(conn_state(TCP, silent, refuses), Some("RSTRH"));
        check(ACK, Some(SYN | ACK | FIN), "SHR");
        check(ACK, Some(ACK), "OTH");
    }

    #[test]
    fn protocols_without_flags_tell_by_who_spoke() {
        let spoke = |packets| Direction { packets, flags: None };
        assert_eq!(conn_state(17, spoke(1), spoke(0)), Some("S0"));
        assert_eq!(conn_state(17, spoke(1), spoke(1)), Some("SF"));
        assert_eq!(conn_state(1, spoke(1), spoke(0)), Some("OTH"));
        assert_eq!(conn_state(TCP, spoke(1), spoke(0)), None);
        assert_eq!(conn_state(47, spoke(1), spoke(0)), None);
    }
}
