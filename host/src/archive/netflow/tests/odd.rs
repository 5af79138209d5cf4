use std::io::{self, Read};

use super::{
    super::Netflow,
    build::{Put, RECORD, ethernet, ip, ipfix, pcap, record, set, template, v5, v9},
    read, without_reports,
};
use crate::archive::reader::{Reader, Record};

fn refused(input: &[u8]) -> String {
    Netflow::new(input, None).map(|_| ()).unwrap_err().reason()
}

#[test]
fn other_files_are_refused() {
    assert!(read(b"", None).is_empty());
    assert!(
        refused(b"\x1f\x8b\x08garbage").starts_with("it holds no NetFlow: its first bytes, \"\\x1f\\x8b\\x08garbage\"")
    );
    assert!(refused(b"5").contains("begin neither a packet capture nor a datagram of version 5, 9 or 10"));
    assert_eq!(refused(&pcap(105, &[])), "the packet capture is of link type 105, whose packets are not read");
    assert_eq!(refused(&pcap(1, &[])[..10]), "the packet capture ends within its header");
}

#[test]
fn files_end_where_they_go_wrong() {
    let good = v5(1, 0, &[RECORD]);
    for (bad, reason) in [
        (b"garbage".to_vec(), "the version is 26465; it must be 5, 9 or 10"),
        (good[..71].to_vec(), "the datagram has 72 bytes; the file has 71 more"),
        (vec![0, 10, 0, 3], "the message has 3 bytes; it must have 16 or more"),
        (vec![0], "the file ends in the midst of a header"),
    ] {
        let seen = without_reports(read(&[good.clone(), bad.clone()].concat(), None));
        let reject = format!("reject 72 {reason}; nothing after it can be read raw {}", bad.len());
        assert_eq!(seen, ["part Some(900) None", &reject]);
    }
}

#[test]
fn sets_go_wrong() {
    let check = |sets: &[Vec<u8>], expected: &[&str]| {
        // In a capture, whose datagrams do not need whole sets to be told apart.
        let capture = pcap(1, &[ethernet(&ip("192.0.2.1", 1, &ipfix(0, sets)))]);
        let seen = without_reports(read(&capture, None));
        assert_eq!(seen, expected, "{sets:?}");
    };
    let learn = set(2, &[template(256, &[(8, 4), (12, 4), (4, 1)])]);
    let place = 24 + 16 + 14 + 28;
    let reject = |text: &str| format!("reject {place} {text}");
    check(
        &[learn.clone(), set(9, &[vec![1, 2, 3, 4]])],
        &["template", &reject("set 9 is none of version 10; it must be 2, 3 or 256 and more raw 8")],
    );
    check(
        &[learn.clone(), vec![1, 0, 0, 99, 0, 0]],
        &["template", &reject("set 256 has 99 bytes; it must have 4 or more, and 6 are left raw 6")],
    );
    check(
        &[learn.clone(), vec![1, 0, 0, 3]],
        &["template", &reject("set 256 has 3 bytes; it must have 4 or more, and 4 are left raw 4")],
    );
    check(
        &[learn.clone(), set(256, &[vec![0; 9], vec![1; 7]])],
        &[
            "template",
            &reject("the record has no time: none of flowStart..., flowEnd... is in its 9 bytes raw 9"),
            &reject("the record has 7 bytes where template 256 has 9 or more raw 7"),
        ],
    );
    check(&[set(2, &[record(&[(256, 2), (2, 2), (8, 2)])])], &[&reject("the template's 8 bytes break off raw 8")]);
    check(
        &[set(2, &[template(255, &[(8, 4)])])],
        &[&reject("the template has the number 255; it must have 256 or more raw 8")],
    );
    check(
        &[set(2, &[template(256, &[(210, 0)])])],
        &[&reject("template 256 has records of 0 bytes; they must have 1 to 65535 raw 8")],
    );
    check(
        &[set(2, &[template(256, &[(210, 40_000), (210, 40_000)])])],
        &[&reject("template 256 has records of 80000 bytes; they must have 1 to 65535 raw 12")],
    );
    let variable = set(2, &[template(257, &[(8, 4), (12, 4), (96, 65_535)])]);
    check(
        &[variable, set(257, &[record(&[(1, 4), (2, 4), (200, 1), (0, 3)])])],
        &["template", &reject("the record has 12 bytes where template 257 has 9 or more raw 12")],
    );
}

