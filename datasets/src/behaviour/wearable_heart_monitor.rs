//! A gateway for wearable heart monitors: uploads strips to its maker's cloud and stays subscribed there.

use super::Actor;
use crate::{
    cadence::Cadence,
    exchange::{Ending, Exchange},
    habit::{Fan, Habit},
    rhythm::Rhythm,
    site::{Party, groups, hosts},
};

const STRIPS: Exchange = Exchange::tcp("ssl", 443).bytes(48_000.0, 2_200.0, 1.5).millis(900.0, 1.5);
const SUBSCRIPTION: Exchange =
    Exchange::tcp("ssl", 8883).bytes(40_000.0, 22_000.0, 0.5).ends(Ending::Cut).names(&["broker.pulsewisp.example"]);
const EPISODE: Exchange = Exchange::tcp("ssl", 8883).bytes(9_000.0, 1_200.0, 1.0).millis(2_000.0, 2.0);
const MDNS: Exchange = Exchange::udp("dns", 5353)
    .source_port(5353)
    .bytes(160.0, 0.0, 0.5)
    .ends(Ending::Unanswered)
    .names(&["_ecg._tcp.local"]);

pub(super) fn habits(actor: Actor<'_>) -> Vec<Habit> {
    let me = actor.me();
    let broker = Party::Outside(&hosts::HEART_BROKER);
    let episodes = Cadence::Hourly { times: 3.0, rhythm: Rhythm::Ward };
    vec![
        Habit::new(me, Party::Outside(&hosts::HEART_CLOUD), Cadence::Every { seconds: 150.0, jitter: 0.4 }, STRIPS),
        Habit::new(me, broker, Cadence::Stream, SUBSCRIPTION),
        Habit::new(me, broker, episodes, EPISODE).fan(Fan::Between(1, 3)),
        Habit::new(me, Party::Group(&groups::MDNS), Cadence::Every { seconds: 600.0, jitter: 0.2 }, MDNS),
    ]
}
