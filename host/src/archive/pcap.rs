//! Captured packets (pcap, with micro- or nanoseconds, and pcapng), through `nfpcapd` of the package nfdump 1.7, which
//! makes flow files of them, and `nfdump`, which reads those.
//!
//! A plain copy of each file is made as for [`nfdump`](super::nfdump), and columns are those of it; `vlan` and MAC
//! addresses are those of the frames, and bytes those of IP packets, with headers. Each direction is a part.
//!
//! `nfpcapd` is asked for short timeouts: it writes a direction once it has ended, or been silent for 30 s, or lasted
//! 60 s, so that no part comes long after the one that it belongs to. It looks for silent ones only as packets come:
//! where a whole capture is silent for longer, a flow that goes on first has the silence in it. Its files hold a day
//! each; where one ends no flow is cut. Each packet of DNS (UDP, port 53) is a part of its own.
//!
//! It reads what tunnels carry (GRE, 6in4, PPPoE) as flows, puts fragments together, and counts a packet that was
//! captured in part at its whole length. Frames without IP are no flows and are not told of. Each packet that it cannot
//! decode is counted as a record of another kind, and the end of a capture that breaks off is a reject.

use std::path::Path;

use super::{
    nfdump::{Nfdump, Step},
    program::Program,
    reader::{Place, Reader, Record, Reject},
};
use crate::error::{Context, Error, Result};

/// Seconds after which a flow is written that goes on, and one that is silent.
const TIMEOUTS: &str = "60,30";

/// Seconds that a file holds: a day, so that the captures of a year are some hundred files.
const FILE_SECONDS: &str = "86400";

/// Whether bytes begin a capture: pcap of either byte order and precision, or pcapng.
pub(super) fn is_capture(first_bytes: &[u8]) -> bool {
    match first_bytes {
        [0xd4, 0xc3, 0xb2, 0xa1, ..] | [0xa1, 0xb2, 0xc3, 0xd4, ..] => true,
        [0x4d, 0x3c, 0xb2, 0xa1, ..] | [0xa1, 0xb2, 0x3c, 0x4d, ..] => true,
        // A section header (draft-ietf-opsawg-pcapng, 4.1): its type, its length, and the mark of the byte order.
        [0x0a, 0x0d, 0x0d, 0x0a, _, _, _, _, mark @ ..] => {
            mark.starts_with(&[0x4d, 0x3c, 0x2b, 0x1a]) || mark.starts_with(&[0x1a, 0x2b, 0x3c, 0x4d])
        }
        _ => false,
    }
}

/// Reads flows from a capture.
#[derive(Debug)]
pub(super) struct Pcap {
    flows: Nfdump,
    /// Packets that were not decoded and are still to be given.
    undecoded: Undecoded,
    /// Why the capture breaks off.
    damage: Option<String>,
    is_broken: bool,
}

/// Packets that became part of no flow, by the reasons that `nfpcapd` tells apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Undecoded([(&'static str, u64); 3]);

impl Pcap {
    /// Makes flow files of a capture in a directory below `scratch`, and has `nfdump` read them. `sensor` is the name
    /// for the column of that name.
    ///
    /// # Errors
    /// `nfpcapd` or `nfdump` is not there, the file is no capture, or one of a link layer that `nfpcapd` does not know.
    pub(super) fn new(file: &Path, scratch: &Path, sensor: Option<String>) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("flows-").tempdir_in(scratch);
        let directory = directory.context(|| format!("making a directory in {}", scratch.display()))?;
        let said = make_flows(file, directory.path())?;
        Ok(Self {
            flows: Nfdump::of_directory(directory.path(), scratch, sensor)?,
            undecoded: Undecoded::of(&said),
            damage: said.lines().find(|line| line.contains("read error")).map(str::to_owned),
            is_broken: false,
        })
    }
}

/// Runs `nfpcapd` to its end; gives what it said.
fn make_flows(file: &Path, directory: &Path) -> Result<String> {
    let options = ["-e", TIMEOUTS, "-t", FILE_SECONDS, "-o", "fat", "-w"].map(AsRef::as_ref);
    let paths = [directory.as_os_str(), "-r".as_ref(), file.as_os_str()];
    let (mut program, output) = Program::start("nfpcapd", "nfdump", options.into_iter().chain(paths))?;
    let ending = program.finish_while(output, |_| Ok(()))?;
    match ending.complaint().filter(|_| !ending.succeeded) {
        None => Ok(ending.said),
        Some(complaint) => Err(Error::usage(format!("nfpcapd cannot read it: {complaint}")).remedy(
            "give a capture of Ethernet or IP packets, with nfdump 1.7 installed; or have Zeek read it (zeek -r FILE) \
             and give the conn.log",
        )),
    }
}

