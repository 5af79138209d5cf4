//! What a hospital declares about its network: hosts that touch everything, and the peers a pump is meant to have.

use crate::{
    DeviceClass,
    names::named,
    site::{Party, Site, address, hosts},
};
use serde::Serialize;

/// The local hours in which pumps fetch drug libraries and firmware.
pub(crate) const DRUG_LIBRARY_HOURS: &str = "02:00-05:00";

/// A declared host or network that talks to many devices by design.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Infrastructure {
    /// What it does.
    pub role: Role,
    /// Where it is, such as `10.10.0.21/32`.
    pub cidr: String,
    /// The local hours in which it may, such as `Sat 22:00-04:00`; `None` for always.
    pub hours: Option<&'static str>,
    /// One line for people.
    pub note: &'static str,
}

named! {
    /// What a piece of infrastructure does.
    pub enum Role, "role" {
        /// Looks for vulnerabilities.
        Scanner = "scanner",
        /// Network management: asks everything whether it is up.
        Nms = "nms",
        /// Fetches or takes backups.
        Backup = "backup",
        /// Fetches web pages for others.
        Proxy = "proxy",
        /// Stands for several devices behind it.
        Nat = "nat",
        /// A vendor's remote service.
        RemoteService = "remote-service",
        /// Resolves names.
        Dns = "dns",
        /// Tells the time.
        Ntp = "ntp",
        /// Lends addresses.
        Dhcp = "dhcp",
    }
}

/// Peers that devices of a class are meant to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerGroup {
    /// The group's name, as a plugin's manifest calls it.
    pub name: &'static str,
    /// Where its members are.
    pub cidrs: Vec<String>,
}

/// All that the hospital declares.
pub(crate) fn declare(site: &Site) -> Vec<Infrastructure> {
    use DeviceClass as Class;
    let roles = [
        (Class::VulnerabilityScanner, Role::Scanner, Some("Sat 22:00-02:00"), "Weekly vulnerability scan"),
        (Class::NetworkManager, Role::Nms, None, "Pings every device, asks servers by SNMP"),
        (Class::BackupServer, Role::Backup, Some("daily 22:00-03:00"), "Nightly backup"),
        (Class::ProxyServer, Role::Proxy, None, "Web proxy"),
        (Class::DnsServer, Role::Dns, None, "Name server"),
        (Class::NtpServer, Role::Ntp, None, "Time server"),
        (Class::DhcpServer, Role::Dhcp, None, "Lends addresses to workstations and wearables"),
    ];
    let own = roles.into_iter().flat_map(|(class, role, hours, note)| {
        cidrs(site, class).into_iter().map(move |cidr| Infrastructure { role, cidr, hours, note })
    });
    let service = Infrastructure {
        role: Role::RemoteService,
        cidr: format!("{}/32", hosts::IMAGING_SERVICE.v4),
        hours: Some("Wed 10:00-12:00"),
        note: "Lumenfold's engineers, for imaging modalities",
    };
    let branch = match nat(site) {
        Party::Vacant(ip, _) => Some(Infrastructure {
            role: Role::Nat,
            cidr: format!("{ip}/32"),
            hours: None,
            note: "A branch clinic, whose devices are behind this address",
        }),
        _ => None,
    };
    own.chain([service]).chain(branch).collect()
}

/// The number in the office zone of the address that a branch clinic has.
const BRANCH: u32 = 45_000;

/// The branch clinic, as all its devices appear.
pub(crate) fn nat(site: &Site) -> Party {
    let zone = site.zone(site.of(DeviceClass::Workstation)[0]);
    Party::Vacant(address(zone, BRANCH), zone)
}

/// The peers that infusion pumps are meant to have.
pub(crate) fn pump_peers(site: &Site) -> Vec<PeerGroup> {
    let group = |name, class| PeerGroup { name, cidrs: cidrs(site, class) };
    vec![
        group("pump-gateway", DeviceClass::InfusionPumpGateway),
        group("drug-library-server", DeviceClass::DrugLibraryServer),
        group("time-server", DeviceClass::NtpServer),
        group("name-server", DeviceClass::DnsServer),
    ]
}

/// The addresses of the devices of a class, none of which ever changes.
fn cidrs(site: &Site, class: DeviceClass) -> Vec<String> {
    let bindings = site.of(class).iter().flat_map(|&device| &site.devices[device].bindings);
    bindings.map(|binding| format!("{}/{}", binding.ip, if binding.ip.is_ipv4() { 32 } else { 128 })).collect()
}
