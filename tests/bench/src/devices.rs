//! The devices that all arms look at: an inventory for Wardflow, a file for the peers.

use std::{collections::BTreeSet, fs, net::IpAddr, path::Path};

use wardflow::device::{Entry, Facts, Inventory};
use wardflow_datasets::{DeviceClass, Hospital};

use crate::Result;

/// The file, with a line for its heading and one an address.
const FILE: &str = "devices.csv";

/// The class of those devices, which the benchmark's plugins have in scope.
const CLASS: &str = "benchmark";

/// Addresses of what is no server, a line each. Each address is a device here, whoever has it at what time.
pub(crate) fn of(hospital: &Hospital) -> Vec<IpAddr> {
    use DeviceClass::{
        ImagingModality, InfusionPump, InsulinPumpGateway, LabAnalyser, PatientMonitor, Printer, Ventilator,
        WearableHeartMonitorGateway, Workstation,
    };
    let is_device = |class| {
        matches!(
            class,
            InfusionPump
                | PatientMonitor
                | ImagingModality
                | LabAnalyser
                | Ventilator
                | WearableHeartMonitorGateway
                | InsulinPumpGateway
                | Workstation
                | Printer
        )
    };
    let devices = hospital.inventory().iter().filter(|device| is_device(device.class));
    let addresses: BTreeSet<IpAddr> = devices.flat_map(|device| device.rows()).map(|row| row.ip).collect();
    addresses.into_iter().collect()
}

/// Writes their file into the directory of a layout.
pub(crate) fn write(directory: &Path, devices: &[IpAddr]) -> Result<()> {
    let text = devices.iter().fold("ip\n".to_owned(), |text, ip| text + &ip.to_string() + "\n");
    fs::write(directory.join(FILE), text)?;
    Ok(())
}

/// The devices as an inventory.
pub(crate) fn inventory(directory: &Path) -> Result<Inventory> {
    let text = fs::read_to_string(directory.join(FILE))?;
    let entry = |line: &str| -> Result<Entry> {
        Ok(Entry {
            device_id: line.to_owned(),
            ip: Some(line.parse()?),
            mac: None,
            valid_from: i64::MIN,
            valid_to: i64::MAX,
            facts: Facts { class: CLASS.to_owned(), ..Facts::default() },
            source: "inventory".to_owned(),
            confidence: 1.0,
        })
    };
    Ok(Inventory::new(text.lines().skip(1).map(entry).collect::<Result<_>>()?))
}

/// The device in the middle of the list.
pub(crate) fn middle(directory: &Path) -> Result<String> {
    let inventory = inventory(directory)?;
    let middle = inventory.device_ids().nth(inventory.device_ids().count() / 2);
    Ok(middle.ok_or("a list without devices")?.to_owned())
}
