//! Flow files that are damaged where no footer tells: each is named, and what is analysed does not depend on it.

use std::fs;

use super::support::{analyse_without, ingested, lacking, largest, rows, spoil, with_good_file};
use crate::support::Scratch;

/// All that plugins found, and what was covered without a fault.
const RESULTS: [&str; 2] = [
    "SELECT * EXCLUDE (commit) FROM finding_slices ORDER BY finding_id, slice_start",
    "SELECT plugin, slice_start, device_id, devices, flows, state_before, state_digest FROM coverage \
     ORDER BY plugin, slice_start, device_id",
];

fn results(scratch: &Scratch) -> Vec<Vec<String>> {
    RESULTS.iter().map(|query| rows(scratch, query)).collect()
}

#[test]
fn a_page_that_cannot_be_read_is_named() {
    let scratch = ingested();
    let path = largest(&scratch);
    spoil(&path);
    let name = path.file_name().unwrap().to_str().unwrap();
    let ran = scratch.run("wardflow -C w sql --format csv 'SELECT * FROM flows' > /dev/null");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains(name) && ran.stderr.contains("cannot be read"), "{ran:#?}");
    assert!(ran.stderr.contains("wardflow archive check") && !ran.stderr.contains("bug"), "{ran:#?}");
    let checked = scratch.run("wardflow -C w archive check");
    assert!(checked.code == Some(1) && checked.stdout.contains(name), "{checked:#?}");
}

/// A changed bit mostly leaves a page that can be read, and says something else. Bits before the footer are looked at.
#[test]
fn a_changed_bit_gives_the_same_rows_or_none() {
    let scratch = ingested();
    let path = largest(&scratch);
    let (sound, name) = (fs::read(&path).unwrap(), path.file_name().unwrap().to_str().unwrap());
    let all = "wardflow -C w sql --format csv 'SELECT * FROM flows' | sort | sha256sum; exit ${PIPESTATUS[0]}";
    let (expected, mut found) = (scratch.done(all), 0);
    let data = sound.len() * 4 / 5;
    for place in (100..data).step_by(data / 40) {
        let mut changed = sound.clone();
        changed[place] ^= 1 << (place % 8);
        fs::write(&path, changed).unwrap();
        let ran = scratch.run(all);
        if ran.code == Some(1) {
            assert!(
                ran.stderr.contains(name) && ran.stderr.contains("is not what was written"),
                "at {place}: {ran:#?}"
            );
            found += 1;
        } else {
            // What is for filters alone is not read without one.
            assert_eq!(ran.stdout, expected, "at {place}");
        }
    }
    assert!(found > 20, "{found}");
}

/// Statistics that were changed would hide flows from a query that asks for some.
#[test]
fn a_changed_bit_of_the_page_index_or_the_footer_hides_nothing() {
    let scratch = ingested();
    let path = largest(&scratch);
    let (sound, name) = (fs::read(&path).unwrap(), path.file_name().unwrap().to_str().unwrap());
    let query = "wardflow -C w sql --format csv \"SELECT count(*) FROM flows WHERE dst_port = 443\"";
    let expected = scratch.done(query);
    let footer = u32::from_le_bytes(sound[sound.len() - 8..sound.len() - 4].try_into().unwrap()) as usize;
    let (first, last) = (sound.len() - 8 - footer - 2_000, sound.len());
    let mut found = 0;
    for place in (first..last).step_by((last - first) / 60) {
        let mut changed = sound.clone();
        changed[place] ^= 1 << (place % 8);
        fs::write(&path, changed).unwrap();
        let ran = scratch.run(query);
        let told = ran.code != Some(0) && ran.stderr.contains(name);
        assert!(told || ran.stdout == expected, "at {place}: {ran:#?}");
        found += u64::from(told);
    }
    assert!(found > 50, "{found}");
}

