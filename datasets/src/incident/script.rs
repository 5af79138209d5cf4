//! A script: what an incident is in ATT&CK, whom it needs, and how it goes.
//!
//! Techniques are those of MITRE ATT&CK, <https://attack.mitre.org>: `T1…` of the Enterprise matrix, `T0…` of the one
//! for industrial control systems.

use super::{
    Incident, beacon, brute_force, bulk_transfer, crypto_miner, dead_command_server, dns_tunnel, exfiltration,
    inbound_flood, lateral_movement, mqtt_flood, off_hours_service, pump_contact, ransomware, reverse_tunnel,
    rogue_name_server, rogue_server, scan, scene::Scene, silenced_monitor, study_theft, telnet_botnet,
};
use crate::DeviceClass::{
    self, CentralStation, ImagingModality, InfusionPump, InsulinPumpGateway, IntegrationEngine, LabAnalyser,
    PatientMonitor, Ventilator, WearableHeartMonitorGateway, Workstation,
};

/// What an incident takes.
pub(super) struct Script {
    pub(super) technique: &'static str,
    /// The classes of the devices that it needs for itself.
    pub(super) actors: &'static [DeviceClass],
    pub(super) play: fn(&mut Scene<'_>),
}

const fn script(technique: &'static str, actors: &'static [DeviceClass], play: fn(&mut Scene<'_>)) -> Script {
    Script { technique, actors, play }
}

impl Incident {
    /// Its ATT&CK technique.
    pub const fn technique(self) -> &'static str {
        self.script().technique
    }

    pub(super) const fn script(self) -> Script {
        match self {
            Self::Scan => script("T1046", &[Workstation, ImagingModality], scan::play),
            Self::Beacon => script("T1071.001", &[ImagingModality], beacon::play),
            Self::Exfiltration => script("T1041", &[LabAnalyser], exfiltration::play),
            Self::PumpContact => script("T1021", &[InfusionPump, Workstation], pump_contact::play),
            Self::BulkTransfer => script("T1570", &[InfusionPump, Workstation], bulk_transfer::play),
            Self::LateralMovement => script("T1021.002", &[Workstation], lateral_movement::play),
            Self::MqttFlood => script("T1499.002", &[WearableHeartMonitorGateway], mqtt_flood::play),
            Self::DnsTunnel => script("T1071.004", &[Workstation], dns_tunnel::play),
            Self::BruteForce => script("T1110.001", &[ImagingModality, Workstation], brute_force::play),
            Self::InboundFlood => script("T0814", &[IntegrationEngine, Ventilator], inbound_flood::play),
            Self::ReverseTunnel => script("T1572", &[CentralStation], reverse_tunnel::play),
            Self::DeadCommandServer => script("T1008", &[Ventilator], dead_command_server::play),
            Self::RogueServer => script("T0830", &[PatientMonitor, PatientMonitor, PatientMonitor], rogue_server::play),
            Self::SilencedMonitor => script("T0804", &[PatientMonitor], silenced_monitor::play),
            Self::OffHoursService => script("T1133", &[ImagingModality], off_hours_service::play),
            Self::StudyTheft => script("T1213", &[Workstation], study_theft::play),
            Self::Ransomware => script("T1486", &[Workstation], ransomware::play),
            Self::CryptoMiner => script("T1496", &[LabAnalyser], crypto_miner::play),
            Self::RogueNameServer => script("T1557.003", &[InsulinPumpGateway], rogue_name_server::play),
            Self::TelnetBotnet => script("T0812", &[WearableHeartMonitorGateway, Workstation], telnet_botnet::play),
        }
    }
}
