//! Servers: what they do of their own accord, beyond answering.

use super::Actor;
use crate::{
    DeviceClass,
    cadence::Cadence,
    exchange::Exchange,
    habit::Habit,
    rhythm::Rhythm,
    site::{Party, hosts},
};

const HL7: Exchange = Exchange::tcp("", 2575).bytes(5_000.0, 240.0, 1.0).millis(120.0, 1.0);
const RECURSION: Exchange = Exchange::udp("dns", 53).bytes(46.0, 160.0, 0.6).millis(25.0, 2.0).names(&[
    "www.news.example",
    "search.example",
    "mail.example",
    "updates.tinbox.example",
    "ingest.pulsewisp.example",
    "eu.sugarfern.example",
]);
const UPSTREAM_TIME: Exchange = Exchange::udp("ntp", 123).source_port(123).bytes(48.0, 48.0, 0.0).millis(18.0, 1.0);
const REPLICATION: Exchange = Exchange::tcp("", 135).bytes(9_000.0, 14_000.0, 1.5).millis(500.0, 1.5);
const FETCH: Exchange = Exchange::tcp("ssl", 443).bytes(4_000.0, 55_000.0, 3.0).millis(3_500.0, 2.5);
const UPDATE: Exchange = Exchange::tcp("ssl", 443).bytes(2_600.0, 6_500.0, 2.0).millis(600.0, 1.5);
const ARCHIVING: Exchange = Exchange::tcp("smb", 445).bytes(900_000.0, 30_000.0, 2.0).millis(15_000.0, 1.5);
const PING: Exchange = Exchange::icmp(8).bytes(56.0, 56.0, 0.0).millis(2.0, 1.5);
const SNMP: Exchange = Exchange::udp("snmp", 161).bytes(90.0, 140.0, 0.5).millis(8.0, 1.5);

pub(super) fn habits(class: DeviceClass, actor: Actor<'_>) -> Vec<Habit> {
    let me = actor.me();
    let every = |seconds| Cadence::Every { seconds, jitter: 0.05 };
    let to = |class, seconds, what| Habit::new(me, actor.my(class), every(seconds), what);
    let own = match class {
        DeviceClass::InfusionPumpGateway => vec![to(DeviceClass::IntegrationEngine, 20.0, HL7)],
        DeviceClass::CentralStation => vec![to(DeviceClass::EhrServer, 60.0, HL7)],
        DeviceClass::LaboratoryInformationSystem => {
            vec![to(DeviceClass::IntegrationEngine, 45.0, HL7)]
        }
        DeviceClass::IntegrationEngine => vec![to(DeviceClass::EhrServer, 10.0, HL7)],
        DeviceClass::Pacs => vec![to(DeviceClass::EhrServer, 90.0, HL7), to(DeviceClass::FileServer, 600.0, ARCHIVING)],
        DeviceClass::DomainController => {
            let other = actor.site.one(DeviceClass::DomainController, actor.number + 1);
            vec![Habit::new(me, other, every(180.0), REPLICATION)]
        }
        DeviceClass::DnsServer => {
            let when = Cadence::Hourly { times: 250.0, rhythm: Rhythm::Ward };
            vec![Habit::new(me, Party::Outside(&hosts::RESOLVER), when, RECURSION)]
        }
        DeviceClass::NtpServer => {
            let upstream = &hosts::TIME[actor.number % hosts::TIME.len()];
            vec![Habit::new(me, Party::Outside(upstream), every(64.0), UPSTREAM_TIME)]
        }
        DeviceClass::ProxyServer => {
            vec![Habit::any_of(me, &hosts::WEB, Cadence::Hourly { times: 400.0, rhythm: Rhythm::Office }, FETCH)]
        }
        DeviceClass::NetworkManager => rounds(actor),
        _ => Vec::new(),
    };
    let updates = Cadence::Hourly { times: 2.0, rhythm: Rhythm::Always };
    own.into_iter().chain([Habit::any_of(me, &hosts::UPDATES, updates, UPDATE)]).collect()
}

/// Asks every device whether it is up, and servers how they are.
fn rounds(actor: Actor<'_>) -> Vec<Habit> {
    let ask = |device, seconds, what| {
        Habit::new(actor.me(), Party::Device(device), Cadence::Every { seconds, jitter: 0.02 }, what)
    };
    let others = (0..actor.site.devices.len()).filter(|&device| device != actor.device);
    others
        .flat_map(|device| {
            let is_server = actor.site.zone(device).name == "data-centre";
            [Some(ask(device, 900.0, PING)), is_server.then(|| ask(device, 300.0, SNMP))].into_iter().flatten()
        })
        .collect()
}
