//! An infusion pump: speaks to its gateway, and fetches its drug library in the night it is declared for.

use super::Actor;
use crate::{
    DeviceClass,
    cadence::{Cadence, Days},
    exchange::Exchange,
    habit::Habit,
    rhythm::Rhythm,
};

/// The local minutes in which pumps fetch libraries and firmware, from and to.
pub(crate) const DRUG_LIBRARY_HOURS: (f64, f64) = (120.0, 300.0);
/// Leaves a download the time to end within the hours.
const LATEST_START: f64 = DRUG_LIBRARY_HOURS.1 - 20.0;

const STATUS: Exchange = Exchange::tcp("", 4010).bytes(900.0, 180.0, 0.5).millis(120.0, 1.5);
const INFUSION_EVENTS: Exchange = Exchange::tcp("ssl", 443).bytes(6_000.0, 1_800.0, 1.5).millis(600.0, 1.5);
const LIBRARY_CHECK: Exchange = Exchange::tcp("ssl", 443).bytes(1_100.0, 3_400.0, 0.4).millis(400.0, 1.0);
const LIBRARY: Exchange = Exchange::tcp("ssl", 443).bytes(9_000.0, 8_000_000.0, 0.2).millis(40_000.0, 1.0);

pub(super) fn habits(actor: Actor<'_>) -> Vec<Habit> {
    let me = actor.me();
    let gateway = actor.my(DeviceClass::InfusionPumpGateway);
    let library = actor.my(DeviceClass::DrugLibraryServer);
    let nightly = |days| Cadence::Daily { days, from_minute: DRUG_LIBRARY_HOURS.0, to_minute: LATEST_START };
    let weekday = (actor.number % 7) as u8;
    vec![
        Habit::new(me, gateway, Cadence::Every { seconds: 45.0, jitter: 0.3 }, STATUS),
        Habit::new(me, gateway, Cadence::Hourly { times: 4.0, rhythm: Rhythm::Ward }, INFUSION_EVENTS),
        Habit::new(me, library, nightly(Days::All), LIBRARY_CHECK),
        Habit::new(me, library, nightly(Days::Only(weekday)), LIBRARY),
    ]
}
