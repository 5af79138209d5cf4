//! The information elements that are read, by number.
//!
//! Facts: IANA's registry "IPFIX Information Elements" (RFC 7012), whose first 127 are those of NetFlow version 9, and
//! RFC 5103 for the reverse ones of enterprise 29305.

use super::message::Version;

const IANA: u32 = 0;

/// RFC 5103: its elements are IANA's of the same number, seen in the reverse direction.
const REVERSE: u32 = 29_305;

/// An information element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub(super) name: &'static str,
    enterprise: u32,
    id: u16,
    kind: Kind,
}

/// What an element's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A number of up to eight bytes.
    Number,
    /// A time as NTP has it (RFC 5905, 6).
    Ntp,
    Ipv4,
    Ipv6,
    Mac,
    /// Text, whose length each record may have anew.
    Text,
}

impl Element {
    /// How many bytes a value has, as text. None if it may have so many.
    pub(super) const fn refuses(&self, length: u16) -> Option<&'static str> {
        match (self.kind, length) {
            (Kind::Text, _) | (_, 0) => None,
            (Kind::Number, 1..=8) | (Kind::Ntp, 8) | (Kind::Ipv4, 4) | (Kind::Ipv6, 16) | (Kind::Mac, 6) => None,
            (Kind::Number, _) => Some("1 to 8"),
            (Kind::Ntp, _) => Some("8"),
            (Kind::Ipv4, _) => Some("4"),
            (Kind::Ipv6, _) => Some("16"),
            (Kind::Mac, _) => Some("6"),
        }
    }
}

macro_rules! elements {
    ($($slot:ident $name:literal $enterprise:ident $id:literal $kind:ident;)*) => {
        /// A place for the value of an element.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Slot { $($slot),* }

        const SLOTS: &[Slot] = &[$(Slot::$slot),*];

        /// The elements by slot.
        static ELEMENTS: &[Element] = &[$(Element {
            name: $name, enterprise: $enterprise, id: $id, kind: Kind::$kind,
        }),*];

        /// How many there are.
        pub(super) const COUNT: usize = SLOTS.len();
    };
}

elements! {
    SourceIpv4 "sourceIPv4Address" IANA 8 Ipv4;
    DestinationIpv4 "destinationIPv4Address" IANA 12 Ipv4;
    SourceIpv6 "sourceIPv6Address" IANA 27 Ipv6;
    DestinationIpv6 "destinationIPv6Address" IANA 28 Ipv6;
    Protocol "protocolIdentifier" IANA 4 Number;
    SourcePort "sourceTransportPort" IANA 7 Number;
    DestinationPort "destinationTransportPort" IANA 11 Number;
    UdpSourcePort "udpSourcePort" IANA 180 Number;
    UdpDestinationPort "udpDestinationPort" IANA 181 Number;
    TcpSourcePort "tcpSourcePort" IANA 182 Number;
    TcpDestinationPort "tcpDestinationPort" IANA 183 Number;
    IcmpTypeCodeIpv4 "icmpTypeCodeIPv4" IANA 32 Number;
    IcmpTypeCodeIpv6 "icmpTypeCodeIPv6" IANA 139 Number;
    IcmpTypeIpv4 "icmpTypeIPv4" IANA 176 Number;
    IcmpCodeIpv4 "icmpCodeIPv4" IANA 177 Number;
    IcmpTypeIpv6 "icmpTypeIPv6" IANA 178 Number;
    IcmpCodeIpv6 "icmpCodeIPv6" IANA 179 Number;

    Octets "octetDeltaCount" IANA 1 Number;
    TotalOctets "octetTotalCount" IANA 85 Number;
    PostOctets "postOctetDeltaCount" IANA 23 Number;
    InitiatorOctets "initiatorOctets" IANA 231 Number;
    ResponderOctets "responderOctets" IANA 232 Number;
    ReverseOctets "reverseOctetDeltaCount" REVERSE 1 Number;
    ReverseTotalOctets "reverseOctetTotalCount" REVERSE 85 Number;
    Packets "packetDeltaCount" IANA 2 Number;
    TotalPackets "packetTotalCount" IANA 86 Number;
    PostPackets "postPacketDeltaCount" IANA 24 Number;
    InitiatorPackets "initiatorPackets" IANA 298 Number;
    ResponderPackets "responderPackets" IANA 299 Number;
    ReversePackets "reversePacketDeltaCount" REVERSE 2 Number;
    ReverseTotalPackets "reversePacketTotalCount" REVERSE 86 Number;
    TcpFlags "tcpControlBits" IANA 6 Number;
    ReverseTcpFlags "reverseTcpControlBits" REVERSE 6 Number;

    StartNanoseconds "flowStartNanoseconds" IANA 156 Ntp;
    EndNanoseconds "flowEndNanoseconds" IANA 157 Ntp;
    StartMicroseconds "flowStartMicroseconds" IANA 154 Ntp;
    EndMicroseconds "flowEndMicroseconds" IANA 155 Ntp;
    StartMilliseconds "flowStartMilliseconds" IANA 152 Number;
    EndMilliseconds "flowEndMilliseconds" IANA 153 Number;
    StartSeconds "flowStartSeconds" IANA 150 Number;
    EndSeconds "flowEndSeconds" IANA 151 Number;
    StartDelta "flowStartDeltaMicroseconds" IANA 158 Number;
    EndDelta "flowEndDeltaMicroseconds" IANA 159 Number;
    StartUptime "flowStartSysUpTime" IANA 22 Number;
    EndUptime "flowEndSysUpTime" IANA 21 Number;
    SystemInit "systemInitTimeMilliseconds" IANA 160 Number;
    DurationMilliseconds "flowDurationMilliseconds" IANA 161 Number;
    DurationMicroseconds "flowDurationMicroseconds" IANA 162 Number;
    ObservedNanoseconds "observationTimeNanoseconds" IANA 325 Ntp;
    ObservedMicroseconds "observationTimeMicroseconds" IANA 324 Ntp;
    ObservedMilliseconds "observationTimeMilliseconds" IANA 323 Number;
    ObservedSeconds "observationTimeSeconds" IANA 322 Number;

    SourceMac "sourceMacAddress" IANA 56 Mac;
    DestinationMac "destinationMacAddress" IANA 80 Mac;
    PostDestinationMac "postDestinationMacAddress" IANA 57 Mac;
    Vlan "vlanId" IANA 58 Number;
    Dot1qVlan "dot1qVlanId" IANA 243 Number;
    ApplicationName "applicationName" IANA 96 Text;
    FlowId "flowId" IANA 148 Number;
    ExporterIpv4 "exporterIPv4Address" IANA 130 Ipv4;
    ExporterIpv6 "exporterIPv6Address" IANA 131 Ipv6;
    EndReason "flowEndReason" IANA 136 Number;
    BiflowDirection "biflowDirection" IANA 239 Number;
    FirewallEvent "firewallEvent" IANA 233 Number;
    NatEvent "natEvent" IANA 230 Number;

    SamplingInterval "samplingInterval" IANA 34 Number;
    SamplerRandomInterval "samplerRandomInterval" IANA 50 Number;
    SamplingPacketInterval "samplingPacketInterval" IANA 305 Number;
    SamplingPacketSpace "samplingPacketSpace" IANA 306 Number;
    SamplerId "samplerId" IANA 48 Number;
    SelectorId "selectorId" IANA 302 Number;
    Ingress "ingressInterface" IANA 10 Number;
}

