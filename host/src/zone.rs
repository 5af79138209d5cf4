//! Where an address is: the hospital's own space, and what it declared its servers to be.

use std::{
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
};

use ipnet::IpNet;
use wardflow_manifest::PeerRole;

/// Which networks are the hospital's own.
#[derive(Clone, Debug)]
pub struct AddressSpace {
    internal: Vec<IpNet>,
    /// The same as ranges of numbers, since two addresses of every flow are looked up.
    internal_v4: Vec<RangeInclusive<u32>>,
    internal_v6: Vec<RangeInclusive<u128>>,
}

/// Where an address is, before anything is known of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it; `name` has them for SQL")]
pub enum IpScope {
    Internal,
    External,
    Multicast,
    Broadcast,
    Unspecified,
}

impl IpScope {
    /// The word in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Unspecified => "unspecified",
        }
    }
}

impl AddressSpace {
    /// Private (RFC 1918, RFC 4193) and link-local (RFC 3927, RFC 4291) networks.
    pub const DEFAULT: [&str; 6] =
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

    /// The networks that are the hospital's own.
    pub fn new(internal: Vec<IpNet>) -> Self {
        let (mut internal_v4, mut internal_v6) = (Vec::new(), Vec::new());
        for net in &internal {
            match net {
                IpNet::V4(net) => internal_v4.push(net.network().to_bits()..=net.broadcast().to_bits()),
                IpNet::V6(net) => internal_v6.push(net.network().to_bits()..=net.broadcast().to_bits()),
            }
        }
        Self { internal, internal_v4, internal_v6 }
    }

    /// The networks that are the hospital's own.
    pub fn internal(&self) -> &[IpNet] {
        &self.internal
    }

    /// Where an address is. Broadcast is the limited broadcast address and the highest address of an internal IPv4
    /// /24, since flow records carry no netmask: no other internal address ends in 255 there.
    pub fn scope(&self, ip: IpAddr) -> IpScope {
        let ip = ip.to_canonical();
        if ip.is_unspecified() {
            IpScope::Unspecified
        } else if ip.is_multicast() {
            IpScope::Multicast
        } else if ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
            IpScope::Broadcast
        } else if self.is_internal(ip) {
            match ip {
                IpAddr::V4(v4) if v4.octets()[3] == 255 => IpScope::Broadcast,
                _ => IpScope::Internal,
            }
        } else {
            IpScope::External
        }
    }

    fn is_internal(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(v4) => self.internal_v4.iter().any(|net| net.contains(&v4.to_bits())),
            IpAddr::V6(v6) => self.internal_v6.iter().any(|net| net.contains(&v6.to_bits())),
        }
    }
}

impl Default for AddressSpace {
    fn default() -> Self {
        Self::new(Self::DEFAULT.iter().filter_map(|net| net.parse().ok()).collect())
    }
}

/// A part of the network that the hospital declares to have a role, so that its traffic is not mistaken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Infrastructure {
    /// What it does.
    pub role: PeerRole,
    /// Where it is.
    pub cidr: IpNet,
    /// When it does so, local time; absent for always.
    pub hours: Option<Hours>,
}

/// Hours of the day in local time, from `start` to before `end`, in minutes; over midnight if `end` is smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the type says it")]
pub struct Hours {
    pub start: u16,
    pub end: u16,
}

impl Hours {
    /// Whether a minute of the day, or of the week, lies in them.
    pub const fn contain(self, minute: u16) -> bool {
        let minute = minute % 1_440;
        if self.start <= self.end {
            self.start <= minute && minute < self.end
        } else {
            self.start <= minute || minute < self.end
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressSpace, Hours};

    #[test]
    fn tells_scopes_apart() {
        let space = AddressSpace::default();
        for (ip, scope) in [
            ("10.1.2.3", "internal"),
            ("fd00::1", "internal"),
            ("fe80::1", "internal"),
            ("::ffff:10.1.2.3", "internal"),
            ("203.0.113.7", "external"),
            ("2001:db8::1", "external"),
            ("224.0.0.251", "multicast"),
            ("ff02::fb", "multicast"),
            ("255.255.255.255", "broadcast"),
            ("192.168.1.255", "broadcast"),
            ("0.0.0.0", "unspecified"),
            ("::", "unspecified"),
        ] {
            assert_eq!(space.scope(ip.parse().unwrap()).name(), scope, "{ip}");
        }
    }

    #[test]
    fn hours_may_pass_midnight() {
        let night = Hours { start: 22 * 60, end: 5 * 60 };
        assert!(night.contain(23 * 60) && night.contain(0) && night.contain(1_440 + 60));
        assert!(!night.contain(5 * 60) && !night.contain(12 * 60));
    }
}
