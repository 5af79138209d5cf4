use std::{
    fs,
    io::{Seek, Write},
};

use super::{
    Nfdump, OF_UNKNOWN_TYPE, WITHOUT_COUNTS,
    build::{self, Flow, SSH, block, file, ipv4, numbers, record_of, uncompleted},
    check_said, is_nfcapd,
};
use crate::archive::{
    program::{Ending, Program},
    reader::{Place, Reader, Record},
    values,
};

/// A file of nfcapd 1.7.1: the end of a connection as a firewall tells of it, and an ICMP message of a NetFlow 9
/// exporter.
const FILE: &str = "\
    0ca50200000107013b17086b0000000000000100000000007801000000000000000000000100000003000000440100000300000007002000\
    0900000000000000000000000100007f0000000002000100070000000b008400050000070100010913001400887be5cf8b01000063000000\
    0000020002000c000100000a0200000a010034000068e5cf8b01000000000000000000005ebb9117a20100000000000000000000dc050000\
    00000000a00fbb010600000005001c0001000000000000000000000000000000b80b0000000000000c0008000100007f0b00a00006000007\
    0100000902000c000300000a0400000a010034007854e5cf8b0100001864e5cf8b0100005ebb9117a2010000010000000000000054000000\
    00000000000003030100000005001c000100000000000000000000000000000000000000000000000f002400010000000002000000000000\
    000000000200000000020000000000000000000006000c000c000000000000000c0008000100007f020000009d0000000300000001800900\
    6e6f6e6500028094000200000000000000e81100000000000001000000000000000100000000000000000000000000000001000000000000\
    0000000000000000009411000000000000000000000000000054000000000000000000000000000000000000000000000000000000000000\
    00010000000000000000000000000000007854e5cf8b0100001864e5cf8b0100000000000000000000";

