//! An oddity: something harmless that looks unusual, a file for each.
//!
//! Some change the site before it opens ([`arrange`]), some add habits ([`habits`]).

mod backup;
mod dhcp_churn;
mod firmware_rollout;
mod shelved_device;
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
    }
}

/// Changes the site as the chosen oddities want it.
pub(crate) fn arrange(site: &mut Site, options: &Options) {
    for oddity in Oddity::ALL.iter().filter(|&&oddity| options.has(oddity)) {
        match oddity {
            Oddity::DhcpChurn => dhcp_churn::arrange(site),
            Oddity::FirmwareRollout => firmware_rollout::arrange(site),
            Oddity::ShelvedDevice => shelved_device::arrange(site),
            Oddity::Backup | Oddity::VulnerabilityScanner | Oddity::VendorRemoteService => {}
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
            Oddity::DhcpChurn | Oddity::ShelvedDevice => Vec::new(),
        };
        for (device, habit) in added {
            habits[device].push(habit);
        }
    }
}