impl Reader for Pcap {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        let step = self.flows.advance()?;
        if step != Step::End {
            return Ok(self.flows.lend(step));
        }
        if let Some(kind) = self.undecoded.take() {
            return Ok(Some(Record::Other(kind)));
        }
        Ok(self.damage.take().map(|damage| {
            self.is_broken = true;
            let reason = format!("the capture breaks off: {damage}");
            Record::Reject(Reject { place: self.place(), reason, raw: &[] })
        }))
    }

    fn place(&self) -> Place {
        match self.flows.place() {
            Place::Line(line) => Place::Line(line + u64::from(self.is_broken)),
            Place::Offset(offset) => Place::Offset(offset),
        }
    }

    fn raw(&self) -> &[u8] {
        self.flows.raw()
    }

    fn is_broken(&self) -> bool {
        self.is_broken || self.flows.is_broken()
    }
}

impl Undecoded {
    /// Those of the line `Total: Processed: 36, skipped: 0, short caplen: 1, unknown: 0`.
    fn of(said: &str) -> Self {
        let total = said.lines().find_map(|line| line.strip_prefix("Total: ")).unwrap_or_default();
        let count = |name: &str| {
            let of_name = total.split(',').find_map(|part| part.trim().strip_prefix(name));
            of_name.and_then(|rest| rest.trim_start_matches(':').trim().parse().ok()).unwrap_or(0)
        };
        Self([
            ("packet skipped by nfpcapd", count("skipped")),
            ("packet captured too short", count("short caplen")),
            ("packet of unknown protocol", count("unknown")),
        ])
    }

