//! A device: an inventory entry, with the addresses and the firmware that it had over time.

use crate::names::named;
use serde::Serialize;
use std::net::IpAddr;

/// An inventory entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// The hospital's own number for it, such as `infusion-pump-0007`.
    pub id: String,
    /// What it is.
    pub class: DeviceClass,
    /// Who made it. All makers are invented.
    pub manufacturer: &'static str,
    /// The maker's model name.
    pub model: &'static str,
    /// Serial number.
    pub serial: String,
    /// UDI device identifier (a GTIN-14 from the range that GS1 keeps for examples); `None` for general IT.
    pub udi_di: Option<String>,
    /// Hardware address.
    pub mac: [u8; 6],
    /// The addresses it had, each with its time.
    pub bindings: Vec<Binding>,
    /// The firmware it ran, oldest first.
    pub firmware: Vec<Firmware>,
    /// The zone it stands in.
    pub zone: &'static str,
    /// Ward or room.
    pub location: &'static str,
    /// The department that answers for it.
    pub owner: &'static str,
    /// What harm its failure does.
    pub criticality: Criticality,
}

/// An address that a device had for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Binding {
    /// The address.
    pub ip: IpAddr,
    /// When it got it, UTC microseconds; `None` means before the archive begins.
    pub valid_from_us: Option<i64>,
    /// When it lost it, UTC microseconds; `None` means after the archive ends.
    pub valid_to_us: Option<i64>,
    /// How the address is known: `static` or `dhcp`.
    pub source: &'static str,
}

/// A firmware version that a device ran for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Firmware {
    /// The maker's version.
    pub version: &'static str,
    /// When it was installed, UTC microseconds; `None` means before the archive begins.
    pub valid_from_us: Option<i64>,
    /// When it was replaced, UTC microseconds; `None` means it runs still.
    pub valid_to_us: Option<i64>,
}

/// What one row of a flat inventory says: a device had this address and ran this firmware in this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InventoryRow<'a> {
    /// The device.
    pub device: &'a Device,
    /// The address.
    pub ip: IpAddr,
    /// The firmware.
    pub firmware: &'static str,
    /// From when, UTC microseconds; `None` means before the archive begins.
    pub valid_from_us: Option<i64>,
    /// Until when, exclusively, UTC microseconds; `None` means after the archive ends.
    pub valid_to_us: Option<i64>,
}

impl Device {
    /// The entry as a flat inventory holds it: a row for each address and firmware that were there together.
    pub fn rows(&self) -> impl Iterator<Item = InventoryRow<'_>> {
        self.bindings.iter().flat_map(move |binding| {
            self.firmware.iter().filter_map(move |firmware| {
                let valid_from_us = binding.valid_from_us.max(firmware.valid_from_us);
                let valid_to_us = [binding.valid_to_us, firmware.valid_to_us].into_iter().flatten().min();
                let empty = valid_from_us.zip(valid_to_us).is_some_and(|(from, to)| from >= to);
                (!empty).then_some(InventoryRow {
                    device: self,
                    ip: binding.ip,
                    firmware: firmware.version,
                    valid_from_us,
                    valid_to_us,
                })
            })
        })
    }
}

impl Binding {
    /// Whether the device had the address from `from_us` through `to_us`.
    pub(crate) fn covers(&self, from_us: i64, to_us: i64) -> bool {
        self.valid_from_us.is_none_or(|start| start <= from_us) && self.valid_to_us.is_none_or(|end| to_us < end)
    }
}

named! {
    /// The harm that a device's failure does.
    pub enum Criticality, "criticality" {
        /// An inconvenience.
        Low = "low",
        /// Delayed work.
        Medium = "medium",
        /// Delayed or wrong diagnosis or treatment.
        High = "high",
        /// Danger to life within minutes.
        LifeSupporting = "life-supporting",
    }
}

named! {
    /// What a device is.
    pub enum DeviceClass, "device class" {
        /// Gives drugs at a set rate.
        InfusionPump = "infusion-pump",
        /// Shows and sends vital signs at the bedside.
        PatientMonitor = "patient-monitor",
        /// CT, MR, ultrasound: makes images.
        ImagingModality = "imaging-modality",
        /// Analyses samples.
        LabAnalyser = "lab-analyser",
        /// Breathes for a patient.
        Ventilator = "ventilator",
        /// Collects from heart monitors that patients wear.
        WearableHeartMonitorGateway = "wearable-heart-monitor-gateway",
        /// Collects from insulin pumps.
        InsulinPumpGateway = "insulin-pump-gateway",
        /// A person's computer.
        Workstation = "workstation",
        /// Speaks to infusion pumps for the hospital's systems.
        InfusionPumpGateway = "infusion-pump-gateway",
        /// Holds the pumps' drug library and firmware.
        DrugLibraryServer = "drug-library-server",
        /// Gathers a ward's patient monitors.
        CentralStation = "central-station",
        /// Keeps images.
        Pacs = "pacs",
        /// Keeps laboratory orders and results.
        LaboratoryInformationSystem = "laboratory-information-system",
        /// Carries HL7 messages between systems.
        IntegrationEngine = "integration-engine",
        /// Keeps patients' records.
        EhrServer = "ehr-server",
        /// Keeps files.
        FileServer = "file-server",
        /// Keeps accounts.
        DomainController = "domain-controller",
        /// Resolves names.
        DnsServer = "dns-server",
        /// Tells the time.
        NtpServer = "ntp-server",
        /// Lends addresses.
        DhcpServer = "dhcp-server",
        /// Keeps backups.
        BackupServer = "backup-server",
        /// Fetches web pages for others.
        ProxyServer = "proxy-server",
        /// Watches that everything is up.
        NetworkManager = "network-manager",
        /// Looks for vulnerabilities on purpose.
        VulnerabilityScanner = "vulnerability-scanner",
        /// Prints.
        Printer = "printer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Times = (Option<i64>, Option<i64>);

    fn device(bindings: &[Times], firmware: &[Times]) -> Device {
        let binding = |&(valid_from_us, valid_to_us): &Times| Binding {
            ip: [10, 0, 0, 1].into(),
            valid_from_us,
            valid_to_us,
            source: "dhcp",
        };
        let version = |&(valid_from_us, valid_to_us): &Times| Firmware { version: "1", valid_from_us, valid_to_us };
        Device {
            id: "d".to_owned(),
            class: DeviceClass::Printer,
            manufacturer: "m",
            model: "m",
            serial: String::new(),
            udi_di: None,
            mac: [0; 6],
            bindings: bindings.iter().map(binding).collect(),
            firmware: firmware.iter().map(version).collect(),
            zone: "z",
            location: "l",
            owner: "o",
            criticality: Criticality::Low,
        }
    }

    #[track_caller]
    fn check(bindings: &[Times], firmware: &[Times], expected: &[Times]) {
        let device = device(bindings, firmware);
        let rows: Vec<Times> = device.rows().map(|row| (row.valid_from_us, row.valid_to_us)).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn rows_are_the_common_times_of_addresses_and_firmware() {
        check(&[(None, None)], &[(None, None)], &[(None, None)]);
        check(&[(None, None)], &[(None, Some(5)), (Some(5), None)], &[(None, Some(5)), (Some(5), None)]);
        check(
            &[(None, Some(3)), (Some(3), None)],
            &[(None, Some(5)), (Some(5), None)],
            &[(None, Some(3)), (Some(3), Some(5)), (Some(5), None)],
        );
    }
}
