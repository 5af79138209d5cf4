use std::f64::consts::LOG2_E;

use serde::{Deserialize, Serialize};
use wardflow_sdk::math::ln;

use crate::{
    Contact, Parameters,
    contact::{TCP, UDP},
    haste::Haste,
};

/// Share of first contacts by datagram that are answered: ordinarily, and in a scan. Many services never answer, so a
/// silent one weighs less than half of a failed connection.
const DATAGRAMS_ANSWERED: (f64, f64) = (0.5, 0.1);
/// Seconds between contacts by datagram after which a test begins anew. A client that goes through a pool of time
/// servers, none of which answers, is slower.
const DATAGRAM_PATIENCE: i64 = 60;

/// The numbers of Wald's sequential probability ratio test, as Jung et al. apply it.
pub(crate) struct Test {
    /// The logarithm of the likelihood ratio at and above which the device scans.
    upper: f64,
    /// The one at and below which it does not, and the test begins anew.
    lower: f64,
    handshake: Steps,
    datagram: Steps,
    patience: i64,
}

/// What an outcome adds to the logarithm of the likelihood ratio.
struct Steps {
    normally_failed: f64,
    failed: f64,
    answered: f64,
}

/// One test as it stands.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Walk {
    ratio: f64,
    /// First contacts since the test began.
    pub(crate) failed: u32,
    pub(crate) answered: u32,
    scanning: bool,
    #[serde(skip)]
    pub(crate) tally: Tally,
    #[serde(skip)]
    pub(crate) haste: Haste,
}

/// What a test saw in this slice.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    pub(crate) is_scan: bool,
    pub(crate) failed: u64,
    /// Flows that failed, with those that tried again.
    pub(crate) flows: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) examples: Vec<u32>,
}

/// Where a first contact stands: microseconds of its flow, and its position in the slice.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) position: u32,
}

impl Test {
    pub(crate) fn new(parameters: &Parameters) -> Result<Self, String> {
        let Parameters { false_positive_rate: alpha, missed_rate: beta, .. } = *parameters;
        let (normally, scanning) = (parameters.answered_normally, parameters.answered_scanning);
        if scanning >= normally {
            return Err(format!(
                "answered_scanning is {scanning} and answered_normally is {normally}; a scan must be answered less often"
            ));
        }
        Ok(Self {
            upper: ln((1.0 - beta) / alpha),
            lower: ln(beta / (1.0 - alpha)),
            handshake: Steps::of(normally, scanning),
            datagram: Steps::of(DATAGRAMS_ANSWERED.0, DATAGRAMS_ANSWERED.1),
            patience: (parameters.patience_hours * 3_600.0) as i64,
        })
    }

    /// Seconds between two first contacts of a protocol after which a test begins anew.
    pub(crate) fn patience(&self, protocol: u8) -> i64 {
        if protocol == UDP { DATAGRAM_PATIENCE.min(self.patience) } else { self.patience }
    }

    /// Bits of so many first contacts that failed and so many that were answered: the logarithm of the likelihood
    /// ratio, without the bound at which the test is over.
    pub(crate) fn bits(&self, protocol: u8, failed: f64, answered: f64) -> f64 {
        let steps = self.steps(protocol);
        (failed * steps.failed + answered * steps.answered) * LOG2_E
    }

    /// Share of first contacts that fail ordinarily.
    pub(crate) fn normally_failed(&self, protocol: u8) -> f64 {
        self.steps(protocol).normally_failed
    }

    fn steps(&self, protocol: u8) -> &Steps {
        if protocol == UDP { &self.datagram } else { &self.handshake }
    }
}

impl Steps {
    fn of(normally: f64, scanning: f64) -> Self {
        Self {
            normally_failed: 1.0 - normally,
            failed: ln((1.0 - scanning) / (1.0 - normally)),
            answered: ln(scanning / normally),
        }
    }
}

impl Walk {
    /// Begins anew, but does not forget what it found in this slice.
    pub(crate) fn restart(&mut self) {
        let tally = if self.tally.is_scan { std::mem::take(&mut self.tally) } else { Tally::default() };
        *self = Self { tally, haste: std::mem::take(&mut self.haste), ..Self::default() };
    }

    /// Takes the outcome of a first contact. Returns whether the device is scanning.
    pub(crate) fn step(&mut self, test: &Test, contact: &Contact, place: Place) -> bool {
        if contact.protocol == TCP {
            self.haste.take(place, contact.answered);
        }
        let steps = test.steps(contact.protocol);
        if contact.answered {
            self.answered = self.answered.saturating_add(1);
            self.ratio += steps.answered;
        } else {
            self.failed = self.failed.saturating_add(1);
            self.ratio = (self.ratio + steps.failed).min(test.upper);
            self.tally.take(place);
        }
        self.scanning |= self.ratio >= test.upper;
        self.tally.is_scan |= self.scanning && self.tally.failed > 0;
        if self.ratio <= test.lower {
            self.restart();
        }
        self.scanning
    }

    /// Takes a flow that tried again, in vain.
    pub(crate) fn again(&mut self, end: i64) {
        if self.tally.failed > 0 {
            self.tally.flows += 1;
            self.tally.last = self.tally.last.max(end);
        }
    }

    /// Takes what it saw in this slice out.
    pub(crate) fn take_slice(&mut self) -> Self {
        let (tally, haste) = (std::mem::take(&mut self.tally), std::mem::take(&mut self.haste));
        Self { tally, haste, ..*self }
    }
}

impl Tally {
    pub(crate) fn take(&mut self, place: Place) {
        self.first = if self.failed == 0 { place.start } else { self.first.min(place.start) };
        self.last = self.last.max(place.end);
        self.failed += 1;
        self.flows += 1;
        if self.examples.len() < 20 {
            self.examples.push(place.position);
        }
    }

    /// Adds another's.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.first = if self.failed == 0 { other.first } else { self.first.min(other.first) };
        self.last = if self.failed == 0 { other.last } else { self.last.max(other.last) };
        self.failed += other.failed;
        self.flows += other.flows;
        self.examples.extend(&other.examples);
        self.examples.sort_unstable();
        self.examples.truncate(20);
    }
}
