//! Much of one kind: files, devices, flows of one device. In the campaign so much that only what is bounded gets through it.

use std::{
    fs,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};

use super::support::{MIDNIGHT, SECOND, batch, columns, flows, rows, write};
use crate::support::Scratch;

const COVERED: &str = "SELECT sum(flows) FROM coverage WHERE plugin = 'wardflow/beacon' AND device_id IS NULL";

/// Runs a command that must do all it is asked. Returns the most memory that it had, in MiB.
fn peak(scratch: &Scratch, command: &str) -> u64 {
    let mut run = scratch.shell(&format!("exec wardflow -C w -q {command}")).stdout(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    loop {
        most = most.max(high_water(&run));
        match run.try_wait().unwrap() {
            Some(status) => break assert!(status.success(), "{command}: {status}"),
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
    assert!(most > 0, "the memory of {command} was never seen");
    most / 1024
}

/// `VmHWM`, the most that it had so far, in KiB; 0 once it is no more.
fn high_water(run: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn workspace() -> Scratch {
    let scratch = Scratch::new();
    scratch.done("wardflow init w && mkdir -p w/archive");
    scratch
}

/// Small files, each with a flow. Returns the most memory that their analysis had, in MiB.
fn small_files(count: i64) -> u64 {
    let scratch = workspace();
    write(&scratch, "first.parquet", &[flows(&[(MIDNIGHT, MIDNIGHT + SECOND)])]);
    let first = fs::read(scratch.path().join("w/archive/first.parquet")).unwrap();
    for number in 1..count {
        scratch.write(&format!("w/archive/{}/{number}.parquet", number % 100), &first);
    }
    // So few partitions that even a test's files are read some at a time.
    let most = peak(&scratch, "analyze --memory 1GiB --threads 2");
    assert_eq!(rows(&scratch, COVERED), [count.to_string()]);
    most
}

/// Devices with two flows each. Returns the most memory that their analysis had, in MiB.
fn devices(count: usize) -> u64 {
    const AT_ONCE: usize = 50_000;
    let scratch = workspace();
    for from in (0..count).step_by(AT_ONCE) {
        let of = from..(from + AT_ONCE).min(count);
        let ips =
            of.clone().map(|device| format!("10.{}.{}.{}", device / 62_500, device / 250 % 250, device % 250 + 1));
        let ips: Vec<_> = ips.flat_map(|ip| [ip.clone(), ip]).collect();
        let mut columns = columns(&vec![(MIDNIGHT, MIDNIGHT + SECOND); ips.len()]);
        columns[2].1 = Arc::new(StringArray::from(ips)) as ArrayRef;
        write(&scratch, &format!("{from}.parquet"), &[batch(columns)]);
    }
    let most = peak(&scratch, "analyze --memory 1GiB");
    assert_eq!(rows(&scratch, COVERED), [(2 * count).to_string()]);
    let devices = "SELECT devices FROM coverage WHERE plugin = 'wardflow/beacon' AND device_id IS NULL";
    assert_eq!(rows(&scratch, devices), [count.to_string()]);
    most
}

/// One device with all flows, in as many row groups as there are millions of them. Returns the memory that they took, in MiB.
fn one_device(count: usize) -> u64 {
    const AT_ONCE: usize = 1_000_000;
    let scratch = workspace();
    let times: Vec<_> = (0..AT_ONCE.min(count) as i64)
        .map(|flow| (MIDNIGHT + flow * 20_000, MIDNIGHT + flow * 20_000 + SECOND))
        .collect();
    let batches = vec![flows(&times); count.div_ceil(AT_ONCE)];
    write(&scratch, "all.parquet", &batches);
    let most = peak(&scratch, "analyze --memory 1GiB");
    let all: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    assert_eq!(rows(&scratch, COVERED), [all.to_string()]);
    most
}

#[test]
fn many_small_files() {
    small_files(2_000);
}

#[test]
fn many_devices() {
    devices(20_000);
}

#[test]
fn one_device_with_all_flows() {
    one_device(300_000);
}

/// It is lost until there is more, and no other is.
#[test]
fn a_slice_that_memory_has_no_room_for() {
    const FLOWS: i64 = 3_000_000;
    let scratch = workspace();
    let day = 24 * 3_600 * SECOND;
    let at = |time: i64| flows(&[(time, time + SECOND)]);
    write(&scratch, "few.parquet", &[at(MIDNIGHT - day), at(MIDNIGHT + day)]);
    let times: Vec<_> = (0..FLOWS / 3).map(|flow| (MIDNIGHT + flow * 20_000, MIDNIGHT + flow * 20_000 + 1)).collect();
    write(&scratch, "many.parquet", &vec![flows(&times); 3]);
    let ran = scratch.run("wardflow -C w analyze --memory 96MiB --threads 1");
    let told = "did not run in 1 slice (the flows of a shard, some devices of each slice, must fit into memory at once; \
                give more with --memory";
    assert!(ran.code == Some(1) && ran.stdout.contains(told), "{ran:#?}");
    let lost = "SELECT slice_start FROM coverage WHERE plugin = 'wardflow/beacon' AND status = 'not_run'";
    assert_eq!(rows(&scratch, lost), ["2026-03-02T00:00:00Z"]);
    assert_eq!(rows(&scratch, COVERED), ["2"]);
    scratch.done("wardflow -C w -q analyze");
    assert_eq!((rows(&scratch, lost), rows(&scratch, COVERED)), (Vec::new(), vec![(FLOWS + 2).to_string()]));
}

/// What a run of `--memory 1GiB` may have: a tenth more, and the idle process.
const BOUND: u64 = 1_024 * 11 / 10 + 200;

#[test]
#[ignore = "a campaign: make torture"]
fn a_hundred_thousand_small_files() {
    let most = small_files(100_000);
    assert!(most < BOUND, "{most} MiB");
}

#[test]
#[ignore = "a campaign: make torture"]
fn a_million_devices() {
    let most = devices(1_000_000);
    assert!(most < BOUND, "{most} MiB");
}

#[test]
#[ignore = "a campaign: make torture"]
fn one_device_with_twenty_million_flows() {
    let most = one_device(20_000_000);
    assert!(most < BOUND, "{most} MiB");
}
