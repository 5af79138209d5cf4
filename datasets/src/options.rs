//! Options: which hospital, how long, how busy, and what goes wrong in it.

use crate::{Error, Incident, Oddity, Variant};
use serde::{Deserialize, Serialize};

/// The devices a hospital may have: enough for every part to be cast, and as many as its subnets hold.
const DEVICES: (u64, u64) = (30, 50_000);
/// The days an archive may span.
const DAYS: (u64, u64) = (1, 366);
/// The flows that may be asked for.
const FLOWS: (u64, u64) = (5_000, 10_000_000_000);

/// What to generate. Equal options give equal hospitals, to the byte, on every machine with the same tz database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Devices at the bedside, in laboratories and on desks (30 to 50,000). Servers come on top.
    pub devices: u32,
    /// Days of 24 hours that the flows span (1 to 366).
    pub days: u32,
    /// What all chance is derived from.
    pub seed: u64,
    /// The first instant of the span.
    pub start: jiff::Timestamp,
    /// The number of flows to aim at, within a few per cent (5,000 to ten billion); `None` keeps the natural pace,
    /// about 2,500 flows a device and day.
    ///
    /// A target stretches or shortens the time between contacts. Where it is small, weekly and nightly contacts are
    /// thinned out and incidents shortened as well, so that neither crowds out the rest. For a large archive, raise
    /// [`devices`](Self::devices) and [`days`](Self::days) first.
    pub flows: Option<u64>,
    /// The IANA time zone that the hospital lives by.
    pub timezone: String,
    /// The incidents that happen, all in the second half of the span.
    pub incidents: Vec<Incident>,
    /// How loud they are.
    pub variant: Variant,
    /// The harmless peculiarities to include.
    pub oddities: Vec<Oddity>,
}

impl Default for Options {
    /// 120 devices, two weeks from Monday, 2 March 2026, 00:00 UTC, in Berlin; every incident in its easy
    /// form and every oddity.
    fn default() -> Self {
        Self {
            devices: 120,
            days: 14,
            seed: 1,
            start: jiff::Timestamp::constant(1_772_409_600, 0),
            flows: None,
            timezone: "Europe/Berlin".to_owned(),
            incidents: Incident::ALL.to_vec(),
            variant: Variant::Easy,
            oddities: Oddity::ALL.to_vec(),
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), Error> {
        within("devices", self.devices.into(), DEVICES)?;
        within("days", self.days.into(), DAYS)?;
        self.flows.map_or(Ok(()), |flows| within("flows", flows, FLOWS))
    }

    pub(crate) fn has(&self, oddity: Oddity) -> bool {
        self.oddities.contains(&oddity)
    }
}

fn within(option: &'static str, value: u64, (least, most): (u64, u64)) -> Result<(), Error> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(Error::OutOfRange { option, least, most, value }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(options: Options, message: &str) {
        assert_eq!(options.check().map_err(|error| error.to_string()), Err(message.to_owned()));
    }

    #[test]
    fn values_out_of_range_are_refused_with_the_range() {
        check(
            Options { devices: 7, ..Options::default() },
            "devices must be from 30 to 50000, but is 7: choose a value in that range",
        );
        check(
            Options { days: 0, ..Options::default() },
            "days must be from 1 to 366, but is 0: choose a value in that range",
        );
        check(
            Options { flows: Some(12), ..Options::default() },
            "flows must be from 5000 to 10000000000, but is 12: choose a value in that range",
        );
    }

    #[test]
    fn the_default_starts_on_a_monday() {
        assert_eq!(Options::default().start.to_string(), "2026-03-02T00:00:00Z");
    }
}
