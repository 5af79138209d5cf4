//! Ctrl-C at any moment: the command ends where it can be taken up again, says what is left, and run again leaves what a run
//! leaves that nobody interrupted.

use std::{
    fs::File,
    io::BufWriter,
    thread,
    time::{Duration, Instant},
};

use wardflow_datasets::{Hospital, export::Eve};

use crate::{
    follow::PATIENCE,
    support::{
        Demo, Moments, Scratch, demo,
        ended::{interrupt, time},
    },
};

/// Of a command that had begun to listen the exit code is 130, before that the signal ends it, and after its end it is 0.
#[track_caller]
fn check_code(code: Option<i32>) -> bool {
    assert!(matches!(code, None | Some(0 | 130)), "{code:?}");
    code == Some(130)
}

#[test]
fn analysis() {
    let moments = Moments::new("interrupted::analysis", 6);
    let line = &format!("wardflow -q -C hospital {}", Demo::TWO_DAYS);
    let whole = Demo::new();
    let takes = time(&whole.scratch, line);
    let expected = whole.results();
    for (_, moment) in moments.each() {
        let demo = Demo::new();
        let ran = interrupt(&demo.scratch, line, takes.mul_f64(moment));
        if check_code(ran.code) {
            let last = ran.stdout.lines().last().unwrap_or_default();
            let is_told = last.starts_with("Stopped after ") && last.contains(" of 8 slices");
            assert!(is_told || last.starts_with("Stopped before the first slice: "), "{ran:#?}");
        }
        demo.scratch.done(line);
        assert_eq!(demo.results(), expected, "interrupted after {moment} of {takes:?}, {moments:?}");
    }
}

#[test]
fn ingest() {
    let moments = Moments::new("interrupted::ingest", 6);
    let scratch = Scratch::new();
    let hospital = Hospital::new(demo::options()).unwrap();
    for part in 0..3 {
        scratch.write(&format!("sources/{part}.json"), "");
        let file = File::create(scratch.path().join(format!("sources/{part}.json"))).unwrap();
        let mut eve = Eve::new(BufWriter::new(file));
        hospital.flows().enumerate().filter(|(at, _)| at % 3 == part).for_each(|(_, flow)| eve.write(&flow).unwrap());
        eve.finish().unwrap();
    }
    let flows = |workspace: &str| {
        scratch.done(&format!(
            "wardflow -C {workspace} -q sql 'SELECT * FROM flows' --format csv | LC_ALL=C sort | sha256sum"
        ))
    };
    scratch.done("wardflow init whole");
    let takes = time(&scratch, "wardflow -C whole -q ingest eve sources");
    let expected = flows("whole");
    for (_, moment) in moments.each() {
        scratch.done("rm -rf w && wardflow init w");
        let ran = interrupt(&scratch, "wardflow -C w -q ingest eve sources", takes.mul_f64(moment));
        if check_code(ran.code) {
            let last = ran.stdout.lines().last().unwrap_or_default();
            assert!(
                last.starts_with("Stopped: ") && last.contains(" left; what was being read was dropped"),
                "{ran:#?}"
            );
        }
        scratch.done("wardflow -C w -q ingest eve sources");
        assert_eq!(flows("w"), expected, "interrupted after {moment} of {takes:?}, {moments:?}");
        let checked = scratch.done("wardflow -C w -q archive check");
        assert!(checked.contains("are sound"), "{checked}");
    }
}

/// The planner does not look up, and takes several minutes for this.
#[test]
fn a_query_that_is_planned() {
    let scratch = Scratch::new();
    scratch.done("wardflow init w");
    let terms: Vec<_> = (0..50_000).map(|term| format!("dst_port = {term}")).collect();
    scratch.write("query.sql", format!("SELECT count(*) FROM flows WHERE {}", terms.join(" OR ")));
    let mut run = scratch.shell("exec wardflow -C w -q sql < query.sql").spawn().unwrap();
    thread::sleep(Duration::from_secs(3));
    scratch.done(&format!("kill -INT {}", run.id()));
    let began = Instant::now();
    let ended = loop {
        match run.try_wait().unwrap() {
            Some(ended) => break Some(ended),
            None if began.elapsed() > PATIENCE => break None,
            None => thread::sleep(Duration::from_millis(100)),
        }
    };
    run.kill().unwrap();
    assert!(ended.is_some_and(|ended| check_code(ended.code()) || ended.code().is_none()), "it did not end: {ended:?}");
}

#[test]
fn a_demo_that_was_killed_can_be_made_again() {
    let scratch = Scratch::new();
    let line = "wardflow -q demo d --devices 40 --days 6 --flows 60000 --seed 7";
    let takes = time(&scratch, line);
    scratch.done("mv d whole");
    for part in 1..=4 {
        scratch.done("rm -rf d");
        let ran = interrupt(&scratch, line, takes * part / 5);
        check_code(ran.code);
        let again = scratch.run(line);
        let flows = |workspace: &str| {
            scratch.done(&format!("wardflow -C {workspace} -q sql 'SELECT count(*) FROM flows' --format csv"))
        };
        match again.code {
            Some(0) => {}
            // It was being analysed.
            Some(2) => {
                assert!(again.stderr.contains("`wardflow -C d analyze` goes on with it"), "{again:#?}");
                scratch.done("wardflow -C d analyze");
            }
            _ => panic!("{again:#?}"),
        }
        assert_eq!(flows("d"), flows("whole"), "interrupted after {part}/5 of {takes:?}");
    }
}
