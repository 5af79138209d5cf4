//! The cast: how many of each class a hospital has, and what each of them is.

use super::{Zone, addresses, maker, zones};
use crate::{Device, DeviceClass, Firmware, draw::mix};

/// What a hospital has of each class at the bedside, in laboratories and on desks: shares in per cent, and the least
/// number, which incidents and oddities need to pick different ones.
const SHARES: [(DeviceClass, u32, u32); 7] = [
    (DeviceClass::PatientMonitor, 20, 4),
    (DeviceClass::ImagingModality, 6, 2),
    (DeviceClass::LabAnalyser, 6, 2),
    (DeviceClass::Ventilator, 8, 2),
    (DeviceClass::WearableHeartMonitorGateway, 4, 2),
    (DeviceClass::InsulinPumpGateway, 3, 1),
    (DeviceClass::Workstation, 28, 9),
];

pub(crate) const WARDS: [&str; 10] = [
    "Intensive care A",
    "Intensive care B",
    "Emergency",
    "Surgery 1",
    "Surgery 2",
    "Cardiology",
    "Oncology",
    "Paediatrics",
    "Internal medicine",
    "Maternity",
];

/// How many there are of each class; infusion pumps are what the other shares leave.
pub(super) fn cast(devices: u32) -> Vec<(DeviceClass, u32)> {
    let shared = SHARES.map(|(class, share, least)| (class, (devices * share / 100).max(least)));
    let pumps = devices.saturating_sub(shared.iter().map(|(_, count)| count).sum()).max(6);
    let monitors = shared[0].1;
    let servers = [
        (DeviceClass::InfusionPumpGateway, 2 + pumps / 400),
        (DeviceClass::DrugLibraryServer, 1),
        (DeviceClass::CentralStation, 1 + monitors / 16),
        (DeviceClass::Pacs, 1),
        (DeviceClass::LaboratoryInformationSystem, 1),
        (DeviceClass::IntegrationEngine, 1),
        (DeviceClass::EhrServer, 1),
        (DeviceClass::FileServer, 1),
        (DeviceClass::DomainController, 2),
        (DeviceClass::DnsServer, 2),
        (DeviceClass::NtpServer, 2),
        (DeviceClass::DhcpServer, 1),
        (DeviceClass::BackupServer, 1),
        (DeviceClass::ProxyServer, 1),
        (DeviceClass::NetworkManager, 1),
        (DeviceClass::VulnerabilityScanner, 1),
        (DeviceClass::Printer, 1 + devices / 60),
    ];
    [(DeviceClass::InfusionPump, pumps)].into_iter().chain(shared).chain(servers).collect()
}

/// The device with this number in its class.
pub(super) fn device(class: DeviceClass, number: u32, seed: u64) -> (Device, &'static Zone) {
    let (zone, place) = place(class);
    let made = maker(class, number);
    let chance = mix(seed ^ mix(((class as u64) << 32) | u64::from(number)));
    let [_, _, a, b, c, d, ..] = chance.to_le_bytes();
    let source = if is_leased(class) { "dhcp" } else { "static" };
    let device = Device {
        id: format!("{class}-{number:04}"),
        class,
        manufacturer: made.manufacturer,
        model: made.model,
        serial: format!("{:02}{:06}", class as u8, chance % 1_000_000),
        udi_di: made.medical.then(|| udi_di(class, number)),
        mac: [0x02, a, b, c, d, number as u8],
        bindings: addresses::bindings(zone, place + number, source),
        firmware: vec![Firmware { version: made.firmware, valid_from_us: None, valid_to_us: None }],
        zone: zone.name,
        location: location(class, number),
        owner: owner(class),
        criticality: made.criticality,
    };
    (device, zone)
}

/// The name of a server in DNS.
pub(super) fn host_name(class: DeviceClass) -> Option<&'static str> {
    Some(match class {
        DeviceClass::InfusionPumpGateway => "pump-gateway.klinik.example",
        DeviceClass::DrugLibraryServer => "drug-library.klinik.example",
        DeviceClass::CentralStation => "central.klinik.example",
        DeviceClass::Pacs => "pacs.klinik.example",
        DeviceClass::LaboratoryInformationSystem => "lis.klinik.example",
        DeviceClass::IntegrationEngine => "hl7.klinik.example",
        DeviceClass::EhrServer => "ehr.klinik.example",
        DeviceClass::FileServer => "files.klinik.example",
        DeviceClass::BackupServer => "backup.klinik.example",
        DeviceClass::ProxyServer => "proxy.klinik.example",
        _ => return None,
    })
}

/// Whether devices of a class get their addresses by DHCP.
pub(super) fn is_leased(class: DeviceClass) -> bool {
    use DeviceClass::{InsulinPumpGateway, WearableHeartMonitorGateway, Workstation};
    matches!(class, Workstation | WearableHeartMonitorGateway | InsulinPumpGateway)
}

