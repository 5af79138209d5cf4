//! An oddity: something harmless that looks unusual, a file for each.
//!
//! Some change the site before it opens ([`arrange`]), some add habits ([`habits`]).

mod backup;
mod clinic_closure;
mod dhcp_churn;
mod discovery;
mod firmware_rollout;
mod moment;
mod network_management;
mod new_device;
mod pacs_burst;
mod patient_transport;
mod proxy;
mod retry_storm;
mod server_move;
mod shelved_device;
mod software_update;
mod vendor_remote_service;
mod vulnerability_scanner;

use crate::{Options, habit::Habit, names::named, site::Site};

named! {
    /// A harmless peculiarity, which no finding should come of.
    pub enum Oddity, "oddity" {
        /// Servers and some workstations are backed up every night.
        Backup = "backup",
        /// A declared scanner probes every device on Saturday nights.
        VulnerabilityScanner = "vulnerability-scanner",
        /// A vendor's engineers log on to imaging modalities on Wednesdays.
        VendorRemoteService = "vendor-remote-service",
        /// One model of infusion pump gets new firmware.
        FirmwareRollout = "firmware-rollout",
        /// A pump and a ventilator are off for up to a week.
        ShelvedDevice = "shelved-device",
        /// Workstations get each other's addresses.
        DhcpChurn = "dhcp-churn",
        /// Workstations and imaging modalities look for others by broadcast and multicast.
        Discovery = "discovery",
        /// Web pages come by a proxy, and a branch clinic is behind one address.
        Proxy = "proxy",
        /// The PACS is sent far more than usual in one night.
        PacsBurst = "pacs-burst",
        /// The network's manager asks every device by SNMP, and again those that are off.
        NetworkManagement = "network-management",
        /// Monitors and pumps are in another zone for some hours.
        PatientTransport = "patient-transport",
        /// Devices appear that were not there before.
        NewDevice = "new-device",
        /// Workstations and imaging modalities fetch much from their update servers in one night.
        SoftwareUpdate = "software-update",
        /// A server gets another address.
        ServerMove = "server-move",
        /// A ward is quiet for a day.
        ClinicClosure = "clinic-closure",
        /// A server is down for half an hour, and its clients try again and again.
        RetryStorm = "retry-storm",
    }
}

/// Changes the site as the chosen oddities want it.
pub(crate) fn arrange(site: &mut Site, options: &Options) {
    for oddity in Oddity::ALL.iter().filter(|&&oddity| options.has(oddity)) {
        match oddity {
            Oddity::DhcpChurn => dhcp_churn::arrange(site),
            Oddity::FirmwareRollout => firmware_rollout::arrange(site),
            Oddity::ShelvedDevice => shelved_device::arrange(site),
            Oddity::PatientTransport => patient_transport::arrange(site),
            Oddity::NewDevice => new_device::arrange(site),
            Oddity::ServerMove => server_move::arrange(site),
            Oddity::ClinicClosure => clinic_closure::arrange(site),
            Oddity::RetryStorm => retry_storm::arrange(site),
            Oddity::Backup
            | Oddity::VulnerabilityScanner
            | Oddity::VendorRemoteService
            | Oddity::Discovery
            | Oddity::Proxy
            | Oddity::PacsBurst
            | Oddity::NetworkManagement
            | Oddity::SoftwareUpdate => {}
        }
    }
}

/// Adds the habits of the chosen oddities to those of each device.
pub(crate) fn habits(site: &Site, options: &Options, habits: &mut [Vec<Habit>]) {
    for oddity in Oddity::ALL.iter().filter(|&&oddity| options.has(oddity)) {
        let added = match oddity {
            Oddity::Backup => backup::habits(site),
            Oddity::FirmwareRollout => firmware_rollout::habits(site),
            Oddity::VendorRemoteService => vendor_remote_service::habits(site),
            Oddity::VulnerabilityScanner => vulnerability_scanner::habits(site),
            Oddity::Discovery => discovery::habits(site),
            Oddity::Proxy => proxy::habits(site),
            Oddity::PacsBurst => pacs_burst::habits(site),
            Oddity::NetworkManagement => network_management::habits(site),
            Oddity::SoftwareUpdate => software_update::habits(site),
            Oddity::RetryStorm => retry_storm::habits(site),
            Oddity::DhcpChurn
            | Oddity::ShelvedDevice
            | Oddity::PatientTransport
            | Oddity::NewDevice
            | Oddity::ServerMove
            | Oddity::ClinicClosure => Vec::new(),
        };
        for (device, habit) in added {
            habits[device].push(habit);
        }
    }
}
