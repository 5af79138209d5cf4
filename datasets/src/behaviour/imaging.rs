//! An imaging modality: asks for its worklist, and sends studies to the PACS in bursts while people work.

use super::Actor;
use crate::{
    DeviceClass,
    cadence::Cadence,
    exchange::Exchange,
    habit::{Fan, Habit},
    rhythm::Rhythm,
    site::{Party, hosts},
};

const STORE: Exchange = Exchange::tcp("dicom", 104).bytes(18_000_000.0, 9_000.0, 2.5).millis(3_000.0, 2.0);
const STORE_ALTERNATE: Exchange = Exchange { port: 11_112, ..STORE };
const WORKLIST: Exchange = Exchange::tcp("dicom", 104).bytes(1_200.0, 7_000.0, 1.5).millis(250.0, 1.5);
const FLEET: Exchange = Exchange::tcp("ssl", 443).bytes(5_500.0, 2_100.0, 1.0).millis(800.0, 1.0);

pub(super) fn habits(actor: Actor<'_>) -> Vec<Habit> {
    let me = actor.me();
    let pacs = actor.my(DeviceClass::Pacs);
    let store = if actor.number.is_multiple_of(2) { STORE } else { STORE_ALTERNATE };
    let often = |times| Cadence::Hourly { times, rhythm: Rhythm::Ward };
    vec![
        Habit::new(me, pacs, often(5.0), store).fan(Fan::Between(3, 12)),
        Habit::new(me, pacs, often(12.0), WORKLIST),
        Habit::new(me, Party::Outside(&hosts::IMAGING_CLOUD), often(2.0), FLEET),
    ]
}
