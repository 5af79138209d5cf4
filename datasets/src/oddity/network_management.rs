//! Network management: the declared manager asks every device by SNMP, and asks thrice where nothing answers: devices
//! that are off, and some that were given away long ago and are still on its list.

use crate::{
    DeviceClass,
    cadence::Cadence,
    exchange::{Ending, Exchange},
    habit::{Fan, Habit},
    site::{DeviceIndex, Party, Site, address},
};

const ASK: Exchange = Exchange::udp("snmp", 161).bytes(90.0, 140.0, 0.5).millis(8.0, 1.5);
const IN_VAIN: Exchange =
    Exchange::udp("snmp", 161).bytes(90.0, 0.0, 0.5).millis(5_000.0, 0.1).ends(Ending::Unanswered);
const PING_IN_VAIN: Exchange = Exchange::icmp(8).bytes(56.0, 0.0, 0.0).millis(2_000.0, 0.1).ends(Ending::Unanswered);
const THRICE: Fan = Fan::Between(3, 3);
/// Numbers in a zone that devices had which are gone.
const GONE: std::ops::Range<u32> = 46_000..46_002;

pub(super) fn habits(site: &Site) -> Vec<(DeviceIndex, Habit)> {
    let me = site.of(DeviceClass::NetworkManager)[0];
    let manager = Party::Device(me);
    let round = |seconds| Cadence::Every { seconds, jitter: 0.02 };
    let others = (0..site.devices.len()).filter(|&device| device != me);
    let asked = others.clone().map(|device| Habit::new(manager, Party::Device(device), round(3_600.0), ASK));
    let again = others.flat_map(|device| {
        site.away(device).iter().map(move |&(from_us, to_us)| {
            let while_off = Cadence::During { from_us, to_us, seconds: 900.0 };
            Habit::new(manager, Party::Device(device), while_off, ASK).fan(THRICE)
        })
    });
    let clinical = [DeviceClass::InfusionPump, DeviceClass::PatientMonitor, DeviceClass::Workstation];
    let gone = clinical.into_iter().flat_map(|class| {
        let zone = site.zone(site.of(class)[0]);
        GONE.flat_map(move |number| {
            let nobody = Party::Vacant(address(zone, number), zone);
            [IN_VAIN, PING_IN_VAIN].map(|what| Habit::new(manager, nobody, round(3_600.0), what).fan(THRICE))
        })
    });
    asked.chain(again).chain(gone).map(|habit| (me, habit)).collect()
}
