//! Makers: who made a class of device, in which models. All of them are invented.

use crate::{Criticality, DeviceClass};

/// A model of an invented maker.
#[derive(Debug)]
pub(crate) struct Maker {
    pub(crate) manufacturer: &'static str,
    pub(crate) model: &'static str,
    /// The firmware that devices run when the archive begins.
    pub(crate) firmware: &'static str,
    /// The firmware after it.
    pub(crate) next_firmware: &'static str,
    /// Whether it is a medical device, and so has a UDI.
    pub(crate) medical: bool,
    pub(crate) criticality: Criticality,
}

const fn medical(
    manufacturer: &'static str,
    model: &'static str,
    [firmware, next_firmware]: [&'static str; 2],
    criticality: Criticality,
) -> Maker {
    Maker { manufacturer, model, firmware, next_firmware, medical: true, criticality }
}

const fn general(model: &'static str, firmware: &'static str, criticality: Criticality) -> Maker {
    Maker { manufacturer: "Tinbox Computers", model, firmware, next_firmware: firmware, medical: false, criticality }
}

use Criticality::{High, LifeSupporting, Low, Medium};

static PUMPS: [Maker; 2] = [
    medical("Nimbus Infusion Works", "Driftline 3", ["3.8.1", "3.9.0"], LifeSupporting),
    medical("Nimbus Infusion Works", "Driftline 5", ["5.2.0", "5.3.1"], LifeSupporting),
];
static MONITORS: [Maker; 2] = [
    medical("Corvane Monitoring", "Vigil 12", ["12.4", "12.5"], High),
    medical("Corvane Monitoring", "Vigil 15", ["15.0.2", "15.1.0"], High),
];
static IMAGING: [Maker; 3] = [
    medical("Lumenfold Imaging", "Arc CT 64", ["VA40", "VA41"], High),
    medical("Lumenfold Imaging", "Tesserine MR 1.5", ["XE11", "XE12"], High),
    medical("Echo & Loam", "Handscope U2", ["2.7", "2.8"], Medium),
];
static LAB: [Maker; 2] = [
    medical("Quillab Analytics", "Haema 900", ["9.1.4", "9.2.0"], High),
    medical("Quillab Analytics", "Chema 400", ["4.0.7", "4.1.0"], High),
];
static VENTILATORS: [Maker; 1] = [medical("Zephyrlung Devices", "Breeze V4", ["4.3.3", "4.4.0"], LifeSupporting)];
static HEART: [Maker; 1] = [medical("Pulsewisp Wearables", "Nestbox H1", ["1.19", "1.20"], Medium)];
static INSULIN: [Maker; 1] = [medical("Sugarfern Care", "Glade Hub", ["2.2.5", "2.3.0"], High)];
static WORKSTATIONS: [Maker; 2] = [general("Deskling 7", "11.23", Low), general("Wardcart 2", "11.22", Medium)];
static PUMP_GATEWAY: [Maker; 1] = [medical("Nimbus Infusion Works", "Driftline Gateway", ["7.1", "7.2"], High)];
static DRUG_LIBRARY: [Maker; 1] = [medical("Nimbus Infusion Works", "Driftline Library", ["7.1", "7.2"], High)];
static CENTRAL: [Maker; 1] = [medical("Corvane Monitoring", "Overlook", ["6.0", "6.1"], High)];
static PACS: [Maker; 1] = [medical("Lumenfold Imaging", "Folio", ["10.2", "10.3"], High)];
static SERVERS: [Maker; 1] = [general("Shelfling S2", "2025.4", High)];
static HELPERS: [Maker; 1] = [general("Shelfling S1", "2025.4", Medium)];
static PRINTERS: [Maker; 1] = [general("Inkpot 40", "40.7", Low)];

/// The model of the device with this number in its class; models take turns.
pub(crate) fn maker(class: DeviceClass, number: u32) -> &'static Maker {
    let models: &'static [Maker] = match class {
        DeviceClass::InfusionPump => &PUMPS,
        DeviceClass::PatientMonitor => &MONITORS,
        DeviceClass::ImagingModality => &IMAGING,
        DeviceClass::LabAnalyser => &LAB,
        DeviceClass::Ventilator => &VENTILATORS,
        DeviceClass::WearableHeartMonitorGateway => &HEART,
        DeviceClass::InsulinPumpGateway => &INSULIN,
        DeviceClass::Workstation => &WORKSTATIONS,
        DeviceClass::InfusionPumpGateway => &PUMP_GATEWAY,
        DeviceClass::DrugLibraryServer => &DRUG_LIBRARY,
        DeviceClass::CentralStation => &CENTRAL,
        DeviceClass::Pacs => &PACS,
        DeviceClass::Printer => &PRINTERS,
        DeviceClass::LaboratoryInformationSystem
        | DeviceClass::IntegrationEngine
        | DeviceClass::EhrServer
        | DeviceClass::DomainController
        | DeviceClass::DnsServer => &SERVERS,
        DeviceClass::FileServer
        | DeviceClass::NtpServer
        | DeviceClass::DhcpServer
        | DeviceClass::BackupServer
        | DeviceClass::ProxyServer
        | DeviceClass::NetworkManager
        | DeviceClass::VulnerabilityScanner => &HELPERS,
    };
    &models[number as usize % models.len()]
}
