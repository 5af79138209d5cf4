//! Behaviour: what each class of device does all day, a file for each kind.

mod basics;
mod imaging;
mod infusion_pump;
mod insulin_pump;
mod lab_analyser;
mod patient_monitor;
mod servers;
mod ventilator;
mod wearable_heart_monitor;
mod workstation;

pub(crate) use infusion_pump::DRUG_LIBRARY_HOURS;

use crate::{
    DeviceClass,
    habit::Habit,
    site::{DeviceIndex, Party, Site},
};

/// The device whose habits are asked for.
#[derive(Debug, Clone, Copy)]
struct Actor<'a> {
    site: &'a Site,
    device: DeviceIndex,
    /// Its number among its class.
    number: usize,
}

impl Actor<'_> {
    fn me(&self) -> Party {
        Party::Device(self.device)
    }

    /// The one of a class that this device turns to.
    fn my(&self, class: DeviceClass) -> Party {
        self.site.one(class, self.number)
    }
}

/// The habits of every device, in the order of [`Site::devices`].
pub(crate) fn habits(site: &Site) -> Vec<Vec<Habit>> {
    let mut all: Vec<Vec<Habit>> = site.devices.iter().map(|_| Vec::new()).collect();
    for &class in DeviceClass::ALL {
        for (number, &device) in site.of(class).iter().enumerate() {
            let actor = Actor { site, device, number };
            all[device] = own(class, actor);
            all[device].extend(basics::habits(class, actor));
        }
    }
    all
}

fn own(class: DeviceClass, actor: Actor<'_>) -> Vec<Habit> {
    match class {
        DeviceClass::InfusionPump => infusion_pump::habits(actor),
        DeviceClass::PatientMonitor => patient_monitor::habits(actor),
        DeviceClass::ImagingModality => imaging::habits(actor),
        DeviceClass::LabAnalyser => lab_analyser::habits(actor),
        DeviceClass::Ventilator => ventilator::habits(actor),
        DeviceClass::WearableHeartMonitorGateway => wearable_heart_monitor::habits(actor),
        DeviceClass::InsulinPumpGateway => insulin_pump::habits(actor),
        DeviceClass::Workstation => workstation::habits(actor),
        server => servers::habits(server, actor),
    }
}
