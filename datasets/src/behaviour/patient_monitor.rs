//! A patient monitor: streams vital signs to its central station and looks for it by multicast.

use super::Actor;
use crate::{
    DeviceClass,
    cadence::Cadence,
    exchange::{Ending, Exchange},
    habit::Habit,
    rhythm::Rhythm,
    site::{Party, groups},
};

const WAVEFORMS: Exchange = Exchange::tcp("", 4601).bytes(22_000_000.0, 400_000.0, 0.2).ends(Ending::Cut);
const VITAL_SIGNS: Exchange = Exchange::tcp("", 2575).bytes(1_400.0, 160.0, 0.4).millis(90.0, 1.0);
const DISCOVERY: Exchange = Exchange::udp("", 4600).source_port(4600).bytes(210.0, 0.0, 0.1).ends(Ending::Unanswered);
const HISTORY: Exchange = Exchange::tcp("ssl", 443).bytes(900_000.0, 12_000.0, 1.5).millis(2_500.0, 1.5);

pub(super) fn habits(actor: Actor<'_>) -> Vec<Habit> {
    let me = actor.me();
    let central = actor.my(DeviceClass::CentralStation);
    let discovery = Cadence::Every { seconds: 120.0, jitter: 0.05 };
    vec![
        Habit::new(me, central, Cadence::Stream, WAVEFORMS),
        Habit::new(
            me,
            actor.my(DeviceClass::IntegrationEngine),
            Cadence::Every { seconds: 60.0, jitter: 0.1 },
            VITAL_SIGNS,
        ),
        Habit::new(me, Party::Group(&groups::MONITOR_DISCOVERY), discovery, DISCOVERY),
        Habit::new(me, central, Cadence::Hourly { times: 1.0, rhythm: Rhythm::Ward }, HISTORY),
    ]
}
