//! Names: enumerations whose variants are known by a name in kebab-case.

/// Declares an enumeration with `ALL`, `as_str`, `Display`, `FromStr` and serde by the given names. `kind` is what its
/// error calls it.
macro_rules! named {
    (
        $(#[$meta:meta])*
        pub enum $type:ident, $kind:literal {
            $($(#[$doc:meta])* $variant:ident = $name:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum $type {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl $type {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name, in kebab-case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::Error;

            fn from_str(value: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|it| it.as_str() == value).ok_or_else(|| $crate::Error::UnknownName {
                    kind: $kind,
                    value: value.to_owned(),
                    allowed: Self::ALL.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

pub(crate) use named;

#[cfg(test)]
mod tests {
    use crate::{Incident, Oddity, Variant};

    #[track_caller]
    fn check<T: std::str::FromStr<Err = crate::Error> + std::fmt::Display>(name: &str, expected: &str) {
        assert_eq!(name.parse::<T>().map_or_else(|error| error.to_string(), |it| it.to_string()), expected);
    }

    #[test]
    fn names_are_read_back_and_wrong_ones_list_those_allowed() {
        check::<Incident>("dns-tunnel", "dns-tunnel");
        check::<Oddity>("dhcp-churn", "dhcp-churn");
        check::<Variant>("stealthy", "stealthy");
        check::<Variant>("loud", "\"loud\" is no variant; allowed are easy, stealthy");
        check::<Incident>(
            "DnsTunnel",
            "\"DnsTunnel\" is no incident; allowed are scan, beacon, exfiltration, pump-contact, bulk-transfer, \
             lateral-movement, mqtt-flood, dns-tunnel, brute-force, inbound-flood, reverse-tunnel, dead-command-server, \
             rogue-server, silenced-monitor, off-hours-service, study-theft, ransomware, crypto-miner, \
             rogue-name-server, telnet-botnet",
        );
        check::<Oddity>(
            "",
            "\"\" is no oddity; allowed are backup, vulnerability-scanner, vendor-remote-service, firmware-rollout, \
             shelved-device, dhcp-churn, discovery, proxy, pacs-burst, network-management, patient-transport, \
             new-device, software-update, server-move, clinic-closure, retry-storm",
        );
    }
}
