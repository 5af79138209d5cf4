//! An ingest that is killed whenever: run again, the archive has every flow once.

use std::{fs::File, io::BufWriter, process::Stdio, thread, time::Instant};

use wardflow_datasets::{Flow, Hospital, export::Eve};

use crate::support::{Scratch, demo};

#[path = "bench/src/ingest/packets.rs"]
mod packets;

#[test]
fn eve() {
    check("eve", |flows, out| {
        let mut eve = Eve::new(out);
        flows.for_each(|flow| eve.write(&flow).unwrap());
        eve.finish().unwrap();
    });
}

/// Two programs of another project are at work then, and files of theirs are left.
#[test]
#[expect(clippy::print_stderr, reason = "a test that could not be made must not look like one that was passed")]
fn pcap() {
    if Scratch::new().run("command -v nfpcapd").code != Some(0) {
        eprintln!("skipped: nfpcapd is not installed");
        return;
    }
    check("pcap", |flows, out| packets::write(flows, out).unwrap());
}

/// Kills an ingest of the hospital's flows after ever longer parts of the time that a whole one takes, and lets one end.
fn check(format: &str, write: impl FnOnce(&mut dyn Iterator<Item = Flow>, BufWriter<File>)) {
    let scratch = Scratch::new();
    let hospital = Hospital::new(demo::options()).unwrap();
    write(&mut hospital.flows(), BufWriter::new(File::create(scratch.path().join("source")).unwrap()));
    scratch.done("wardflow init whole && wardflow init killed");
    let began = Instant::now();
    scratch.done(&format!("wardflow -C whole -q ingest {format} source"));
    let whole = began.elapsed();

    let mut killed = 0;
    for part in 1..=8 {
        let mut run = scratch
            .shell(&format!("exec wardflow -C killed -q ingest {format} source"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(whole * part / 9);
        run.kill().unwrap();
        killed += u32::from(run.wait().unwrap().code().is_none());
    }
    assert!(killed >= 3, "{killed} runs were killed before their end, each after a part of {whole:?}");
    scratch.done(&format!("wardflow -C killed -q ingest {format} source"));
    let flows = |workspace: &str| {
        let flows = format!("wardflow -C {workspace} -q sql 'SELECT * FROM flows' --format csv");
        scratch.done(&format!("{flows} | LC_ALL=C sort | tee {workspace}.csv | sha256sum; wc -l <{workspace}.csv"))
    };
    assert_eq!(flows("killed"), flows("whole"));
    scratch.done("test $(wc -l <whole.csv) -gt 50000");
    let checked = scratch.done("wardflow -C killed -q archive check");
    assert!(checked.contains("are sound"), "{checked}");
}
