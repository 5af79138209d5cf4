use std::fs;

use super::{Nfdump, is_nfcapd};
use crate::archive::{
    program::Program,
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
    check(Nfdump::new(&path, sensor.map(str::to_owned)).unwrap());
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
