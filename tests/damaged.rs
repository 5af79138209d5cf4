//! Flow files that are damaged where no footer tells: each is named.

use std::{
    fs::{self, File},
    io::BufWriter,
};

use wardflow_datasets::{Hospital, export::Eve};

use crate::support::{Scratch, demo};

#[test]
fn a_page_that_cannot_be_read_is_named() {
    let scratch = Scratch::new();
    let hospital = Hospital::new(demo::options()).unwrap();
    let mut eve = Eve::new(BufWriter::new(File::create(scratch.path().join("eve.json")).unwrap()));
    hospital.flows().for_each(|flow| eve.write(&flow).unwrap());
    eve.finish().unwrap();
    scratch.done("wardflow init w && wardflow -C w -q ingest eve eve.json");
    let file = scratch.done("ls -S w/archive/date=*/*.parquet | head -1").trim().to_owned();
    let path = scratch.path().join(&file);
    let mut bytes = fs::read(&path).unwrap();
    let quarter = bytes.len() / 4;
    bytes[quarter..3 * quarter].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let name = file.rsplit('/').next().unwrap();
    for command in ["sql --format csv 'SELECT * FROM flows'", "analyze"] {
        let ran = scratch.run(&format!("wardflow -C w {command} > /dev/null"));
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.stderr.contains(name) && ran.stderr.contains("cannot be read"), "{ran:#?}");
        assert!(ran.stderr.contains("wardflow archive check") && !ran.stderr.contains("bug"), "{ran:#?}");
    }
    let checked = scratch.run("wardflow -C w archive check");
    assert!(checked.code == Some(1) && checked.stdout.contains(name), "{checked:#?}");
}
