//! Names of transport protocols.

use crate::archive::{
    tcp::{ICMP, ICMPV6, TCP, UDP},
    values,
};

/// The IANA number of a protocol by the name that Suricata has for it, in any case, or by its number. Suricata follows
/// flows of the first four, of SCTP and of ESP; packets with alerts may have others.
#[inline]
pub(super) fn number(name: &[u8]) -> Option<u8> {
    match name {
        b"TCP" => Some(TCP),
        b"UDP" => Some(UDP),
        b"ICMP" => Some(ICMP),
        b"IPv6-ICMP" => Some(ICMPV6),
        _ => {
            let known = NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
            known.map(|(_, number)| *number).or_else(|| values::number(name))
        }
    }
}

/// IANA's keywords (Assigned Internet Protocol Numbers), and Suricata's where they differ.
const NAMES: [(&str, u8); 44] = [
    ("TCP", TCP),
    ("UDP", UDP),
    ("ICMP", ICMP),
    ("IPv6-ICMP", ICMPV6),
    ("ICMPv6", ICMPV6),
    ("SCTP", 132),
    ("ESP", 50),
    ("GRE", 47),
    ("IGMP", 2),
    ("AH", 51),
    ("HOPOPT", 0),
    ("IPv4", 4),
    ("IP-in-IP", 4),
    ("ST", 5),
    ("EGP", 8),
    ("IGP", 9),
    ("RDP", 27),
    ("DCCP", 33),
    ("IPv6", 41),
    ("IPv6-Route", 43),
    ("IPv6-Frag", 44),
    ("RSVP", 46),
    ("MOBILE", 55),
    ("IPv6-NoNxt", 59),
    ("IPv6-Opts", 60),
    ("EIGRP", 88),
    ("OSPFIGP", 89),
    ("OSPF", 89),
    ("ETHERIP", 97),
    ("ENCAP", 98),
    ("PIM", 103),
    ("IPComp", 108),
    ("VRRP", 112),
    ("PGM", 113),
    ("L2TP", 115),
    ("IS-IS", 124),
    ("FC", 133),
    ("Mobility", 135),
    ("UDPLite", 136),
    ("MPLS-in-IP", 137),
    ("HIP", 139),
    ("WESP", 141),
    ("ROHC", 142),
    ("Ethernet", 143),
];

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn protocols() {
        for (name, expected) in [
            ("TCP", Some(6)),
            ("UDP", Some(17)),
            ("ICMP", Some(1)),
            ("IPv6-ICMP", Some(58)),
            ("IPV6-ICMP", Some(58)),
            ("SCTP", Some(132)),
            ("esp", Some(50)),
            ("GRE", Some(47)),
            ("IGMP", Some(2)),
            ("OSPF", Some(89)),
            ("6", Some(6)),
            ("089", Some(89)),
            ("254", Some(254)),
            ("256", None),
            ("Any", None),
            ("", None),
        ] {
            assert_eq!(number(name.as_bytes()), expected, "{name}");
        }
    }
}