impl Slot {
    /// Its element.
    pub(super) fn element(self) -> &'static Element {
        &ELEMENTS[self as usize]
    }

    /// The slot of a field of a template; none for what is not read.
    pub(super) fn of(version: Version, enterprise: u32, id: u16) -> Option<Self> {
        // What Cisco's ASA called its event before IANA had a number for it.
        if (version, id) == (Version::V9, 40_005) {
            return Some(Self::FirewallEvent);
        }
        let is_it = |element: &Element| (element.enterprise, element.id) == (enterprise, id);
        ELEMENTS.iter().position(is_it).map(|place| SLOTS[place])
    }

    /// The slot of a scope of version 9 (RFC 3954, 6.1). Those of IPFIX are elements.
    pub(super) const fn of_v9_scope(kind: u16) -> Option<Self> {
        match kind {
            2 => Some(Self::Ingress),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ELEMENTS, IANA, REVERSE, Slot};
    use crate::archive::netflow::message::Version;

    #[test]
    fn slots_are_found_by_number() {
        assert_eq!(Slot::of(Version::V9, 0, 8), Some(Slot::SourceIpv4));
        assert_eq!(Slot::of(Version::Ipfix, REVERSE, 1), Some(Slot::ReverseOctets));
        assert_eq!(Slot::of(Version::Ipfix, 9, 1), None);
        assert_eq!(Slot::of(Version::V9, 0, 40_005), Some(Slot::FirewallEvent));
        assert_eq!(Slot::of(Version::Ipfix, 0, 40_005), None);
        assert_eq!(Slot::ReverseTcpFlags.element().name, "reverseTcpControlBits");
    }

    #[test]
    fn no_element_stands_twice() {
        let mut numbers: Vec<_> = ELEMENTS.iter().map(|element| (element.enterprise, element.id)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ELEMENTS.len());
        assert!(ELEMENTS.iter().all(|element| [IANA, REVERSE].contains(&element.enterprise)));
    }

    #[test]
    fn lengths_are_checked() {
        let refuses = |slot: Slot, length| slot.element().refuses(length);
        assert_eq!(refuses(Slot::Octets, 4), None);
        assert_eq!(refuses(Slot::Octets, 9), Some("1 to 8"));
        assert_eq!(refuses(Slot::Octets, u16::MAX), Some("1 to 8"));
        assert_eq!(refuses(Slot::SourceIpv6, 4), Some("16"));
        assert_eq!(refuses(Slot::ApplicationName, u16::MAX), None);
    }
}
