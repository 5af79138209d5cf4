//! No room for what is written: files may only grow so large, which real system calls refuse as they refuse on a full disk,
//! in the middle of a write too. It is told, and the next run leaves what one leaves that had room.

use crate::support::{Demo, Scratch, scratch::Ran};

/// Sizes in KiB that a file may have, from hardly any to more than enough.
const SIZES: [u32; 12] = [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 144, 100_000];

/// Runs a line where files may only grow so large.
fn run(scratch: &Scratch, kib: u32, line: &str) -> Ran {
    scratch.run(&format!("trap '' XFSZ; ulimit -f {kib}; exec {line}"))
}

/// That the reason and the remedy are told, and no bug is blamed.
#[track_caller]
fn check_told(ran: &Ran) {
    let said = &ran.stderr;
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(said.contains("File too large") && said.contains("\nhelp: ") && said.contains("`ulimit -f`"), "{ran:#?}");
    assert!(!said.contains("bug") && !said.contains("panicked"), "{ran:#?}");
}

#[test]
fn analysis() {
    let line = &format!("wardflow -q -C hospital {}", Demo::TWO_DAYS);
    let whole = Demo::new();
    whole.scratch.done(line);
    let expected = whole.results();
    let mut told = 0;
    for kib in SIZES {
        let demo = Demo::new();
        let ran = run(&demo.scratch, kib, line);
        if ran.code != Some(0) {
            check_told(&ran);
            told += 1;
        }
        demo.wardflow("status");
        demo.scratch.done(line);
        assert_eq!(demo.results(), expected, "with {kib} KiB a file");
    }
    assert!((1..SIZES.len()).contains(&told), "{told}");
}

#[test]
fn ingest() {
    let scratch = Scratch::new();
    let log = include_str!("data/zeek/conn.log");
    let header = log.lines().filter(|line| line.starts_with('#') && !line.starts_with("#close"));
    let text: Vec<_> = header.chain(log.lines().filter(|line| !line.starts_with('#'))).collect();
    scratch.write("logs/conn.log", text.join("\n") + "\n");
    scratch.write("logs/ssl.log", include_str!("data/zeek/ssl.log"));
    scratch.done("wardflow init whole && wardflow -C whole -q ingest zeek logs");
    let flows = |workspace: &str| {
        scratch.done(&format!("wardflow -C {workspace} -q sql 'SELECT * FROM flows' --format csv | LC_ALL=C sort"))
    };
    let expected = flows("whole");
    assert!(expected.lines().count() > 70, "{expected}");
    let mut told = 0;
    for kib in SIZES {
        scratch.done("rm -rf w && wardflow init w");
        let ran = run(&scratch, kib, "wardflow -C w -q ingest zeek logs");
        if ran.code != Some(0) {
            check_told(&ran);
            told += 1;
        }
        scratch.done("wardflow -C w -q ingest zeek logs");
        assert_eq!(flows("w"), expected, "with {kib} KiB a file");
        let checked = scratch.done("wardflow -C w -q archive check");
        assert!(checked.contains("are sound"), "{checked}");
    }
    assert!((1..SIZES.len()).contains(&told), "{told}");
}