fn bytes() -> Vec<u8> {
    let digits: Vec<u8> = FILE.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Gives a reader of a file to `check`, where `nfdump` is installed.
#[expect(clippy::print_stderr, reason = "a test that could not be made must not look like one that was passed")]
fn check(content: &[u8], sensor: Option<&str>, check: impl FnOnce(Nfdump)) {
    if Program::start("nfdump", "nfdump", ["-V"]).is_err() {
        eprintln!("skipped: nfdump is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nfcapd.202311142210");
    fs::write(&path, content).unwrap();
    check(Nfdump::new(&path, directory.path(), sensor.map(str::to_owned)).unwrap());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "its records are gone");
}

/// What is read of a file that is made by hand, and whether it breaks off. `nfdump` says `said` of errors.
fn read(file: &[u8], said: &str) -> (Vec<String>, bool) {
    let mut records = tempfile::tempfile().unwrap();
    records.write_all(file).unwrap();
    records.rewind().unwrap();
    let mut reader = Nfdump::of(records, Ending { succeeded: true, said: said.into() }, None);
    let mut shown = Vec::new();
    loop {
        let line = match reader.next() {
            Ok(None) => break,
            Ok(Some(Record::Part(flow))) => {
                format!("{} bytes by {}", flow.src_bytes.unwrap(), flow.sensor.unwrap_or("none"))
            }
            Ok(Some(Record::Other(kind))) => kind.into(),
            Ok(Some(Record::Reject(reject))) => format!("{:?} {} {}", reject.place, reject.raw.len(), reject.reason),
            Ok(Some(other)) => panic!("{other:?}"),
            Err(error) => format!("{}; {}", error.reason(), error.remedy_text().unwrap()),
        };
        shown.push(line);
    }
    (shown, reader.is_broken())
}

fn flow(bytes: u64) -> Vec<u8> {
    build::record(&Flow { bytes, ..SSH })
}

#[test]
fn records_of_every_kind() {
    let exporter = |ip: u64| (12, numbers(&[(ip, 4)]));
    let tunnel = (31, numbers(&[(0x0101_0101, 4), (0x0202_0202, 4), (47, 4)]));
    let addresses = || ipv4([10, 0, 0, 1], [10, 0, 0, 2]);
    let lying = {
        let mut record = flow(3);
        record[14..16].copy_from_slice(&255_u16.to_ne_bytes());
        record
    };
    let records = [
        flow(1),
        record_of(&[exporter(0x0a00_0009), Flow { bytes: 2, ..SSH }.element(), tunnel, addresses()]),
        lying,
        record_of(&[addresses()]),
        numbers(&[(99, 2), (8, 2), (0, 4)]),
        record_of(&[exporter(0x0a00_0009), Flow { bytes: 4, ..SSH }.element()]),
        record_of(&[exporter(0x0a00_0008), Flow { bytes: 5, times: (0, 0), ..SSH }.element()]),
        flow(6),
    ];
    let expected = [
        "1 bytes by none",
        WITHOUT_COUNTS,
        "2 bytes by 10.0.0.9",
        "Line(4) 76 element 1 has 255 bytes; it must have 52 to 64",
        WITHOUT_COUNTS,
        OF_UNKNOWN_TYPE,
        "4 bytes by 10.0.0.9",
        "Line(8) 72 the record has neither a start nor an end",
        "6 bytes by none",
    ];
    let (shown, is_broken) = read(&file(&[block(&records)]), "");
    assert_eq!((shown.as_slice(), is_broken), (expected.map(String::from).as_slice(), false));
}

#[test]
fn files_that_break_off() {
    let blocks = [block(&[flow(1)]), block(&[flow(2), flow(3)])];
    let whole = file(&blocks);
    let second = 40 + blocks[0].len();
    let unreadable = |reason: &str| {
        let reason = format!(
            "nfdump wrote records that cannot be read: {reason}; install nfdump 1.7.1, whose records are known"
        );
        (vec!["1 bytes by none".into(), reason], false)
    };
    let cut = &whole[..second + 12 + 151];
    assert_eq!(read(cut, ""), unreadable("what it wrote ends within a block, after 151 of 152 bytes"));
    let uncompleted = uncompleted(&blocks[..1]);
    let reason = format!("what it wrote ends at byte {second}, without the appendix");
    assert_eq!(read(&uncompleted, ""), unreadable(&reason));
    let mut lying = whole.clone();
    lying[second + 4..second + 8].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(read(&lying, ""), unreadable("a block has 4294967295 bytes; it must have 1 to 16777216"));
    // What nfdump says of the file comes first.
    let broken = vec!["1 bytes by none".into(), "Line(2) 0 nfdump could not read all of it: short read".into()];
    for output in [cut, &uncompleted, &lying, &file(&blocks[..1])] {
        assert_eq!(read(output, "short read\n"), (broken.clone(), true));
    }
    let refused = "nfdump cannot read it: short read; give a file of nfcapd that is whole; nfdump -v FILE checks it";
    for output in [&[][..], &file(&[]), &whole[..45]] {
        assert_eq!(read(output, "short read\n"), (vec![refused.into()], false));
    }
    assert_eq!(read(&file(&[]), ""), (vec![], false));
}

#[test]
fn a_disk_that_is_full() {
    check_said("short read\n").unwrap();
    let said = "\nwrite() error in nffile.c line 1179: No space left on device\n";
    let reason =
        "nfdump cannot write the records into a file: write() error in nffile.c line 1179: No space left on device";
    assert_eq!(check_said(said).unwrap_err().reason(), reason);
}

#[test]
fn what_other_versions_write() {
    for layout in [1_u16, 3] {
        let mut output = file(&[block(&[flow(1)])]);
        output[2..4].copy_from_slice(&layout.to_ne_bytes());
        let reason = format!(
            "nfdump writes file layout {layout}; what nfdump 1.7 writes is needed, file layout 2; install nfdump 1.7, \
             as Debian has it: nfdump -V shows the version"
        );
        assert_eq!(read(&output, ""), (vec![reason], false));
    }
}

#[test]
fn files_are_told_by_their_first_bytes() {
    assert!(is_nfcapd(&bytes()));
    assert!(is_nfcapd(b"\x0c\xa5\x01\0\0\0\0\0"), "of nfcapd 1.6");
    assert!(is_nfcapd(b"\xa5\x0c\0\x01\0\0\0\0"), "of a machine with the other byte order");
    for other in [&b""[..], b"\x0c\xa5", b"\x0c\xa5\x09\0", b"\xd4\xc3\xb2\xa1\x02\0"] {
        assert!(!is_nfcapd(other), "{other:x?}");
    }
}

#[test]
fn a_file() {
    check(&bytes(), None, |mut reader| {
        let Some(Record::Part(event)) = reader.next().unwrap() else { panic!("no part") };
        let start = values::time(b"2023-11-14T22:13:20Z").unwrap();
        assert_eq!((event.start_time, event.end_time), (start, start), "its end is not told");
        assert_eq!((event.src_bytes, event.dst_bytes, event.src_packets), (Some(1_500), Some(3_000), None));
        assert_eq!((event.dst_port, event.sensor), (443, Some("127.0.0.1")));
        let Some(Record::Part(icmp)) = reader.next().unwrap() else { panic!("no part") };
        assert_eq!((icmp.protocol, icmp.src_port, icmp.dst_port, icmp.src_packets), (1, 3, 3, Some(1)));
        assert_eq!((icmp.end_time - icmp.start_time, icmp.vlan), (4_000_000, Some(12)));
        assert_eq!((icmp.src_mac, icmp.dst_mac), (Some([2, 0, 0, 0, 0, 1]), Some([2, 0, 0, 0, 0, 2])));
        assert_eq!(reader.place(), Place::Line(2));
        for _ in 0..2 {
            assert!(reader.next().unwrap().is_none());
        }
        assert!(!reader.is_broken());
    });
    check(&bytes(), Some("core"), |mut reader| {
        let Some(Record::Part(flow)) = reader.next().unwrap() else { panic!("no part") };
        assert_eq!(flow.sensor, Some("core"));
    });
}

#[test]
fn what_is_no_file_of_nfcapd() {
    for content in [&b""[..], b"\x0c\xa5\x02\0", b"\xd4\xc3\xb2\xa1\x02\0\x04\0 and no more of it", &bytes()[..200]] {
        check(content, None, |mut reader| {
            let error = reader.next().unwrap_err();
            assert!(error.reason().starts_with("nfdump cannot read it: "), "{}", error.reason());
            assert!(error.remedy_text().is_some());
            assert!(reader.next().unwrap().is_none());
        });
    }
}

#[test]
fn a_file_that_breaks_off_after_some_records() {
    // Two blocks, of which the second is cut; the header says how many there are.
    let mut content = bytes();
    let block = content[40..].to_vec();
    content.extend_from_slice(&block[..100]);
    check(&content, None, |mut reader| {
        let mut reasons = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            if let Record::Reject(reject) = record {
                reasons.push((reject.place, reject.reason));
            }
        }
        // Versions differ in whether they look past the blocks of the header.
        assert_eq!(reader.is_broken(), !reasons.is_empty());
        for (place, reason) in reasons {
            assert_eq!(place, Place::Line(3));
            assert!(reason.starts_with("nfdump could not read all of it: "), "{reason}");
        }
    });
}