    fn take(&mut self) -> Option<&'static str> {
        let (kind, left) = self.0.iter_mut().find(|(_, left)| *left > 0)?;
        *left -= 1;
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Pcap, Undecoded, is_capture};
    use crate::archive::{
        program::Program,
        reader::{Place, Reader, Record},
    };

    const START: u32 = 1_700_000_000;

    /// A capture of Ethernet frames, each with its second after [`START`].
    fn capture(frames: &[(u32, Vec<u8>)]) -> Vec<u8> {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let mut bytes = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1]);
        for (second, frame) in frames {
            let length = u32::try_from(frame.len()).unwrap();
            bytes.extend(words(&[START + second, 250_000, length, length]));
            bytes.extend(frame);
        }
        bytes
    }

    /// A frame of VLAN 12 with a datagram of UDP and a payload of ten bytes.
    fn datagram(src: [u8; 6], dst: [u8; 6]) -> Vec<u8> {
        let ([a, b, c, d, ports @ ..], [e, f, g, h, to @ ..]) = (src, dst);
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 12, 8, 0];
        frame.extend([0x45, 0, 0, 38, 0, 1, 0, 0, 64, 17, 0, 0, a, b, c, d, e, f, g, h]);
        frame.extend([ports, to].concat());
        frame.extend([0, 18, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        frame
    }

    const CLIENT: [u8; 6] = [10, 0, 0, 1, 0x9c, 0x40];
    const SERVER: [u8; 6] = [10, 0, 0, 2, 2, 2];

    /// What a reader gives of a capture, where `nfpcapd` is installed.
    #[expect(clippy::print_stderr, reason = "a test that could not be made must not look like one that was passed")]
    fn read(content: &[u8], check: impl FnOnce(Result<Pcap, crate::error::Error>)) {
        if ["nfpcapd", "nfdump"].iter().any(|name| Program::start(name, "nfdump", ["-V"]).is_err()) {
            eprintln!("skipped: nfpcapd is not installed");
            return;
        }
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("some.pcap");
        fs::write(&path, content).unwrap();
        check(Pcap::new(&path, scratch.path(), Some("tap".into())));
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1, "its files are gone");
    }

    fn shown(mut reader: Pcap) -> Vec<String> {
        let mut shown = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            shown.push(match record {
                Record::Part(flow) => {
                    let seconds = (flow.start_time - i64::from(START) * 1_000_000, flow.end_time - flow.start_time);
                    let counts = (flow.src_packets, flow.src_bytes, flow.dst_packets);
                    assert_eq!((flow.vlan, flow.sensor, flow.protocol), (Some(12), Some("tap"), 17));
                    assert_eq!((flow.src_mac, flow.dst_mac), (Some([2, 0, 0, 0, 0, 1]), Some([2, 0, 0, 0, 0, 2])));
                    format!("{}:{} {} {seconds:?} {counts:?}", flow.src_ip, flow.src_port, flow.dst_port)
                }
                Record::Other(kind) => kind.to_owned(),
                Record::Reject(reject) => format!("{:?} {}", reject.place, reject.reason),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(reader.is_broken(), shown.iter().any(|line| line.contains("breaks off")));
        shown.sort();
        shown
    }

    #[test]
    fn captures_are_told_by_their_first_bytes() {
        assert!(is_capture(&capture(&[])));
        assert!(is_capture(b"\xa1\xb2\x3c\x4d\0\x02\0\x04"));
        assert!(is_capture(b"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0"));
        for other in [&b""[..], b"\xd4\xc3", b"\n\r\r\n and no mark", b"\x0c\xa5\x01\0", b"{\"ts\":1}"] {
            assert!(!is_capture(other), "{other:x?}");
        }
    }

    #[test]
    fn flows_of_a_capture() {
        // A message each second for 50 s and one answer; later one of another, and two days later one more.
        const OTHER: [u8; 6] = [10, 0, 0, 3, 0x9c, 0x41];
        let mut frames: Vec<_> = (0..50).map(|second| (second, datagram(CLIENT, SERVER))).collect();
        frames.push((50, datagram(SERVER, CLIENT)));
        frames.push((100, datagram(OTHER, SERVER)));
        frames.push((200_000, datagram(CLIENT, SERVER)));
        read(&capture(&frames), |reader| {
            let expected = [
                "10.0.0.1:40000 514 (200000250000, 0) (Some(1), Some(38), None)",
                "10.0.0.1:40000 514 (250000, 49000000) (Some(50), Some(1900), None)",
                "10.0.0.2:514 40000 (50250000, 0) (Some(1), Some(38), None)",
                "10.0.0.3:40001 514 (100250000, 0) (Some(1), Some(38), None)",
            ];
            assert_eq!(shown(reader.unwrap()), expected);
        });
    }

    #[test]
    fn captures_without_flows() {
        read(&capture(&[]), |reader| assert!(shown(reader.unwrap()).is_empty()));
        // A frame of ARP, and one of UDP that ends within the header of IP.
        let mut arp = datagram(CLIENT, SERVER);
        arp[16..18].copy_from_slice(&[8, 6]);
        let short = datagram(CLIENT, SERVER)[..30].to_vec();
        read(&capture(&[(0, arp), (1, short)]), |reader| {
            assert_eq!(shown(reader.unwrap()), ["packet captured too short"]);
        });
    }

    #[test]
    fn a_capture_that_breaks_off() {
        let whole = capture(&[(0, datagram(CLIENT, SERVER)), (1, datagram(SERVER, CLIENT))]);
        read(&whole[..whole.len() - 5], |reader| {
            let shown = shown(reader.unwrap());
            assert_eq!(shown.len(), 2, "{shown:?}");
            assert_eq!(shown[0], "10.0.0.1:40000 514 (250000, 0) (Some(1), Some(38), None)");
            let place = Place::Line(2);
            assert!(shown[1].starts_with(&format!("{place:?} the capture breaks off: ")), "{shown:?}");
        });
    }

    #[test]
    fn what_is_no_capture() {
        let mut unknown_link = capture(&[]);
        unknown_link[20] = 147;
        for content in [&b""[..], b"ts,src,dst\n1,2,3\n", &unknown_link] {
            read(content, |reader| {
                let error = reader.map(shown).unwrap_err();
                assert!(error.reason().starts_with("nfpcapd cannot read it: "), "{}", error.reason());
                assert!(error.remedy_text().is_some());
            });
        }
    }

    #[test]
    fn packets_that_are_not_decoded() {
        let said = "Processed: 2, skipped: 9, short caplen: 9, unknown: 9\n\
            Total: Processed: 36, skipped: 1, short caplen: 2, unknown: 1\n\nTerminating nfpcapd.\n";
        let mut undecoded = Undecoded::of(said);
        let kinds: Vec<_> = std::iter::from_fn(|| undecoded.take()).collect();
        let short = "packet captured too short";
        assert_eq!(kinds, ["packet skipped by nfpcapd", short, short, "packet of unknown protocol"]);
        assert_eq!(Undecoded::of("no total").take(), None);
    }
}
