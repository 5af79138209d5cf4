//! Proxy: every other workstation's pages come by the declared web proxy, and a branch clinic whose devices no
//! inventory has appears as one address, that of its NAT (RFC 3022), which is declared.

use crate::{
    DeviceClass,
    cadence::Cadence,
    exchange::Exchange,
    habit::{Fan, Habit},
    infrastructure::nat,
    rhythm::Rhythm,
    site::{DeviceIndex, Party, Site, hosts},
};

const BY_PROXY: Exchange = Exchange::tcp("http", 3128).bytes(2_500.0, 25_000.0, 2.5).millis(3_000.0, 2.5);
const WEB: Exchange = Exchange::tcp("ssl", 443).bytes(3_500.0, 42_000.0, 3.0).millis(4_000.0, 3.0);
const RECORDS: Exchange = Exchange::tcp("ssl", 443).bytes(5_000.0, 60_000.0, 2.0).millis(2_000.0, 2.0);
const LOOKUP: Exchange = Exchange::udp("dns", 53).bytes(42.0, 110.0, 0.6).millis(6.0, 2.0).names(&["search.example"]);
/// How many devices stand behind the NAT.
const BEHIND: usize = 6;

pub(super) fn habits(site: &Site) -> Vec<(DeviceIndex, Habit)> {
    let proxy = site.of(DeviceClass::ProxyServer)[0];
    let office = |times| Cadence::Hourly { times, rhythm: Rhythm::Office };
    let by_proxy = site.of(DeviceClass::Workstation).iter().step_by(2).map(|&device| {
        let pages = Habit::new(Party::Device(device), Party::Device(proxy), office(10.0), BY_PROXY);
        (device, pages.fan(Fan::Between(1, 3)))
    });
    let from = nat(site);
    let behind = |number| {
        [
            Habit::any_of(from, &hosts::WEB, office(10.0), WEB).fan(Fan::Between(1, 4)),
            Habit::new(from, site.one(DeviceClass::EhrServer, number), office(8.0), RECORDS),
            Habit::new(from, site.one(DeviceClass::DnsServer, number), office(12.0), LOOKUP),
        ]
    };
    // What no device of the inventory does is kept with the proxy's habits.
    by_proxy.chain((0..BEHIND).flat_map(behind).map(|habit| (proxy, habit))).collect()
}
