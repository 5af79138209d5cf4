//! A workstation: records, files, mail and the web while its user is there, and its programs at all times.

use super::Actor;
use crate::{
    DeviceClass,
    cadence::Cadence,
    exchange::{Ending, Exchange},
    habit::{Fan, Habit},
    rhythm::Rhythm,
    site::{Party, address, groups, hosts},
};

const WEB: Exchange = Exchange::tcp("ssl", 443).bytes(3_500.0, 42_000.0, 3.0).millis(4_000.0, 3.0);
const WEB_QUIC: Exchange = Exchange::udp("quic", 443).bytes(6_000.0, 80_000.0, 3.0).millis(9_000.0, 3.0);
const PLAIN_WEB: Exchange = Exchange::tcp("http", 80).bytes(700.0, 9_000.0, 2.0).millis(300.0, 2.0);
const PROXY: Exchange = Exchange::tcp("http", 3128).bytes(2_500.0, 25_000.0, 2.5).millis(3_000.0, 2.5);
const RECORDS: Exchange = Exchange::tcp("ssl", 443).bytes(5_000.0, 60_000.0, 2.0).millis(2_000.0, 2.0);
const FILES: Exchange = Exchange::tcp("smb", 445).bytes(40_000.0, 300_000.0, 3.5).millis(20_000.0, 3.0);
const KERBEROS: Exchange = Exchange::tcp("krb_tcp", 88).bytes(1_700.0, 1_600.0, 0.2).millis(12.0, 1.5);
const LDAP: Exchange = Exchange::tcp("ldap", 389).bytes(1_900.0, 6_500.0, 1.0).millis(60.0, 2.0);
const PRINT: Exchange = Exchange::tcp("", 9100).bytes(350_000.0, 300.0, 2.5).millis(5_000.0, 2.0);
const TELEMETRY: Exchange = Exchange::tcp("ssl", 443).bytes(2_600.0, 4_800.0, 1.0).millis(600.0, 1.5);
const NAME_BROADCAST: Exchange =
    Exchange::udp("dns", 137).source_port(137).bytes(50.0, 0.0, 0.0).ends(Ending::Unanswered).names(&["WORKGROUP"]);
const MDNS: Exchange = Exchange::udp("dns", 5353)
    .source_port(5353)
    .bytes(120.0, 0.0, 0.7)
    .ends(Ending::Unanswered)
    .names(&["_ipp._tcp.local"]);
const SSDP: Exchange = Exchange::udp("", 1900).bytes(520.0, 0.0, 0.3).ends(Ending::Unanswered);
const FORGOTTEN_SHARE: Exchange = Exchange::tcp("smb", 445).millis(9_000.0, 0.2).ends(Ending::Unanswered);

/// The number in the data centre of a file server that was switched off and that some still look for.
const RETIRED_SERVER: u32 = 150;

pub(super) fn habits(actor: Actor<'_>) -> Vec<Habit> {
    let me = actor.me();
    let office = |times| Cadence::Hourly { times, rhythm: Rhythm::Office };
    let ward = |times| Cadence::Hourly { times, rhythm: Rhythm::Ward };
    let always = |times| Cadence::Hourly { times, rhythm: Rhythm::Always };
    let mut habits = vec![
        Habit::any_of(me, &hosts::WEB, office(14.0), WEB).fan(Fan::Between(1, 5)),
        Habit::any_of(me, &hosts::WEB, office(10.0), WEB_QUIC),
        Habit::any_of(me, &hosts::WEB, office(4.0), PLAIN_WEB),
        Habit::new(me, actor.my(DeviceClass::ProxyServer), office(15.0), PROXY),
        Habit::new(me, actor.my(DeviceClass::EhrServer), ward(25.0), RECORDS),
        Habit::new(me, actor.my(DeviceClass::FileServer), office(8.0), FILES),
        Habit::new(me, actor.my(DeviceClass::DomainController), office(5.0), KERBEROS),
        Habit::new(me, actor.my(DeviceClass::DomainController), office(7.0), LDAP),
        Habit::new(me, actor.my(DeviceClass::Printer), office(1.5), PRINT),
        Habit::any_of(me, &hosts::UPDATES, always(3.0), TELEMETRY),
        Habit::new(me, Party::Group(&groups::EVERYONE), always(2.0), NAME_BROADCAST),
        Habit::new(me, Party::Group(&groups::MDNS), office(6.0), MDNS),
        Habit::new(me, Party::Group(&groups::SSDP), office(4.0), SSDP),
    ];
    if actor.number.is_multiple_of(4) {
        let zone = actor.site.zone(actor.site.of(DeviceClass::FileServer)[0]);
        let retired = Party::Vacant(address(zone, RETIRED_SERVER), zone);
        habits.push(Habit::new(me, retired, office(1.0), FORGOTTEN_SHARE));
    }
    habits
}
