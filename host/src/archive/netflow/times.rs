//! When a flow began and ended.
//!
//! | elements, the first that a record has | unit |
//! |---|---|
//! | `flowStartNanoseconds`, `flowStartMicroseconds` | NTP: seconds since 1900, and 2^32 parts of one |
//! | `flowStartMilliseconds`, `flowStartSeconds` | since 1970 |
//! | `flowStartDeltaMicroseconds` | before the header's time |
//! | `flowStartSysUpTime` | milliseconds since the exporter booted |
//!
//! Ends likewise; where there is none, the start and `flowDurationMilliseconds` or `flowDurationMicroseconds`, else
//! `observationTime...`, else the start. Where only an end is known, the start is the end less the duration.
//!
//! The boot time of versions 5 and 9 is the header's time less its uptime. Version 9 gives that time in whole seconds,
//! so that its flows may all be up to a second early. IPFIX has the boot time in `systemInitTimeMilliseconds`, in the
//! record or in options data. Uptimes wrap after 49.7 days: a flow's time is that of its number which is nearest before
//! the datagram was sent, or up to an hour after it.

use super::{elements::Slot, fields::Fields};
use crate::archive::values::LAST_TIME;

/// How far after a datagram's sending the uptime of its records may be, in milliseconds. Clocks on line cards differ.
const MOST_AHEAD: u32 = 3_600_000;

/// From 1900 to 1970.
const NTP_SECONDS: i64 = 2_208_988_800;

/// The clock of an exporter when it sent a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Microseconds UTC.
    pub(super) export: i64,
    /// Milliseconds since it booted, if known.
    pub(super) uptime: Option<u32>,
}

/// Start and end, in microseconds UTC. On failure the reason.
pub(super) fn times(fields: Fields<'_>, clock: Clock) -> Result<(i64, i64), String> {
    let clock = Clock { uptime: clock.uptime.or_else(|| boot_uptime(fields, clock.export)), ..clock };
    let start = time(fields, clock, &STARTS)?;
    let end = time(fields, clock, &ENDS)?;
    let (start, end) = match (start, end) {
        (Some(start), Some(end)) => (start, end),
        (Some(start), None) => match duration(fields)? {
            Some(duration) => (start, start.saturating_add(duration)),
            None => (start, time(fields, clock, &OBSERVED)?.unwrap_or(start)),
        },
        (None, Some(end)) => (end.saturating_sub(duration(fields)?.unwrap_or(0)), end),
        (None, None) => {
            let observed = time(fields, clock, &OBSERVED)?.ok_or_else(|| no_time(fields))?;
            (observed, observed)
        }
    };
    if start > end || end >= LAST_TIME {
        return Err(format!(
            "the flow begins at {start} and ends at {end}, in microseconds since 1970; it must end no earlier, and \
             before the year 10000"
        ));
    }
    Ok((start, end))
}

/// The exporter's uptime when it sent a message, from the time at which it booted.
pub(super) fn uptime(export: i64, boot_millis: i64) -> u32 {
    let uptime = (export / 1_000 - boot_millis).rem_euclid(1 << 32);
    u32::try_from(uptime).unwrap_or(u32::MAX)
}

/// Whether the times of records with some elements count from when the exporter booted, and they do not say when.
pub(super) fn need_boot(has: impl Fn(Slot) -> bool) -> bool {
    let counts_from_boot = |elements: &[(Slot, Unit)]| {
        let unit = elements.iter().find(|(slot, _)| has(*slot)).map(|(_, unit)| *unit);
        unit == Some(Unit::Uptime)
    };
    (counts_from_boot(&STARTS) || counts_from_boot(&ENDS)) && !has(Slot::SystemInit)
}

/// How the number of an element is to be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Ntp,
    Milliseconds,
    Seconds,
    MicrosecondsBefore,
    Uptime,
}

const STARTS: [(Slot, Unit); 6] = [
    (Slot::StartNanoseconds, Unit::Ntp),
    (Slot::StartMicroseconds, Unit::Ntp),
    (Slot::StartMilliseconds, Unit::Milliseconds),
    (Slot::StartSeconds, Unit::Seconds),
    (Slot::StartDelta, Unit::MicrosecondsBefore),
    (Slot::StartUptime, Unit::Uptime),
];

const ENDS: [(Slot, Unit); 6] = [
    (Slot::EndNanoseconds, Unit::Ntp),
    (Slot::EndMicroseconds, Unit::Ntp),
    (Slot::EndMilliseconds, Unit::Milliseconds),
    (Slot::EndSeconds, Unit::Seconds),
    (Slot::EndDelta, Unit::MicrosecondsBefore),
    (Slot::EndUptime, Unit::Uptime),
];

