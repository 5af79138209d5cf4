//! Who a peer is to a pump, and which services are declared.

use wardflow_common::{Groups, Service, Standing, TCP, UDP};
use wardflow_sdk::PeerRole;

/// A peer group of `plugin.toml`, by its position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Group {
    PumpGateway = 1,
    DrugLibraryServer = 2,
    TimeServer = 3,
    NameServer = 4,
}

use Group::{DrugLibraryServer, NameServer, PumpGateway, TimeServer};

/// `expected_flows` of `plugin.toml`: the device opens them all. A test keeps the two alike.
pub(crate) const EXPECTED: [(Group, Service); 6] = [
    (PumpGateway, Service::of_peer(TCP, 443)),
    (PumpGateway, ORDERS),
    (DrugLibraryServer, Service::of_peer(TCP, 443)),
    (TimeServer, Service::of_peer(UDP, 123)),
    (NameServer, Service::of_peer(UDP, 53)),
    (NameServer, Service::of_peer(TCP, 53)),
];

/// `bytes_a_day` of a gateway's services together.
pub(crate) const GATEWAY_BYTES_A_DAY: u64 = 8_000_000;

/// The pump's own protocol, which nobody but a gateway speaks.
pub(crate) const ORDERS: Service = Service::of_peer(TCP, 4010);

/// Groups by code, by class of the inventory, and by declared role.
pub(crate) fn groups() -> Groups<Group> {
    Groups::new(
        &[PumpGateway, DrugLibraryServer, TimeServer, NameServer],
        &[
            ("infusion-pump-gateway", PumpGateway),
            ("drug-library-server", DrugLibraryServer),
            ("time-server", TimeServer),
            ("ntp-server", TimeServer),
            ("name-server", NameServer),
            ("dns-server", NameServer),
        ],
        &[(PeerRole::TimeServer, TimeServer), (PeerRole::NameServer, NameServer)],
    )
}

/// Whether the model declares a service for members of a group.
pub(crate) fn is_expected(group: Group, service: Service) -> bool {
    EXPECTED.contains(&(group, service))
}

/// Whether a peer is a server of pumps, as the hospital or its inventory says.
pub(crate) const fn is_pump_server(standing: Standing<Group>) -> bool {
    matches!(standing, Standing::Member(PumpGateway | DrugLibraryServer))
}

/// Whether a peer is in no group, and nobody declared what it does.
pub(crate) const fn is_stranger(standing: Standing<Group>) -> bool {
    matches!(standing, Standing::Internet | Standing::Workstation | Standing::Inside)
}
