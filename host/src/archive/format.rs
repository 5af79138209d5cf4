//! The foreign formats, and how a content is told to be of one.

use std::{
    fmt,
    io::Read,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use jiff::tz::TimeZone;

use super::{
    argus::{ArgusLog, is_argus},
    delimited::Delimited,
    eve::EveLog,
    netflow::Netflow,
    nfdump::{Nfdump, is_nfcapd},
    pcap::{Pcap, is_capture},
    reader::{Reader, Record},
    spool::spool,
    zeek::{self, Names, ZeekLog},
};
use crate::{
    error::{Error, Result},
    mapping::Mapping,
};

/// A format that can be ingested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Zeek's logs, as text or JSON.
    Zeek,
    /// Suricata's EVE, JSON.
    Eve,
    /// NetFlow 5 and 9 and IPFIX: captured datagrams, or messages one after the other.
    Netflow,
    /// Files of `nfcapd`, through the program `nfdump`.
    Nfdump,
    /// Argus flows as text, as `ra` prints them.
    Argus,
    /// Packets, through the programs `nfpcapd` and `nfdump`.
    Pcap,
    /// Any text in columns, by a mapping.
    Csv,
}

/// What a reader needs beside the content.
pub(super) struct Opening<'a> {
    /// The source's path, by which a log may be told where its content does not say.
    pub(super) path: &'a Path,
    /// Its first bytes, decompressed.
    pub(super) head: &'a [u8],
    /// A directory for what programs read and write.
    pub(super) scratch: &'a Path,
    /// In place of the sensor's name in the source.
    pub(super) sensor: Option<String>,
    /// Which column is what, for delimited text.
    pub(super) mapping: Option<Arc<Mapping>>,
    /// For times without an offset.
    pub(super) zone: TimeZone,
    /// Names by Zeek's `uid`.
    pub(super) names: Names,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Zeek, Self::Eve, Self::Netflow, Self::Nfdump, Self::Argus, Self::Pcap, Self::Csv];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zeek => "zeek",
            Self::Eve => "eve",
            Self::Netflow => "netflow",
            Self::Nfdump => "nfdump",
            Self::Argus => "argus",
            Self::Pcap => "pcap",
            Self::Csv => "csv",
        }
    }

    /// The format of a content by its first bytes, decompressed, and its file's name. Text of no other format is what a
    /// mapping was given for.
    ///
    /// # Errors
    /// It is of none, or may be of several.
    pub fn of(head: &[u8], name: &str, has_mapping: bool) -> Result<Self> {
        match Self::candidates(head, name).as_slice() {
            [one] => Ok(*one),
            [] if has_mapping && !head.contains(&0) => Ok(Self::Csv),
            [] => {
                let known: Vec<_> = Self::ALL.iter().map(|format| format.name()).collect();
                let shown = head[..head.len().min(40)].escape_ascii();
                Err(Error::usage(format!("its format is not known: it begins with \"{shown}\""))
                    .remedy(format!("say what it is: one of {}, and for csv give --mapping", known.join(", "))))
            }
            several => {
                let names: Vec<_> = several.iter().map(|format| format.name()).collect();
                Err(Error::usage(format!("it may be {}", names.join(" or ")))
                    .remedy(format!("say which: wardflow ingest {} ...", names[0])))
            }
        }
    }

    /// Whether a grown source can be gone on with, record by record. What a program makes of packets may change when
    /// more of them follow.
    pub(super) const fn goes_on(self) -> bool {
        !matches!(self, Self::Pcap | Self::Nfdump)
    }

    /// Whether it tells of connections that have not ended.
    pub(super) const fn has_open(self) -> bool {
        matches!(self, Self::Zeek)
    }

    fn candidates(head: &[u8], name: &str) -> Vec<Self> {
        if is_nfcapd(head) {
            return vec![Self::Nfdump];
        }
        if is_capture(head) {
            return of_capture(head);
        }
        if is_argus(head) {
            return vec![Self::Argus];
        }
        let text = head.trim_ascii_start();
        let mut candidates = Vec::new();
        let mut may_be = |format: Self, is: bool| {
            if is {
                candidates.push(format);
            }
        };
        match text.first() {
            Some(b'{') => {
                let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
                let has = |key: &str| memchr::memmem::find(line, key.as_bytes()).is_some();
                let is_eve = has("\"event_type\"");
                let is_zeek = has("\"_path\"") || has("\"id.orig_h\"") || ZeekLog::of_name(name).is_some();
                may_be(Self::Zeek, is_zeek);
                may_be(Self::Eve, is_eve);
            }
            Some(b'#') => {
                let is_zeek = [&b"#separator"[..], b"#fields", b"#path", b"#set_separator"];
                may_be(Self::Zeek, is_zeek.iter().any(|start| text.starts_with(start)));
            }
            // The version of a datagram is a number of two bytes.
            Some(0) => may_be(Self::Netflow, Netflow::new(head, None).is_ok()),
            _ => {}
        }
        candidates
    }
}

impl Opening<'_> {
    /// A reader of a content.
    ///
    /// # Errors
    /// The content is not of the format, or a program that reads it is not there.
    pub(super) fn open<'a>(self, format: Format, input: &'a mut (dyn Read + Send)) -> Result<Box<dyn Reader + 'a>> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        match format {
            Format::Zeek => Ok(zeek::open(input, ZeekLog::of_content(self.head, &name)?, self.names, self.sensor)),
            Format::Eve => Ok(Box::new(EveLog::new(input, self.sensor))),
            Format::Netflow => Ok(Box::new(Netflow::new(input, self.sensor)?)),
            Format::Nfdump => Ok(Box::new(Nfdump::new(&self.copy(input)?, self.scratch, self.sensor)?)),
            Format::Argus => Ok(Box::new(ArgusLog::new(input, self.sensor, self.zone))),
            Format::Pcap => Ok(Box::new(Pcap::new(&self.copy(input)?, self.scratch, self.sensor)?)),
            Format::Csv => match self.mapping {
                Some(mapping) => Ok(Box::new(Delimited::new(input, mapping, self.sensor, self.zone))),
                None => Err(Error::usage("which of its columns is what is not known")
                    .remedy("give a mapping: --mapping FILE, or the name of one that is built in")),
            },
        }
    }

    /// The content as a file, for a program to read.
    fn copy(&self, content: impl Read) -> Result<PathBuf> {
        let path = self.scratch.join("content");
        spool(content, &path)?;
        Ok(path)
    }
}

/// What a packet capture may be: NetFlow datagrams under way, or anything, by the packets at its beginning.
fn of_capture(head: &[u8]) -> Vec<Format> {
    let (mut datagrams, mut packets) = (false, false);
    if let Ok(mut reader) = Netflow::new(head, None) {
        // The last packet is cut off, and no reason to stop.
        while let Ok(Some(record)) = reader.next() {
            match record {
                Record::Other("packet") => packets = true,
                Record::Reject(_) => {}
                _ => datagrams = true,
            }
        }
    }
    match (datagrams, packets) {
        (true, false) => vec![Format::Netflow],
        (true, true) => vec![Format::Netflow, Format::Pcap],
        (false, _) => vec![Format::Pcap],
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| format!("{text:?} is no format"))
    }
}
