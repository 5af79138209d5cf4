//! The names that `ra` has for protocols.

use crate::archive::{
    tcp::{ICMP, ICMPV6, TCP, UDP},
    values,
};

/// Records that are of no IP packets: frames, and what Argus tells of itself.
const OTHER_KINDS: [&str; 8] = ["arp", "rarp", "llc", "man", "evt", "isis", "wlan", "ether"];

/// IP protocols by number, as `ra` spells them; empty where it has one name for several. RFC 1700 has most of them.
const NAMES: [&str; 135] = [
    "ip",
    "icmp",
    "igmp",
    "ggp",
    "ipnip",
    "st2",
    "tcp",
    "cbt",
    "egp",
    "igp",
    "bbn-rcc",
    "nvp",
    "pup",
    "argus",
    "emcon",
    "xnet",
    "chaos",
    "udp",
    "",
    "dcn",
    "hmp",
    "prm",
    "xns-idp",
    "trunk-1",
    "trunk-2",
    "leaf-1",
    "leaf-2",
    "rdp",
    "irtp",
    "iso-tp4",
    "netblt",
    "mfe-nsp",
    "merit-inp",
    "sep",
    "3pc",
    "idpr",
    "xtp",
    "ddp",
    "idpr-cmtp",
    "tp++",
    "il",
    "ipv6",
    "sdrp",
    "ipv6-route",
    "ipv6-frag",
    "idrp",
    "rsvp",
    "gre",
    "mhrp",
    "bna",
    "esp",
    "mux",
    "i-nlsp",
    "swipe",
    "narp",
    "mobile",
    "tlsp",
    "skip",
    "ipv6-icmp",
    "ipv6-no",
    "ipv6-opts",
    "",
    "cftp",
    "",
    "sat-expak",
    "kryptolan",
    "rvd",
    "ippc",
    "",
    "sat-mon",
    "visa",
    "ipcv",
    "cpnx",
    "cphb",
    "wsn",
    "pvp",
    "br-sat-mon",
    "sun-nd",
    "wb-mon",
    "wb-expak",
    "iso-ip",
    "vmtp",
    "secure-vmtp",
    "vines",
    "ttp",
    "nsfnet-igp",
    "dgp",
    "tcf",
    "eigrp",
    "ospf",
    "sprite-rpc",
    "larp",
    "mtp",
    "ax.25",
    "ipip",
    "micp",
    "aes-sp3-d",
    "etherip",
    "encap",
    "pri-enc",
    "gmtp",
    "ifmp",
    "pnni",
    "pim",
    "aris",
    "scps",
    "qnx",
    "a/n",
    "ipcomp",
    "snp",
    "compaq-peer",
    "ipx-n-ip",
    "vrrp",
    "pgm",
    "zero",
    "l2tp",
    "ddx",
    "iatp",
    "stp",
    "srp",
    "uti",
    "smp",
    "sm",
    "ptp",
    "",
    "fire",
    "crtp",
    "crudp",
    "sccopmce",
    "iplt",
    "sps",
    "pipe",
    "sctp",
    "fc",
    "",
];

/// What a protocol's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// An IP protocol, by its number. What `ra` has no name for is 0.
    Ip(u8),
    /// Something other than IP.
    Other(&'static str),
}

impl Protocol {
    /// The protocol of a name, or of a number as `ra -nnn` prints it; above 255 those are EtherTypes. Argus tells
    /// real-time transports apart by what is in their datagrams.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        if let Some(number) = values::number::<u16>(name) {
            return Some(u8::try_from(number).map_or(Self::ethernet(number), Self::Ip));
        }
        let number = match name {
            b"tcp" => TCP,
            b"udp" | b"rtp" | b"rtcp" | b"udt" => UDP,
            b"icmp" => ICMP,
            b"ipv6-icmp" | b"icmp6" => ICMPV6,
            b"unas" | b"any" => 0,
            b"" => return None,
            _ => match NAMES.iter().position(|known| known.as_bytes() == name) {
                Some(number) => u8::try_from(number).ok()?,
                None => {
                    return OTHER_KINDS.iter().find(|kind| kind.as_bytes() == name).map(|kind| Self::Other(kind));
                }
            },
        };
        Some(Self::Ip(number))
    }

    const fn ethernet(number: u16) -> Self {
        match number {
            0x0806 => Self::Other("arp"),
            0x8035 => Self::Other("rarp"),
            _ => Self::Other("ether"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Protocol::{self, Ip, Other};

    #[test]
    fn names_and_numbers() {
        for (name, expected) in [
            ("tcp", Some(Ip(6))),
            ("rtp", Some(Ip(17))),
            ("rtcp", Some(Ip(17))),
            ("udt", Some(Ip(17))),
            ("icmp", Some(Ip(1))),
            ("ipv6-icmp", Some(Ip(58))),
            ("igmp", Some(Ip(2))),
            ("gre", Some(Ip(47))),
            ("esp", Some(Ip(50))),
            ("mux", Some(Ip(51))),
            ("ospf", Some(Ip(89))),
            ("pim", Some(Ip(103))),
            ("vrrp", Some(Ip(112))),
            ("sctp", Some(Ip(132))),
            ("3pc", Some(Ip(34))),
            ("unas", Some(Ip(0))),
            ("17", Some(Ip(17))),
            ("255", Some(Ip(255))),
            ("2054", Some(Other("arp"))),
            ("35020", Some(Other("ether"))),
            ("llc", Some(Other("llc"))),
            ("man", Some(Other("man"))),
            ("isis", Some(Other("isis"))),
            ("65536", None),
            ("", None),
            ("TCP", None),
        ] {
            assert_eq!(Protocol::of(name.as_bytes()), expected, "{name}");
        }
    }
}
