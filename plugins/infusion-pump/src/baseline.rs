use serde::{Deserialize, Serialize};
use wardflow_common::{Days, Experience, Habits, hour_of_day};
use wardflow_sdk::{Bounded, Level, MINUTE, math};

/// Bulk transfers of drug library servers that their level is learned from: half a year of weekly ones.
const MEMORY: u32 = 26;
/// As many must there be before it tells anything.
const LEAST_VALUES: u32 = 4;
/// Standard deviations above the mean from which the size of a transfer is unusual: one in 30,000 of a normal
/// distribution.
const SIGMAS: f64 = 4.0;
/// The least standard deviation of a size, in bits: four times the usual is not unusual yet.
const LEAST_DEVIATION: f64 = 0.5;

/// What was learned of one pump. Only internal peers outside the declared groups are learned.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Baseline {
    pub(crate) experience: Experience,
    /// Once they are settled, what was learned does not change any more, but for the sizes of drug libraries.
    pub(crate) habits: Habits,
    /// Whether a pump gateway is known as such, and a drug library server.
    pub(crate) has_gateway: bool,
    pub(crate) has_library: bool,
    /// Most payload that a peer sent the pump in a slice, in bytes.
    volumes: Bounded<u64, u64, 64>,
    /// What drug library servers send in a slice, if it is a bulk transfer, as binary logarithm of bytes.
    library: Level,
    /// On how many days each local hour had contact with servers.
    active: [Days; 24],
}

/// A size that is unusual.
pub(crate) struct Unusual {
    /// Standard deviations above the usual.
    pub(crate) sigmas: f64,
    /// The most that was expected, in bytes.
    pub(crate) most: f64,
}

impl Baseline {
    /// Begins anew, with what does not depend on where the pump is.
    pub(crate) fn again(&mut self) {
        let Self { experience, has_gateway, has_library, library, .. } = std::mem::take(self);
        *self = Self { experience, has_gateway, has_library, library, ..Self::default() };
    }

    /// Learns that there is contact with servers at a time of day.
    pub(crate) fn learn_activity(&mut self, time: i64, minute_of_week: u16) {
        if !self.habits.is_settled() {
            self.active[hour_of_day(minute_of_week)].add(time, minute_of_week);
        }
    }

    /// Learns what a peer sent in a slice.
    pub(crate) fn learn_volume(&mut self, peer: u64, bytes: u64, time: i64) {
        if !self.habits.is_settled() {
            let most = self.volumes.touch(peer, time, || 0);
            *most = bytes.max(*most);
        }
    }

    /// Learns the size of a drug library, or of firmware.
    pub(crate) fn learn_library(&mut self, bytes: u64) {
        self.library.learn(math::log2(bytes as f64 + 1.0), MEMORY, LEAST_DEVIATION);
    }

    /// Most payload of a peer in a slice, in bytes.
    pub(crate) fn volume(&self, peer: u64) -> u64 {
        self.volumes.get(&peer).copied().unwrap_or_default()
    }

    /// Whether a drug library is much larger than those before.
    pub(crate) fn unusual_library(&self, bytes: u64) -> Option<Unusual> {
        let sigmas = self.library.sigmas(math::log2(bytes as f64 + 1.0), LEAST_DEVIATION);
        let most = math::exp2(self.library.mean() + SIGMAS * self.library.deviation().max(LEAST_DEVIATION));
        (self.library.values() >= LEAST_VALUES && sigmas > SIGMAS).then_some(Unusual { sigmas, most })
    }

    /// Whether the pump had contact with servers in this local hour, and in each of those that follow for so many
    /// microseconds, on at least half as many days as in its busiest.
    pub(crate) fn is_usual(&self, minute_of_week: u16, micros: i64) -> bool {
        let most = self.active.iter().map(|days| days.count()).max().unwrap_or_default();
        let minutes = usize::from(minute_of_week % 60) + usize::try_from(micros / MINUTE).unwrap_or_default();
        let from = hour_of_day(minute_of_week);
        most > 0 && (0..=minutes.saturating_sub(1) / 60).all(|hour| self.active[(from + hour) % 24].count() * 2 >= most)
    }
}
