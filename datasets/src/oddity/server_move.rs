//! Server move: one night the laboratory information system gets another address, and all analysers call it there.

use super::{Oddity, moment::moment};
use crate::{
    Binding, DeviceClass,
    cadence::Days,
    site::{Site, address},
};

/// The number in its zone that it moves to.
const TO: u32 = 161;
/// The local minute at which it moves.
const MINUTE: f64 = 4.0 * 60.0;

pub(super) fn arrange(site: &mut Site) {
    let Some(at_us) = moment(site, Oddity::ServerMove, Days::All, MINUTE) else { return };
    let server = site.of(DeviceClass::LaboratoryInformationSystem)[0];
    let ip = address(site.zone(server), TO);
    let moves = |binding: &Binding| {
        let before = Binding { valid_to_us: Some(at_us), ..binding.clone() };
        let after = Binding { ip, valid_from_us: Some(at_us), ..binding.clone() };
        if binding.ip.is_ipv4() { vec![before, after] } else { vec![binding.clone()] }
    };
    site.devices[server].bindings = site.devices[server].bindings.iter().flat_map(moves).collect();
}
