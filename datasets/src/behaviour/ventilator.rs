//! A ventilator: sends its settings and measurements, and announces its service port.

use super::Actor;
use crate::{
    DeviceClass,
    cadence::Cadence,
    exchange::{Ending, Exchange},
    habit::Habit,
    site::{Party, groups},
};

const MEASUREMENTS: Exchange = Exchange::tcp("", 2575).bytes(1_100.0, 140.0, 0.3).millis(80.0, 1.0);
const ANNOUNCEMENT: Exchange = Exchange::udp("", 1900).bytes(330.0, 0.0, 0.2).ends(Ending::Unanswered);

pub(super) fn habits(actor: Actor<'_>) -> Vec<Habit> {
    let me = actor.me();
    let engine = actor.my(DeviceClass::IntegrationEngine);
    let announcement = Cadence::Every { seconds: 900.0, jitter: 0.1 };
    vec![
        Habit::new(me, engine, Cadence::Every { seconds: 60.0, jitter: 0.1 }, MEASUREMENTS),
        Habit::new(me, Party::Group(&groups::SSDP), announcement, ANNOUNCEMENT),
    ]
}
