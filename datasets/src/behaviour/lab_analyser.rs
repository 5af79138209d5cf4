//! A laboratory analyser: asks for orders and sends results over HL7, and reorders reagents.

use super::Actor;
use crate::{
    DeviceClass,
    cadence::Cadence,
    exchange::Exchange,
    habit::{Fan, Habit},
    rhythm::Rhythm,
    site::{Party, hosts},
};

const RESULT: Exchange = Exchange::tcp("", 2575).bytes(2_600.0, 220.0, 1.0).millis(150.0, 1.5);
const ORDER_QUERY: Exchange = Exchange::tcp("", 2575).bytes(420.0, 1_500.0, 0.8).millis(120.0, 1.5);
const REAGENTS: Exchange = Exchange::tcp("ssl", 443).bytes(3_000.0, 2_400.0, 1.0).millis(700.0, 1.0);

pub(super) fn habits(actor: Actor<'_>) -> Vec<Habit> {
    let me = actor.me();
    let lis = actor.my(DeviceClass::LaboratoryInformationSystem);
    let often = |times| Cadence::Hourly { times, rhythm: Rhythm::Ward };
    vec![
        Habit::new(me, lis, often(12.0), RESULT).fan(Fan::Between(1, 5)),
        Habit::new(me, lis, often(20.0), ORDER_QUERY),
        Habit::new(me, Party::Outside(&hosts::LAB_CLOUD), often(0.5), REAGENTS),
    ]
}
