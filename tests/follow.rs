//! `wardflow ingest --follow`: what is new is brought in while it is being written, and once, however it ends.

use std::{
    fs,
    io::Write,
    process::Child,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::support::Scratch;

/// How long a flow may take to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Follows `logs` until it is told to stop.
pub(crate) const FOLLOW: &str = "exec wardflow -C w -q ingest zeek logs --follow --every 1 > said";

/// The log of the tests, in two halves at the end of a line.
pub(crate) fn halves() -> (String, String) {
    let log = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/zeek/conn.log")).unwrap();
    let middle = log[..log.len() / 2].rfind('\n').unwrap() + 1;
    (log[..middle].to_owned(), log[middle..].to_owned())
}

/// Records of a part of the log.
pub(crate) fn records(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

fn flows(scratch: &Scratch) -> usize {
    let count = scratch.done("wardflow -C w -q sql 'SELECT count(*) FROM flows' --format csv");
    count.lines().nth(1).unwrap().parse().unwrap()
}

#[track_caller]
fn wait_for(scratch: &Scratch, expected: usize) {
    let began = Instant::now();
    while flows(scratch) != expected {
        assert!(began.elapsed() < PATIENCE, "{} flows came, not {expected}", flows(scratch));
        sleep(Duration::from_millis(200));
    }
}

fn follow(scratch: &Scratch) -> Child {
    scratch.shell(FOLLOW).spawn().unwrap()
}

pub(crate) fn append(scratch: &Scratch, text: &str) {
    let log = fs::OpenOptions::new().append(true).open(scratch.path().join("logs/conn.log"));
    log.unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_log_that_grows_is_followed() {
    let scratch = Scratch::new();
    let (first, second) = halves();
    scratch.done("wardflow init w");
    scratch.write("logs/conn.log", &first);
    let mut following = follow(&scratch);
    wait_for(&scratch, records(&first));
    append(&scratch, &second);
    wait_for(&scratch, records(&first) + records(&second));
    // A log that was rotated is the same log.
    scratch.done("mv logs/conn.log logs/conn.01.log && gzip logs/conn.01.log");
    scratch.done(&format!("kill -INT {}", following.id()));
    assert_eq!(following.wait().unwrap().code(), Some(130));
    scratch.done("wardflow -C w -q ingest zeek logs");
    assert_eq!(flows(&scratch), records(&first) + records(&second));
    let said = fs::read_to_string(scratch.path().join("said")).unwrap();
    assert_eq!(said.matches("added from 1 source").count(), 2, "{said}");
}

#[test]
fn one_that_is_killed_is_taken_up_again() {
    let scratch = Scratch::new();
    let (first, second) = halves();
    scratch.done("wardflow init w");
    scratch.write("logs/conn.log", &first);
    let mut following = follow(&scratch);
    wait_for(&scratch, records(&first));
    append(&scratch, &second);
    following.kill().unwrap();
    following.wait().unwrap();
    scratch.done("wardflow -C w -q ingest zeek logs");
    assert_eq!(flows(&scratch), records(&first) + records(&second));
}