#[test]
fn an_analysis_goes_on_without_what_cannot_be_read() {
    let scratch = ingested();
    // The first run makes the key of pseudonyms, which both are to have.
    scratch.done("wardflow -C w -q analyze && cp -r w whole && rm -r w/lake");
    let path = largest(&scratch);
    let sound = fs::read(&path).unwrap();
    spoil(&path);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();

    let first = analyse_without(&scratch, &name);
    assert!(first.stdout.contains("cannot be read") && first.stdout.contains("archive check --repair"), "{first:#?}");
    let slices = lacking(&scratch, &name);
    assert!(!slices.is_empty() && slices.iter().all(|slice| slice.ends_with(",blind")), "{slices:?}");
    let others = rows(&scratch, "SELECT count(*) FROM coverage WHERE status = 'complete' AND fault IS NULL");
    assert_ne!(others, ["0"]);
    let status = scratch.done("wardflow -C w status");
    assert!(status.contains("analysed without files that cannot be read"), "{status}");
    let json: serde_json::Value = serde_json::from_str(&scratch.run("wardflow -C w --json analyze").stdout).unwrap();
    assert_eq!((&json["planned"], json["left_out"].as_array().unwrap().len()), (&0.into(), 1), "{json}");

    // It is said each time, and not done each time.
    let before = results(&scratch);
    let again = analyse_without(&scratch, &name);
    assert!(again.stdout.contains("could not be read by an earlier run"), "{again:#?}");

    // However many threads there are and wherever a run begins, it comes to the same.
    scratch.done("cp -a w other && rm -r other/lake");
    let ran = scratch.run("wardflow -C other -q analyze --threads 1");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    scratch.done("mv w first && mv other w");
    assert_eq!(results(&scratch), before);

    // Mended, it is to be analysed again, and comes to what it would have come to.
    scratch.done("rm -r w && mv first w");
    fs::write(&path, &sound).unwrap();
    let status: serde_json::Value = serde_json::from_str(&scratch.done("wardflow -C w --json status")).unwrap();
    let open = &status["slices_open"];
    assert!(open["pending"] != 0 || open["stale"] != 0, "{open}");
    scratch.done("wardflow -C w -q analyze --rerun");
    assert_eq!(lacking(&scratch, &name), Vec::<String>::new());
    let mended = results(&scratch);
    scratch.done("mv w first && mv whole w");
    assert_eq!(results(&scratch), mended);
    assert_ne!(mended, before);
}

/// More than are found one by one.
#[test]
fn many_that_cannot_be_read_are_left_out_together() {
    let scratch = with_good_file();
    let mut bad = fs::read(scratch.path().join("w/archive/good.parquet")).unwrap();
    // The pages of the first column.
    bad[4..60].fill(0xff);
    for number in 0..40 {
        scratch.write(&format!("w/archive/bad-{number:02}.parquet"), &bad);
    }
    let ran = analyse_without(&scratch, "bad-00.parquet");
    let covered = "SELECT flows, status, fault FROM coverage WHERE plugin = 'wardflow/beacon' AND device_id IS NULL";
    let covered = rows(&scratch, covered);
    assert!(covered.len() == 1 && covered[0].starts_with("3,blind,"), "{covered:?}");
    assert_eq!(covered[0].matches("cannot be read").count(), 40, "{covered:?}");
    assert!(ran.stdout.contains("other files"), "{ran:#?}");
}

#[test]
fn what_was_moved_away_is_missed_until_it_is_ingested_again() {
    let scratch = ingested();
    let path = largest(&scratch);
    spoil(&path);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    analyse_without(&scratch, &name);
    scratch.run("wardflow -C w archive check --repair");
    let status = scratch.done("wardflow -C w status");
    assert!(status.contains("were ingested and are not there any more, first of eve.json"), "{status}");
    assert!(status.contains("1 damaged file put aside in _wardflow/damaged"), "{status}");
    let ran = scratch.run("wardflow -C w analyze --rerun");
    assert!(ran.code == Some(0) && ran.stdout.contains("that the archive lacks"), "{ran:#?}");
    assert_eq!(lacking(&scratch, &name), Vec::<String>::new());
    scratch.done("wardflow -C w -q ingest eve eve.json --again");
    let status: serde_json::Value = serde_json::from_str(&scratch.done("wardflow -C w --json status")).unwrap();
    assert_eq!(status["archive"]["lacking"]["sources"], serde_json::json!([]), "{status}");
    scratch.done("wardflow -C w -q analyze --rerun && wardflow -C w archive check");
}

/// Damage that has another shape each time: cut, emptied, bits turned, anywhere.
#[test]
fn whatever_is_damaged_the_rest_is_analysed() {
    let scratch = with_good_file();
    let good = fs::read(scratch.path().join("w/archive/good.parquet")).unwrap();
    for (number, place) in (0..good.len()).step_by(good.len() / 24).enumerate() {
        let mut bad = good.clone();
        match number % 4 {
            0 => bad.truncate(place),
            1 => bad[place] ^= 0x55,
            2 => bad[place..].iter_mut().take(64).for_each(|byte| *byte = 0),
            _ => bad[place..].iter_mut().take(8).for_each(|byte| *byte = 0xff),
        }
        fs::write(scratch.path().join("w/archive/bad.parquet"), &bad).unwrap();
        let ran = scratch.run("wardflow -C w analyze --rerun");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(matches!(ran.code, Some(0 | 1)) && !said.contains("bug") && !said.contains("panicked"), "{ran:#?}");
        assert!(ran.code == Some(0) || said.contains("bad.parquet"), "at {place}: {ran:#?}");
        let good = "SELECT count(*) > 0 FROM coverage WHERE plugin = 'wardflow/beacon' AND flows >= 3";
        assert_eq!(rows(&scratch, good), ["true"], "at {place}");
    }
}
