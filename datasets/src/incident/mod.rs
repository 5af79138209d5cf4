//! An incident: something harmful, a file for each. All happen in the second half of the span, each on a device of its
//! own, so that models have learned what is normal and the truth about one is not the truth about another.

mod beacon;
mod bulk_transfer;
mod dns_tunnel;
mod exfiltration;
mod lateral_movement;
mod mqtt_flood;
mod pump_contact;
mod scan;
mod scene;

use crate::{Flow, Truth, names::named, site::Site};
use scene::Scene;

named! {
    /// Something harmful that a finding should come of.
    pub enum Incident, "incident" {
        /// A workstation looks for file shares in the imaging zone, then tries a modality's ports.
        Scan = "scan",
        /// An imaging modality reports to a host outside about every minute.
        Beacon = "beacon",
        /// A laboratory analyser slowly uploads to a host outside.
        Exfiltration = "exfiltration",
        /// A workstation tries an infusion pump's ports and logs on to it.
        PumpContact = "pump-contact",
        /// A workstation sends hundreds of megabytes to an infusion pump at night.
        BulkTransfer = "bulk-transfer",
        /// A workstation logs on to others over SMB and RDP.
        LateralMovement = "lateral-movement",
        /// A wearable heart monitor gateway floods its broker with connections.
        MqttFlood = "mqtt-flood",
        /// A workstation carries data out in names that it looks up.
        DnsTunnel = "dns-tunnel",
    }
}

/// What incidents left behind.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// Latest start first.
    pub(crate) flows: Vec<Flow>,
    pub(crate) truth: Vec<Truth>,
}

/// Plays incidents. `intensity`, up to 1, shortens them, or makes them touch fewer hosts.
pub(crate) fn play(site: &Site, incidents: &[Incident], intensity: f64) -> Played {
    let mut played = Played::default();
    for &incident in Incident::ALL.iter().filter(|incident| incidents.contains(incident)) {
        let mut scene = Scene::new(site, incident, intensity, &mut played);
        match incident {
            Incident::Scan => scan::play(&mut scene),
            Incident::Beacon => beacon::play(&mut scene),
            Incident::Exfiltration => exfiltration::play(&mut scene),
            Incident::PumpContact => pump_contact::play(&mut scene),
            Incident::BulkTransfer => bulk_transfer::play(&mut scene),
            Incident::LateralMovement => lateral_movement::play(&mut scene),
            Incident::MqttFlood => mqtt_flood::play(&mut scene),
            Incident::DnsTunnel => dns_tunnel::play(&mut scene),
        }
    }
    played.flows.sort_unstable_by_key(|flow| std::cmp::Reverse((flow.start_us, flow.uid)));
    played
}
