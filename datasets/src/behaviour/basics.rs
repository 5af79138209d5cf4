//! What every device on a network does: tell the time, look up names, keep its address.

use super::Actor;
use crate::{
    DeviceClass,
    cadence::{Cadence, Days},
    exchange::{Ending, Exchange},
    habit::Habit,
    rhythm::Rhythm,
    site::{Party, groups},
};

const NTP: Exchange = Exchange::udp("ntp", 123).source_port(123).bytes(48.0, 48.0, 0.0).millis(3.0, 2.0);
const DNS: Exchange = Exchange::udp("dns", 53).bytes(42.0, 110.0, 0.6).millis(4.0, 3.0);
const DHCP_DISCOVER: Exchange =
    Exchange::udp("dhcp", 67).source_port(68).bytes(300.0, 0.0, 0.1).ends(Ending::Unanswered);
const DHCP_RENEW: Exchange = Exchange::udp("dhcp", 67).source_port(68).bytes(300.0, 300.0, 0.1).millis(6.0, 2.0);

const OFFICE_NAMES: &[&str] = &[
    "www.news.example",
    "search.example",
    "mail.example",
    "journals.medicine.example",
    "formulary.medicine.example",
    "meet.example",
    "cdn.static.example",
    "updates.tinbox.example",
    "ehr.klinik.example",
    "files.klinik.example",
    "proxy.klinik.example",
    "_ldap._tcp.klinik.example",
];

pub(super) fn habits(class: DeviceClass, actor: Actor<'_>) -> Vec<Habit> {
    let me = actor.me();
    let mut habits = Vec::new();
    if class != DeviceClass::NtpServer {
        let when = Cadence::Every { seconds: ntp_interval(class), jitter: 0.02 };
        habits.push(Habit::new(me, actor.my(DeviceClass::NtpServer), when, NTP));
    }
    if let Some((times, rhythm, names)) = lookups(class) {
        let when = Cadence::Hourly { times, rhythm };
        habits.push(Habit::new(me, actor.my(DeviceClass::DnsServer), when, DNS.names(names)));
    }
    if actor.site.devices[actor.device].bindings.first().is_some_and(|binding| binding.source == "dhcp") {
        let renewal = Cadence::Every { seconds: 4.0 * 3_600.0, jitter: 0.05 };
        habits.push(Habit::new(me, actor.my(DeviceClass::DhcpServer), renewal, DHCP_RENEW));
        let boot = Cadence::Daily { days: Days::All, from_minute: 360.0, to_minute: 480.0 };
        habits.push(Habit::new(Party::Booting(actor.device), Party::Group(&groups::EVERYONE), boot, DHCP_DISCOVER));
    }
    habits
}

fn ntp_interval(class: DeviceClass) -> f64 {
    match class {
        DeviceClass::InfusionPump => 3_600.0,
        DeviceClass::Workstation => 2_048.0,
        _ => 1_024.0,
    }
}

/// How often a class looks names up, when, and which.
fn lookups(class: DeviceClass) -> Option<(f64, Rhythm, &'static [&'static str])> {
    use DeviceClass as Class;
    Some(match class {
        Class::InfusionPump => (1.0, Rhythm::Always, &["pump-gateway.klinik.example", "drug-library.klinik.example"]),
        Class::PatientMonitor => (1.0, Rhythm::Always, &["central.klinik.example"]),
        Class::ImagingModality => (4.0, Rhythm::Ward, &["pacs.klinik.example", "fleet.lumenfold.example"]),
        Class::LabAnalyser => (3.0, Rhythm::Ward, &["lis.klinik.example", "reagents.quillab.example"]),
        Class::Ventilator => (1.0, Rhythm::Always, &["hl7.klinik.example"]),
        Class::WearableHeartMonitorGateway => {
            (6.0, Rhythm::Always, &["ingest.pulsewisp.example", "broker.pulsewisp.example"])
        }
        Class::InsulinPumpGateway => (4.0, Rhythm::Always, &["eu.sugarfern.example", "mqtt.sugarfern.example"]),
        Class::Workstation => (60.0, Rhythm::Office, OFFICE_NAMES),
        Class::DnsServer | Class::NtpServer | Class::DhcpServer => return None,
        _ => (12.0, Rhythm::Always, &["updates.tinbox.example", "_ldap._tcp.klinik.example", "ehr.klinik.example"]),
    })
}
