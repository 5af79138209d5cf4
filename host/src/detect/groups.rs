//! Peer groups: which of a manifest's groups a peer belongs to, matched by the host.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use wardflow_manifest::Manifest;

use crate::{
    config::GroupMembers,
    error::{Error, Result},
};

/// The members of a plugin's peer groups: what the manifest says, and what the hospital adds.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    groups: Vec<GroupMembers>,
}

impl Groups {
    /// The groups of a manifest with the hospital's members.
    ///
    /// # Errors
    /// The hospital maps a group that the manifest does not declare, or the manifest has a CIDR that is none.
    pub fn new(manifest: &Manifest, mapped: &BTreeMap<String, GroupMembers>) -> Result<Self> {
        let declared: Vec<_> = manifest.peer_groups.iter().map(|group| group.name.as_str()).collect();
        if let Some(name) = mapped.keys().find(|name| !declared.contains(&name.as_str())) {
            let known = if declared.is_empty() { "it declares none".to_owned() } else { declared.join(", ") };
            return Err(Error::usage(format!("plugin {} has no peer group {name:?}", manifest.id))
                .remedy(format!("map one of its groups in wardflow.toml: {known}")));
        }
        let members = |group: &wardflow_manifest::PeerGroup| {
            let mut members = mapped.get(&group.name).cloned().unwrap_or_default();
            for cidr in &group.cidrs {
                members.cidrs.push(parse_cidr(cidr).ok_or_else(|| {
                    Error::usage(format!(
                        "peer group {} of plugin {} has {cidr:?}, which is no CIDR",
                        group.name, manifest.id
                    ))
                    .remedy("ask the publisher for a corrected plugin")
                })?);
            }
            members.names.extend(group.names.iter().cloned());
            for name in &mut members.names {
                name.make_ascii_lowercase();
            }
            Ok(members)
        };
        Ok(Self { groups: manifest.peer_groups.iter().map(members).collect::<Result<_>>()? })
    }

    /// Whether some group is matched by name.
    pub fn use_names(&self) -> bool {
        self.groups.iter().any(|group| !group.names.is_empty())
    }

    /// The code of the first group that an address belongs to; `u16::MAX` for none, so that the least code wins.
    pub(super) fn of_ip(&self, ip: IpAddr) -> u16 {
        self.first(|group| group.cidrs.iter().any(|cidr| cidr.contains(&ip)))
    }

    /// The code of the first group that a name belongs to; `u16::MAX` for none.
    pub(super) fn of_name(&self, name: &str) -> u16 {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.first(|group| !name.is_empty() && group.names.iter().any(|pattern| matches(pattern, &name)))
    }

    fn first(&self, belongs: impl Fn(&GroupMembers) -> bool) -> u16 {
        let position = self.groups.iter().position(belongs);
        position.and_then(|position| u16::try_from(position + 1).ok()).unwrap_or(u16::MAX)
    }
}

/// A CIDR, or a single address.
pub(crate) fn parse_cidr(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Whether a name is meant by a pattern: by itself, or by `*.` and a domain that it is a subdomain of.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_wildcard_stands_for_subdomains_only() {
        for (pattern, name, expected) in [
            ("*.vendor.example", "api.vendor.example", true),
            ("*.vendor.example", "a.b.vendor.example", true),
            ("*.vendor.example", "vendor.example", false),
            ("*.vendor.example", "evilvendor.example", false),
            ("vendor.example", "vendor.example", true),
            ("vendor.example", "api.vendor.example", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{name} against {pattern}");
        }
    }
}
