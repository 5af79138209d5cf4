//! Who a peer is to a monitor, and which services are declared.

use wardflow_common::{Groups, Service, TCP, UDP};
use wardflow_sdk::PeerRole;

/// A peer group of `plugin.toml`, by its position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Group {
    CentralStation = 1,
    Hl7Gateway = 2,
    TimeServer = 3,
    NameServer = 4,
}

use Group::{CentralStation, Hl7Gateway, NameServer, TimeServer};

/// `expected_flows` of `plugin.toml`. A test keeps the two alike.
pub(crate) const EXPECTED: [(Group, Service); 7] = [
    (CentralStation, Service::of_peer(TCP, 4601)),
    (CentralStation, Service::of_peer(UDP, 4600)),
    (CentralStation, Service::of_peer(TCP, 443)),
    (Hl7Gateway, VITAL_SIGNS),
    (TimeServer, Service::of_peer(UDP, 123)),
    (NameServer, Service::of_peer(UDP, 53)),
    (NameServer, Service::of_peer(TCP, 53)),
];

/// How vital signs go to the record.
pub(crate) const VITAL_SIGNS: Service = Service::of_peer(TCP, 2575);

/// The services by which waves and numbers leave a monitor.
const TELEMETRY: [Service; 3] = [Service::of_peer(TCP, 4601), Service::of_peer(UDP, 4600), VITAL_SIGNS];

/// Groups by code, by class of the inventory, and by declared role.
pub(crate) fn groups() -> Groups<Group> {
    Groups::new(
        &[CentralStation, Hl7Gateway, TimeServer, NameServer],
        &[
            ("central-station", CentralStation),
            ("patient-monitoring-server", CentralStation),
            ("hl7-gateway", Hl7Gateway),
            ("integration-engine", Hl7Gateway),
            ("time-server", TimeServer),
            ("ntp-server", TimeServer),
            ("name-server", NameServer),
            ("dns-server", NameServer),
        ],
        &[(PeerRole::TimeServer, TimeServer), (PeerRole::NameServer, NameServer)],
    )
}

/// Whether a service is telemetry by its port.
pub(crate) fn is_telemetry(service: Service) -> bool {
    TELEMETRY.contains(&service)
}

/// Whether the model declares a service for members of a group.
pub(crate) fn is_expected(group: Group, service: Service) -> bool {
    EXPECTED.contains(&(group, service))
}