const OBSERVED: [(Slot, Unit); 4] = [
    (Slot::ObservedNanoseconds, Unit::Ntp),
    (Slot::ObservedMicroseconds, Unit::Ntp),
    (Slot::ObservedMilliseconds, Unit::Milliseconds),
    (Slot::ObservedSeconds, Unit::Seconds),
];

/// The time of the first of some elements that a record has.
#[inline]
fn time(fields: Fields<'_>, clock: Clock, elements: &[(Slot, Unit)]) -> Result<Option<i64>, String> {
    for &(slot, unit) in elements {
        if let Some(number) = fields.number(slot) {
            let time = match unit {
                Unit::Ntp => Some(ntp(number)),
                Unit::Milliseconds => scaled(number, 1_000),
                Unit::Seconds => scaled(number, 1_000_000),
                Unit::MicrosecondsBefore => scaled(number, 1).map(|before| clock.export - before),
                Unit::Uptime => at_uptime(slot, number, clock)?,
            };
            return time.map(Some).ok_or_else(|| too_late(slot, number));
        }
    }
    Ok(None)
}

fn scaled(number: u64, scale: i64) -> Option<i64> {
    i64::try_from(number).ok()?.checked_mul(scale).filter(|time| *time < LAST_TIME)
}

/// Seconds with the highest bit are of the era that began in 1900, others of that of 2036 (RFC 4330, 3).
fn ntp(number: u64) -> i64 {
    let (high, low) = ((number >> 32).cast_signed(), (number & 0xffff_ffff).cast_signed());
    let era = if high >> 31 == 1 { 0 } else { 1 << 32 };
    let micros = (low * 1_000_000 + (1 << 31)) >> 32;
    (high + era - NTP_SECONDS) * 1_000_000 + micros
}

fn at_uptime(slot: Slot, number: u64, clock: Clock) -> Result<Option<i64>, String> {
    let Some(uptime) = clock.uptime else {
        return Err(format!(
            "{} is {number}, and when the exporter booted is not known: it sent no systemInitTimeMilliseconds",
            slot.element().name
        ));
    };
    let Ok(number) = u32::try_from(number) else {
        return Ok(None);
    };
    let ahead = number.wrapping_sub(uptime);
    Ok(Some(if ahead <= MOST_AHEAD {
        clock.export + i64::from(ahead) * 1_000
    } else {
        clock.export - i64::from(uptime.wrapping_sub(number)) * 1_000
    }))
}

fn boot_uptime(fields: Fields<'_>, export: i64) -> Option<u32> {
    let boot = fields.number(Slot::SystemInit).and_then(|boot| i64::try_from(boot).ok())?;
    (boot < LAST_TIME / 1_000).then(|| uptime(export, boot))
}

fn duration(fields: Fields<'_>) -> Result<Option<i64>, String> {
    for (slot, scale) in [(Slot::DurationMilliseconds, 1_000), (Slot::DurationMicroseconds, 1)] {
        if let Some(number) = fields.number(slot) {
            return scaled(number, scale).map(Some).ok_or_else(|| too_late(slot, number));
        }
    }
    Ok(None)
}

#[cold]
fn too_late(slot: Slot, number: u64) -> String {
    format!("{} is {number}; it must be within its range, and before the year 10000", slot.element().name)
}

#[cold]
fn no_time(fields: Fields<'_>) -> String {
    format!("the record has no time: none of flowStart..., flowEnd... is in its {} bytes", fields.record.len())
}

#[cfg(test)]
mod tests {
    use super::{Clock, ntp, times, uptime};
    use crate::archive::netflow::{
        elements::Slot,
        fields::Fields,
        template::{Slots, Template},
    };

    /// A message sent at second 1,000,000, of an exporter that has been up for 10 s.
    const CLOCK: Clock = Clock { export: 1_000_000_000_000, uptime: Some(10_000) };

    fn check(clock: Clock, values: &[(Slot, u64)], expected: Result<(i64, i64), &str>) {
        let template = Template::of(&values.iter().map(|(slot, _)| (Some(*slot), 8)).collect::<Vec<_>>()).unwrap();
        let record: Vec<u8> = values.iter().flat_map(|(_, value)| value.to_be_bytes()).collect();
        let mut slots = Slots::default();
        template.locate(&record, &mut slots).unwrap();
        let seen = times(Fields { slots: &slots, record: &record }, clock);
        match (seen, expected) {
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
            (seen, expected) => assert_eq!(seen, expected.map_err(str::to_owned), "{values:?}"),
        }
    }

