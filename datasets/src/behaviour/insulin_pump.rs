//! A gateway for insulin pumps: passes readings and doses on to its maker's cloud.

use super::Actor;
use crate::{
    cadence::Cadence,
    exchange::{Ending, Exchange},
    habit::Habit,
    rhythm::Rhythm,
    site::{Party, hosts},
};

const READINGS: Exchange = Exchange::tcp("ssl", 443).bytes(4_200.0, 1_500.0, 0.5).millis(500.0, 1.0);
const SUBSCRIPTION: Exchange =
    Exchange::tcp("ssl", 8883).bytes(14_000.0, 9_000.0, 0.3).ends(Ending::Cut).names(&["mqtt.sugarfern.example"]);
const SETTINGS: Exchange = Exchange::tcp("ssl", 443).bytes(1_800.0, 60_000.0, 1.0).millis(900.0, 1.0);

pub(super) fn habits(actor: Actor<'_>) -> Vec<Habit> {
    let me = actor.me();
    let cloud = Party::Outside(&hosts::INSULIN_CLOUD);
    vec![
        Habit::new(me, cloud, Cadence::Every { seconds: 300.0, jitter: 0.1 }, READINGS),
        Habit::new(me, Party::Outside(&hosts::INSULIN_BROKER), Cadence::Stream, SUBSCRIPTION),
        Habit::new(me, cloud, Cadence::Hourly { times: 0.5, rhythm: Rhythm::Ward }, SETTINGS),
    ]
}
