//! Who a peer is to a modality, and which services are declared.

use wardflow_common::{Groups, Service, Standing, TCP, UDP};
use wardflow_sdk::PeerRole;

/// A peer group of `plugin.toml`, by its position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Group {
    Pacs = 1,
    Worklist = 2,
    TimeServer = 3,
    NameServer = 4,
    VendorService = 5,
}

use Group::{NameServer, Pacs, TimeServer, VendorService, Worklist};

/// Ports of DICOM associations: well-known and registered (PS3.8, 9.1.1), and with TLS (PS3.15, B.1) and ISCL (IANA).
const DICOM: [u16; 4] = [104, 11_112, 2762, 2761];

/// `expected_flows` of `plugin.toml`. A test keeps the two alike.
pub(crate) const EXPECTED: [(Group, Service); 16] = [
    (Pacs, Service::of_peer(TCP, 104)),
    (Pacs, Service::of_peer(TCP, 11_112)),
    (Pacs, Service::of_peer(TCP, 2762)),
    (Pacs, Service::of_peer(TCP, 2761)),
    (Pacs, Service::of_device(TCP, 104)),
    (Pacs, Service::of_device(TCP, 11_112)),
    (Pacs, Service::of_device(TCP, 2762)),
    (Worklist, Service::of_peer(TCP, 104)),
    (Worklist, Service::of_peer(TCP, 11_112)),
    (Worklist, Service::of_peer(TCP, 2762)),
    (Worklist, Service::of_peer(TCP, 2761)),
    (Worklist, Service::of_peer(TCP, 2575)),
    (TimeServer, Service::of_peer(UDP, 123)),
    (NameServer, Service::of_peer(UDP, 53)),
    (NameServer, Service::of_peer(TCP, 53)),
    (VendorService, Service::of_peer(TCP, 443)),
];

/// Groups by code, by class of the inventory, and by declared role.
pub(crate) fn groups() -> Groups<Group> {
    Groups::new(
        &[Pacs, Worklist, TimeServer, NameServer, VendorService],
        &[
            ("pacs", Pacs),
            ("image-archive", Pacs),
            ("vendor-neutral-archive", Pacs),
            ("radiology-information-system", Worklist),
            ("worklist-server", Worklist),
            ("integration-engine", Worklist),
            ("time-server", TimeServer),
            ("ntp-server", TimeServer),
            ("name-server", NameServer),
            ("dns-server", NameServer),
        ],
        &[(PeerRole::TimeServer, TimeServer), (PeerRole::NameServer, NameServer)],
    )
}

/// Whether a service is one of DICOM by its port.
pub(crate) fn is_dicom(service: Service) -> bool {
    service.protocol == TCP && DICOM.contains(&service.port)
}

/// Whether the model declares a service for members of a group. A maker's engineers may log in by any way.
pub(crate) fn is_expected(group: Group, service: Service) -> bool {
    (group == VendorService && service.is_login()) || EXPECTED.contains(&(group, service))
}

/// Whether a peer keeps images or orders.
pub(crate) const fn is_archive(standing: Standing<Group>) -> bool {
    matches!(standing, Standing::Member(Pacs | Worklist))
}