#[test]
fn lengths_that_lie_are_told() {
    let mut short = ipfix(0, &[set(2, &[template(256, &[(8, 4)])]), set(256, &[vec![0; 8]])]);
    short[3] = 28;
    let seen = without_reports(read(&pcap(101, &[ip("192.0.2.1", 1, &short)]), None));
    assert_eq!(seen, ["template", "reject 68 the datagram has 40 bytes; by its header it must have 28 raw 12"]);
    let mut none = ipfix(0, &[]);
    none[3] = 5;
    let seen = without_reports(read(&pcap(101, &[ip("192.0.2.1", 1, &none)]), None));
    assert_eq!(seen, ["reject 68 the datagram has 16 bytes; by its header it must have 5 raw 0"]);
    let snapped = ip("192.0.2.1", 1, &v9(0, &[]));
    let seen = read(&pcap(101, &[snapped[..40].to_vec()]), None);
    assert_eq!(seen, ["reject 68 the datagram's 12 bytes end within its header raw 12"]);
}

/// Gives its bytes and then fails as a decompressor does.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("corrupt deflate stream")),
            read => Ok(read),
        }
    }
}

#[test]
fn broken_compression_is_told() {
    for input in [v5(1, 0, &[RECORD]), v5(1, 0, &[RECORD, RECORD])[..100].to_vec(), pcap(1, &[vec![0; 9]])] {
        let mut reader = Netflow::new(Broken(&input), None).unwrap();
        let mut rejects = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            if let Record::Reject(reject) = record {
                rejects.push(reject.reason);
            }
        }
        assert_eq!(rejects, ["the compressed file breaks off here: corrupt deflate stream"]);
        assert!(reader.is_broken());
    }
}

#[test]
fn no_input_panics_or_is_lost() {
    let learn = set(2, &[template(256, &[(8, 4), (12, 4), (4, 1), (96, 65_535), (152, 8)])]);
    let message = ipfix(0, &[learn.clone(), set(256, &[vec![1; 9], vec![3, b'a', b'b', b'c'], vec![0; 8]])]);
    let options = record(&[(258, 2), (4, 2), (8, 2), (1, 2), (4, 2), (34, 4), (50, 2), (1, 2)]);
    let nine = v9(0, &[set(1, &[options]), set(258, &[vec![1; 9]]), set(0, &[template(256, &[(8, 4)])])]);
    let capture = pcap(
        1,
        &[
            ethernet(&ip("192.0.2.1", 1, &message)),
            ethernet(&ip("2001:db8::1", 1, &nine)),
            ethernet(&ip("192.0.2.1", 1, &v5(1, 0, &[RECORD; 2]))),
        ],
    );
    let mut seed = 1_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let inputs = [capture, [message, nine, v5(1, 0, &[RECORD])].concat()];
    for round in 0..20_000 {
        let mut input = inputs[round % 2].clone();
        for _ in 0..=random() % 4 {
            let place = usize::try_from(random()).unwrap() % input.len();
            input[place] = [0, 1, 0xff, vec![].put(random(), 1)[0]][usize::try_from(random() % 4).unwrap()];
        }
        input.truncate(input.len() - usize::try_from(random() % 3).unwrap() * (round % 7));
        let Ok(mut reader) = Netflow::new(&input[..], None) else { continue };
        let mut records = 0;
        while reader.next().unwrap().is_some() {
            records += 1;
            assert!(records < 10_000);
        }
        assert!(records > 0 || input.is_empty());
    }
}