/// The zone of a class, and the number in it at which the class begins.
fn place(class: DeviceClass) -> (&'static Zone, u32) {
    match class {
        DeviceClass::InfusionPump => (&zones::INFUSION, 0),
        DeviceClass::PatientMonitor => (&zones::MONITORING, 0),
        DeviceClass::ImagingModality => (&zones::IMAGING, 0),
        DeviceClass::LabAnalyser => (&zones::LABORATORY, 0),
        DeviceClass::Ventilator => (&zones::LIFE_SUPPORT, 0),
        DeviceClass::WearableHeartMonitorGateway => (&zones::WEARABLES, 0),
        DeviceClass::InsulinPumpGateway => (&zones::WEARABLES, 25_000),
        DeviceClass::Workstation => (&zones::OFFICE, 0),
        DeviceClass::Printer => (&zones::OFFICE, 40_000),
        DeviceClass::DrugLibraryServer => (&zones::DATA_CENTRE, 0),
        DeviceClass::Pacs => (&zones::DATA_CENTRE, 1),
        DeviceClass::LaboratoryInformationSystem => (&zones::DATA_CENTRE, 2),
        DeviceClass::IntegrationEngine => (&zones::DATA_CENTRE, 3),
        DeviceClass::EhrServer => (&zones::DATA_CENTRE, 4),
        DeviceClass::FileServer => (&zones::DATA_CENTRE, 5),
        DeviceClass::DomainController => (&zones::DATA_CENTRE, 6),
        DeviceClass::DnsServer => (&zones::DATA_CENTRE, 8),
        DeviceClass::NtpServer => (&zones::DATA_CENTRE, 10),
        DeviceClass::DhcpServer => (&zones::DATA_CENTRE, 12),
        DeviceClass::BackupServer => (&zones::DATA_CENTRE, 13),
        DeviceClass::ProxyServer => (&zones::DATA_CENTRE, 14),
        DeviceClass::InfusionPumpGateway => (&zones::DATA_CENTRE, 200),
        DeviceClass::CentralStation => (&zones::DATA_CENTRE, 1_000),
        DeviceClass::NetworkManager => (&zones::MANAGEMENT, 0),
        DeviceClass::VulnerabilityScanner => (&zones::MANAGEMENT, 1),
    }
}

fn location(class: DeviceClass, number: u32) -> &'static str {
    match class {
        DeviceClass::ImagingModality => "Radiology",
        DeviceClass::LabAnalyser => "Laboratory",
        DeviceClass::Ventilator => WARDS[number as usize % 3],
        DeviceClass::InfusionPump
        | DeviceClass::PatientMonitor
        | DeviceClass::WearableHeartMonitorGateway
        | DeviceClass::InsulinPumpGateway
        | DeviceClass::Workstation
        | DeviceClass::CentralStation
        | DeviceClass::Printer => WARDS[number as usize % WARDS.len()],
        _ => "Data centre",
    }
}

fn owner(class: DeviceClass) -> &'static str {
    if maker(class, 0).medical { "Biomedical engineering" } else { "Information technology" }
}

/// A GTIN-14: indicator 0, the prefix 952 that GS1 keeps for examples, the model, the check digit.
fn udi_di(class: DeviceClass, number: u32) -> String {
    let models_before = DeviceClass::ALL.len() as u32;
    let model = maker(class, number).model;
    let first = (0..number).find(|&earlier| maker(class, earlier).model == model).unwrap_or(number);
    let body = format!("0952{:09}", 100_000 + first * models_before + class as u32);
    let sum: u32 =
        body.bytes().enumerate().map(|(i, digit)| u32::from(digit - b'0') * if i % 2 == 0 { 3 } else { 1 }).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[track_caller]
    fn check(devices: u32) {
        let cast = cast(devices);
        let classes: BTreeSet<_> = cast.iter().map(|&(class, _)| class).collect();
        assert_eq!(classes.len(), DeviceClass::ALL.len(), "every class has a part");
        let asked: u32 = cast.iter().take(1 + SHARES.len()).map(|(_, count)| count).sum();
        assert_eq!(asked, devices);
        let mut seen = BTreeSet::new();
        for (class, count) in cast {
            for number in 0..count {
                let (device, _) = device(class, number, 1);
                assert!(seen.insert(device.mac), "{} shares its MAC", device.id);
                for binding in device.bindings {
                    assert!(!binding.ip.is_ipv4() || binding.source == "static" || is_leased(class));
                }
            }
        }
    }

    #[test]
    fn there_are_as_many_devices_as_asked_for() {
        check(30);
        check(120);
        check(9_999);
    }

    #[test]
    fn check_digits_are_those_of_gs1() {
        assert_eq!(udi_di(DeviceClass::InfusionPump, 0), udi_di(DeviceClass::InfusionPump, 2));
        assert_ne!(udi_di(DeviceClass::InfusionPump, 0), udi_di(DeviceClass::InfusionPump, 1));
        let digits = udi_di(DeviceClass::Pacs, 0);
        let sum: u32 =
            digits.bytes().enumerate().map(|(i, d)| u32::from(d - b'0') * if i % 2 == 0 { 3 } else { 1 }).sum();
        assert_eq!((digits.len(), sum % 10), (14, 0));
    }
}
