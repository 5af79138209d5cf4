use serde::{Deserialize, Serialize};
use wardflow_common::{DECLARED, Evidence, Experience, Service, Standing};
use wardflow_sdk::{Bounded, Findings, Flows, Level, Severity, UNKNOWN, math, surprise};

use crate::{
    SHARED,
    peers::{Group, VITAL_SIGNS, is_telemetry},
};

/// Findings in a slice.
const MOST: usize = 8;
/// Slices that a level is learned from: two weeks.
const MEMORY: u32 = 56;
/// As many must there be before a level tells anything.
const LEAST_VALUES: u32 = 4;
/// Standard deviations above the mean from which an amount is new: one in 30,000 of a normal distribution.
const SIGMAS: f64 = 4.0;
/// The least standard deviation of an amount, in bits.
const LEAST_DEVIATION: f64 = 0.5;
/// Share of the station's usual amount that is taken for telemetry: numbers without waves, or waves of a quarter of an
/// hour.
const SHARE: f64 = 0.05;
/// Bytes by a port of telemetry, to a host in no group, that are more than an attempt.
const BY_PORT: u64 = 10_000;

/// Where a monitor's telemetry usually goes, and how much.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Telemetry {
    /// Whether a central station is known as such.
    is_mapped: bool,
    /// The peer that is sent most, where none is.
    most_sent: Option<u64>,
    /// What stations are sent in a slice, as binary logarithm of bytes.
    station: Level,
    /// What others are.
    others: Bounded<u64, Level, 16>,
    /// Hosts that were reported.
    reported: Bounded<u64, (), 8>,
}

/// What a monitor sends in a slice.
#[derive(Debug, Default)]
pub(crate) struct Amounts {
    station: u64,
    others: Bounded<u64, Evidence<Group>, 64>,
}

impl Telemetry {
    /// Whether a peer is a central station.
    pub(crate) fn is_station(&self, peer: u64, standing: Standing<Group>) -> bool {
        standing == Standing::Member(Group::CentralStation) || (!self.is_mapped && self.most_sent == Some(peer))
    }

    /// Takes note of who a peer is.
    pub(crate) fn see(&mut self, standing: Standing<Group>) {
        self.is_mapped |= standing == Standing::Member(Group::CentralStation);
    }

    /// Whether a central station is known by the hospital's groups or its inventory.
    pub(crate) fn is_mapped(&self) -> bool {
        self.is_mapped
    }
}

impl Amounts {
    /// Adds up what internal peers are sent.
    pub(crate) fn add(
        &mut self,
        telemetry: &Telemetry,
        flows: &Flows<'_>,
        row: usize,
        standing: Standing<Group>,
        service: Service,
    ) {
        let peer = flows.peer()[row];
        if telemetry.is_station(peer, standing) {
            let sent = Some(flows.bytes_sent()[row]).filter(|bytes| *bytes != UNKNOWN);
            self.station = self.station.saturating_add(sent.unwrap_or_default());
            return;
        }
        // A monitor that moved to another station uses one that others use. What was reported goes on: three monitors that
        // send to a thief make no station of him.
        let shared = if telemetry.is_mapped { SHARED } else { 1 };
        let is_shared = flows.peer_prevalence()[row] >= shared && telemetry.reported.get(&peer).is_none();
        if standing != Standing::Internet && !is_shared {
            let begin = || Evidence::new(flows, row, standing, service);
            self.others.touch(peer, flows.end_time()[row], begin).add(flows, row, service);
        }
    }

    /// Reports telemetry that goes to another host than a station.
    pub(crate) fn report(&self, telemetry: &mut Telemetry, experience: &Experience, findings: &mut Findings) {
        let usual = math::exp2(telemetry.station.mean());
        let is_beside = self.station as f64 >= usual / 2.0;
        let mut others: Vec<_> = self.others.iter().collect();
        others.sort_by_key(|(_, shown)| std::cmp::Reverse(shown.sent));
        others.retain(|(peer, shown)| telemetry.goes_to(**peer, shown, usual));
        for (peer, shown) in others.into_iter().take(MOST) {
            telemetry.reported.touch(*peer, shown.last, || ());
            let severity = match (telemetry.is_mapped, is_beside || shown.standing == Standing::Workstation) {
                (true, true) => Severity::High,
                (true, false) | (false, true) => Severity::Medium,
                (false, false) => Severity::Low,
            };
            // Numbers alone go to a new system for the record more often than to a thief.
            let is_numbers = shown.service == VITAL_SIGNS && (shown.sent as f64) < usual * SHARE;
            let severity = if is_numbers { severity.min(Severity::Medium) } else { severity };
            let (how, service) = (if is_beside { "beside" } else { "in place of" }, shown.service);
            let (kilobytes, station) = (shown.sent / 1_000, self.station / 1_000);
            let draft = findings.report("central-changed", shown.first, shown.last).severity(severity);
            shown
                .fill(draft)
                .score(surprise::score(DECLARED + experience.novelty()))
                .peer(*peer)
                .measured("bytes-sent", shown.sent as f64, "By", ..=usual * SHARE)
                .measured("bytes-sent-to-station", self.station as f64, "By", usual / 2.0..)
                .summary(format_args!(
                    "{how} its central station ({station} kB) the monitor sent {kilobytes} kB to another internal host \
                     by {service}"
                ));
        }
    }

    /// Lets a slice be learned from: amounts always, which host is the station only until that is settled.
    pub(crate) fn teach(&self, telemetry: &mut Telemetry, is_settled: bool) {
        let most = self.others.iter().max_by_key(|(_, shown)| shown.sent);
        if let Some((peer, most)) = most.filter(|(_, most)| !is_settled && most.sent > self.station)
            && magnitude(most.sent) > telemetry.station.mean()
        {
            telemetry.most_sent = Some(*peer);
        }
        if self.station > 0 {
            telemetry.station.learn(magnitude(self.station), MEMORY, LEAST_DEVIATION);
        }
        for (peer, shown) in self.others.iter().filter(|(_, shown)| shown.sent > 0) {
            let level = telemetry.others.touch(*peer, shown.last, Level::default);
            level.learn(magnitude(shown.sent), MEMORY, LEAST_DEVIATION);
        }
    }
}

impl Telemetry {
    /// Whether what a host is sent is telemetry, and new.
    fn goes_to(&self, peer: u64, shown: &Evidence<Group>, usual: f64) -> bool {
        let is_stranger = !matches!(shown.standing, Standing::Member(_));
        let least = if is_stranger && is_telemetry(shown.service) {
            BY_PORT as f64
        } else {
            (usual * SHARE).max(BY_PORT as f64)
        };
        let level = self.others.get(&peer).filter(|level| level.values() >= LEAST_VALUES);
        let is_new = level.is_none_or(|level| level.sigmas(magnitude(shown.sent), LEAST_DEVIATION) >= SIGMAS);
        self.station.values() >= LEAST_VALUES && shown.sent as f64 >= least && is_new
    }
}

/// The binary logarithm of bytes.
fn magnitude(bytes: u64) -> f64 {
    math::log2(bytes as f64 + 1.0)
}