    #[test]
    fn every_kind_of_time() {
        use Slot::*;
        let ntp = |seconds: u64, fraction: u64| ((seconds + 2_208_988_800) << 32) | fraction;
        check(CLOCK, &[(StartMilliseconds, 5), (EndMilliseconds, 6)], Ok((5_000, 6_000)));
        check(CLOCK, &[(StartSeconds, 5), (EndSeconds, 6)], Ok((5_000_000, 6_000_000)));
        let (half, third) = (1 << 31, (1 << 32) / 3);
        check(
            CLOCK,
            &[(StartMicroseconds, ntp(5, half)), (EndMicroseconds, ntp(6, third))],
            Ok((5_500_000, 6_333_333)),
        );
        check(
            CLOCK,
            &[(StartNanoseconds, ntp(5, 0)), (EndNanoseconds, ntp(5, u64::from(u32::MAX)))],
            Ok((5_000_000, 6_000_000)),
        );
        check(CLOCK, &[(StartDelta, 3_000_000), (EndDelta, 1)], Ok((999_997_000_000, 999_999_999_999)));
        check(CLOCK, &[(StartUptime, 1_000), (EndUptime, 10_001)], Ok((999_991_000_000, 1_000_000_001_000)));
        check(CLOCK, &[(StartSeconds, 5), (DurationMilliseconds, 7)], Ok((5_000_000, 5_007_000)));
        check(CLOCK, &[(StartSeconds, 5), (DurationMicroseconds, 7)], Ok((5_000_000, 5_000_007)));
        check(CLOCK, &[(EndSeconds, 5), (DurationMicroseconds, 7)], Ok((4_999_993, 5_000_000)));
        check(CLOCK, &[(StartMilliseconds, 5), (ObservedMilliseconds, 9)], Ok((5_000, 9_000)));
        check(CLOCK, &[(ObservedSeconds, 5)], Ok((5_000_000, 5_000_000)));
        check(CLOCK, &[(StartSeconds, 5)], Ok((5_000_000, 5_000_000)));
        // The finer one counts.
        check(CLOCK, &[(StartSeconds, 5), (StartMilliseconds, 4_999)], Ok((4_999_000, 4_999_000)));
    }

    #[test]
    fn uptimes_wrap() {
        use Slot::*;
        let before = u64::from(u32::MAX) - 999;
        check(CLOCK, &[(StartUptime, before), (EndUptime, 0)], Ok((999_989_000_000, 999_990_000_000)));
        let late = Clock { uptime: Some(u32::MAX), ..CLOCK };
        check(late, &[(StartUptime, u64::from(u32::MAX)), (EndUptime, 4)], Ok((1_000_000_000_000, 1_000_000_005_000)));
        // Up for 60 days, in IPFIX: the record's number has wrapped once.
        let days = 86_400_000;
        let clock = Clock { export: 100 * days * 1_000, uptime: None };
        let wrapped = 59 * days - (1_i64 << 32);
        check(
            clock,
            &[(SystemInit, (40 * days).cast_unsigned()), (StartUptime, wrapped.cast_unsigned())],
            Ok((99 * days * 1_000, 99 * days * 1_000)),
        );
        assert_eq!(uptime(5_000_000, 5_001), u32::MAX);
    }

    #[test]
    fn eras_of_ntp() {
        assert_eq!(ntp(0xffff_ffff_0000_0000), 2_085_978_495_000_000);
        assert_eq!(ntp(0), 2_085_978_496_000_000);
        assert_eq!(ntp(0x83aa_7e80_0000_0000), 0);
        // What was truncated to parts of 2^32 comes back.
        assert_eq!(ntp(0x83aa_7e80_0000_0000 | ((123_457_u64 << 32) / 1_000_000)), 123_457);
    }

    #[test]
    fn bad_times_have_reasons() {
        use Slot::*;
        check(
            CLOCK,
            &[(StartMilliseconds, u64::MAX)],
            Err("flowStartMilliseconds is 18446744073709551615; it must be"),
        );
        check(CLOCK, &[(EndSeconds, 253_402_300_800)], Err("flowEndSeconds is 253402300800; it must be"));
        check(CLOCK, &[(StartUptime, 1 << 32)], Err("flowStartSysUpTime is 4294967296; it must be"));
        let unknown = Clock { uptime: None, ..CLOCK };
        check(unknown, &[(StartUptime, 7)], Err("flowStartSysUpTime is 7, and when the exporter booted is not known"));
        check(CLOCK, &[(StartSeconds, 2), (EndSeconds, 1)], Err("begins at 2000000 and ends at 1000000"));
        check(CLOCK, &[(StartSeconds, 253_402_300_799), (DurationMilliseconds, 2_000)], Err("before the year 10000"));
        check(CLOCK, &[(StartSeconds, 1), (DurationMicroseconds, u64::MAX)], Err("flowDurationMicroseconds is"));
        check(CLOCK, &[(Octets, 2)], Err("the record has no time"));
    }
}
