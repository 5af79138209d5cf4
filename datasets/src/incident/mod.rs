//! An incident: something harmful, a file for each. All happen in the second half of the span, each on devices of its
//! own, so that models have learned what is normal and the truth about one is not the truth about another. Each file
//! says what shows the incident in flow records, even where it is stealthy.

mod beacon;
mod brute_force;
mod bulk_transfer;
mod casting;
mod crypto_miner;
mod dead_command_server;
mod dns_tunnel;
mod exfiltration;
mod inbound_flood;
mod lateral_movement;
mod mqtt_flood;
mod off_hours_service;
mod pump_contact;
mod ransomware;
mod reverse_tunnel;
mod rogue_name_server;
mod rogue_server;
mod scan;
mod scene;
mod script;
mod silenced_monitor;
mod study_theft;
mod telnet_botnet;

pub(crate) use casting::Casting;

use crate::{Flow, Options, Truth, names::named, site::Site};
use scene::Scene;

named! {
    /// Something harmful that a finding should come of.
    pub enum Incident, "incident" {
        /// A workstation looks for open ports in the imaging zone.
        Scan = "scan",
        /// An imaging modality reports to a host outside again and again.
        Beacon = "beacon",
        /// A laboratory analyser slowly uploads to a host outside.
        Exfiltration = "exfiltration",
        /// A workstation opens an infusion pump's settings.
        PumpContact = "pump-contact",
        /// A workstation sends tens or hundreds of megabytes to an infusion pump at night.
        BulkTransfer = "bulk-transfer",
        /// A workstation logs on to others over SMB and RDP.
        LateralMovement = "lateral-movement",
        /// A wearable heart monitor gateway floods its broker with connections.
        MqttFlood = "mqtt-flood",
        /// A workstation carries data out in names that it looks up.
        DnsTunnel = "dns-tunnel",
        /// A workstation guesses an imaging modality's password, and gets in.
        BruteForce = "brute-force",
        /// A ventilator keeps the integration engine from serving others.
        InboundFlood = "inbound-flood",
        /// A central station keeps a way in open to a host outside.
        ReverseTunnel = "reverse-tunnel",
        /// A ventilator calls a host outside that no longer answers.
        DeadCommandServer = "dead-command-server",
        /// Patient monitors send vital signs to a server that is none of the hospital's.
        RogueServer = "rogue-server",
        /// A patient monitor in use falls silent.
        SilencedMonitor = "silenced-monitor",
        /// Somebody logs on to an imaging modality as its vendor's engineers do.
        OffHoursService = "off-hours-service",
        /// A workstation fetches studies from the PACS.
        StudyTheft = "study-theft",
        /// A workstation encrypts the file server's shares.
        Ransomware = "ransomware",
        /// A laboratory analyser works for a mining pool.
        CryptoMiner = "crypto-miner",
        /// An insulin pump gateway asks somebody else's name server.
        RogueNameServer = "rogue-name-server",
        /// A wearable heart monitor gateway is taken over by Telnet and looks for others.
        TelnetBotnet = "telnet-botnet",
    }
}

/// What incidents left behind.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// Latest start first.
    pub(crate) flows: Vec<Flow>,
    pub(crate) truth: Vec<Truth>,
}

/// Changes the site as the chosen incidents want it.
pub(crate) fn arrange(site: &mut Site, options: &Options) {
    if options.incidents.contains(&Incident::SilencedMonitor) {
        let (monitor, silences) = silenced_monitor::silences(site, options.variant);
        silences.into_iter().for_each(|silence| site.send_away(monitor, silence));
    }
}

/// Plays the chosen incidents. `intensity`, up to 1, shortens them, or makes them touch fewer hosts.
pub(crate) fn play(site: &Site, options: &Options, intensity: f64) -> Played {
    let mut played = Played::default();
    for &incident in Incident::ALL.iter().filter(|incident| options.incidents.contains(incident)) {
        (incident.script().play)(&mut Scene::new(site, incident, options.variant, intensity, &mut played));
    }
    played.flows.sort_unstable_by_key(|flow| std::cmp::Reverse((flow.start_us, flow.uid)));
    played
}
