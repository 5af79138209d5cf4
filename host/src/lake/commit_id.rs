//! The commit id: text that sorts by time and that no other process makes.
//!
//! `20261123T130512.123456Z-9f86d081884c7d65`: UTC to the microsecond, then 64 random bits.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use crate::error::{Context, Error, Result};

const TIME: &str = "%Y%m%dT%H%M%S.%6fZ";

/// A new id, greater than `last` even if the clock was set back since: else the rows would be written and never seen.
pub(super) fn after(last: Option<&str>, now: Timestamp) -> Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|error| Error::failed("the operating system gives no random numbers").because(error))?;
    let random = u64::from_be_bytes(random);
    let time = id_at(now);
    let time = match last {
        Some(last) if *last > *time => successor(last)?,
        _ => time,
    };
    Ok(format!("{time}-{random:016x}"))
}

/// What ids of a time begin with: those of an earlier one are less, as text.
pub fn id_at(time: Timestamp) -> String {
    time.strftime(TIME).to_string()
}

/// The time of an id, a microsecond later.
fn successor(id: &str) -> Result<String> {
    let doing = || format!("{id:?} in the table coverage is no commit id");
    let time = id.split_once('-').map_or(id, |(time, _)| time);
    let time = DateTime::strptime(TIME, time).context(doing)?.to_zoned(TimeZone::UTC).context(doing)?.timestamp();
    let later = time.checked_add(SignedDuration::from_micros(1)).context(doing)?;
    Ok(later.strftime(TIME).to_string())
}

#[cfg(test)]
mod tests {
    use super::after;
    use crate::lake::commit::tests::{lake, slice};
    use jiff::Timestamp;

    fn check(last: Option<&str>, now: &str, expected: &str) {
        let now: Timestamp = now.parse().unwrap();
        let id = after(last, now).unwrap();
        assert!(last.is_none_or(|last| *id > *last), "{id} after {last:?}");
        assert_eq!(id.split_once('-').map(|(time, random)| (time, random.len())), Some((expected, 16)));
    }

    #[test]
    fn an_id_is_greater_than_the_last_whatever_the_clock_says() {
        check(None, "2026-11-23T13:05:12.123456Z", "20261123T130512.123456Z");
        check(
            Some("20261123T130512.123455Z-ffffffffffffffff"),
            "2026-11-23T13:05:12.123456Z",
            "20261123T130512.123456Z",
        );
        check(
            Some("20261123T130512.123456Z-ffffffffffffffff"),
            "2026-11-23T13:05:12.123456Z",
            "20261123T130512.123457Z",
        );
        check(Some("20261231T235959.999999Z-0000000000000000"), "2026-11-23T13:05:12Z", "20270101T000000.000000Z");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_committed_after_the_clock_was_set_back_counts() {
        let directory = tempfile::tempdir().unwrap();
        let ahead = lake(directory.path());
        *ahead.last_commit.lock().await = Some("20991231T235959.999999Z-0000000000000000".into());
        let first = ahead.commit_slice(slice(1, &[("pump", "first")])).await.unwrap();
        assert!(first.starts_with("21000101T000000.000000Z"), "{first}");
        // Another process, with another clock, knows only what is in the lake.
        let back = lake(directory.path());
        let second = back.commit_slice(slice(1, &[])).await.unwrap();
        assert!(second > first && second.starts_with("21000101T"), "{second}");
        assert_eq!(back.current_coverage().await.unwrap().len(), 1);
        assert_eq!(back.current_coverage().await.unwrap()[0].commit, second);
    }

    #[test]
    fn ids_of_one_moment_differ() {
        let now = Timestamp::UNIX_EPOCH;
        assert_ne!(after(None, now).unwrap(), after(None, now).unwrap());
        assert!(after(Some("zzz"), now).is_err());
    }
}
