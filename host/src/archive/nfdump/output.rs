//! What `nfdump -w` writes: a file of layout 2, in which blocks hold records. An appendix follows them, with totals.
//!
//! Numbers are in the byte order of the machine that runs `nfdump`, which is this one. Layout and constants are those
//! of nffileV2.h, nffile.h and id.h of nfdump 1.7.1.

use std::io::{self, Read};

/// Bytes of the file's header (`fileHeaderV2_t`).
const FILE_HEADER: usize = 40;

const MAGIC: u16 = 0xa50c;

/// `LAYOUT_VERSION_2`.
const LAYOUT: u16 = 2;

/// Where the header has two bytes that are 0 in a file without compression and encryption.
const PACKING: std::ops::Range<usize> = 16..18;

/// Where it has the position of the appendix in 64 bits, once that is written; until then 0.
const APPENDIX: usize = 24;

/// Bytes of a block's header (`dataBlock_t`).
const BLOCK_HEADER: usize = 12;

/// `DATA_BLOCK_TYPE_3`: each record has a header.
const RECORDS: u16 = 3;

/// Most bytes of a block. The buffers of nfdump 1.7.1 have 5 MiB (`BUFFSIZE`).
const MOST_BYTES: u32 = 16 << 20;

/// Bytes of what every record begins with: its type, and its bytes.
const RECORD_HEADER: u16 = 4;

/// `V3Record`: a flow.
pub(super) const FLOW: u16 = 11;

/// Reads records.
#[derive(Debug)]
pub(super) struct Output<R> {
    input: R,
    /// How many bytes of it are read.
    at: u64,
    /// Where the appendix begins, if it was written.
    appendix: Option<u64>,
    /// The block, without its header.
    block: Vec<u8>,
    /// Where the record begins and ends in it.
    record: (usize, usize),
    /// How many come after it.
    left: u32,
    has_begun: bool,
}

/// Why there are no more records.
#[derive(Debug)]
pub(super) enum Stop {
    /// That was all.
    End,
    /// The file breaks off, or contradicts itself.
    Broken(String),
    /// It is what another version of `nfdump` writes.
    Foreign(String),
    /// It cannot be read.
    Unread(io::Error),
}

impl<R: Read> Output<R> {
    pub(super) const fn new(input: R) -> Self {
        Self { input, at: 0, appendix: None, block: Vec::new(), record: (0, 0), left: 0, has_begun: false }
    }

    /// Goes to the next record that tells of a flow, or whose type is not known; gives its type.
    pub(super) fn advance(&mut self) -> Result<u16, Stop> {
        if !self.has_begun {
            self.has_begun = true;
            self.begin()?;
        }
        loop {
            if self.record.1 == self.block.len() {
                self.next_block()?;
            }
            let kind = self.next_record()?;
            if !is_of_exporters(kind) {
                return Ok(kind);
            }
        }
    }

    /// The record, with its header.
    #[inline]
    pub(super) fn record(&self) -> &[u8] {
        &self.block[self.record.0..self.record.1]
    }

    fn begin(&mut self) -> Result<(), Stop> {
        self.read(FILE_HEADER)?;
        let header = self.block.as_slice();
        match (u16_at(header, 0), u16_at(header, 2)) {
            (Some(MAGIC), Some(LAYOUT)) => {}
            (Some(MAGIC), Some(layout)) => return Err(Stop::Foreign(format!("file layout {layout}"))),
            _ => return Err(Stop::Broken(format!("it wrote \"{}\" in place of flows", header.escape_ascii()))),
        }
        match header.get(PACKING) {
            Some([0, 0]) if header.len() == FILE_HEADER => {}
            Some([_, _]) if header.len() == FILE_HEADER => {
                return Err(Stop::Foreign("a file that is compressed or encrypted".into()));
            }
            _ => return Err(Stop::Broken("what it wrote ends within the header of the file".into())),
        }
        self.appendix = array_at(header, APPENDIX).map(u64::from_ne_bytes).filter(|at| *at > 0);
        self.block.clear();
        Ok(())
    }

    fn next_block(&mut self) -> Result<(), Stop> {
        if self.left > 0 {
            return Err(Stop::Broken(format!("a block ends before the last {} of its records", self.left)));
        }
        if self.appendix == Some(self.at) {
            return Err(Stop::End);
        }
        self.read(BLOCK_HEADER)?;
        let header = self.block.as_slice();
        let numbers = (u32_at(header, 0), u32_at(header, 4), u16_at(header, 8));
        let (BLOCK_HEADER, (Some(records), Some(bytes), Some(kind))) = (header.len(), numbers) else {
            return Err(Stop::Broken(format!("what it wrote ends at byte {}, without the appendix", self.at)));
        };
        if kind != RECORDS {
            return Err(Stop::Foreign(format!("a block of type {kind}, where {RECORDS} is known")));
        }
        if bytes == 0 || bytes > MOST_BYTES {
            return Err(Stop::Broken(format!("a block has {bytes} bytes; it must have 1 to {MOST_BYTES}")));
        }
        self.read(bytes as usize)?;
        if self.block.len() < bytes as usize {
            let read = self.block.len();
            return Err(Stop::Broken(format!("what it wrote ends within a block, after {read} of {bytes} bytes")));
        }
        if let Some(appendix) = self.appendix.filter(|appendix| *appendix < self.at) {
            let reason = format!("a block ends at byte {}, and the appendix begins at {appendix}", self.at);
            return Err(Stop::Broken(reason));
        }
        (self.record, self.left) = ((0, 0), records);
        Ok(())
    }

    fn next_record(&mut self) -> Result<u16, Stop> {
        let start = self.record.1;
        let rest = &self.block[start..];
        let Some(left) = self.left.checked_sub(1) else {
            return Err(Stop::Broken(format!("a block has {} bytes after the last of its records", rest.len())));
        };
        let kind_and_bytes = u16_at(rest, 0).zip(u16_at(rest, 2));
        let fits = |bytes: u16| bytes >= RECORD_HEADER && usize::from(bytes) <= rest.len();
        let Some((kind, bytes)) = kind_and_bytes.filter(|(_, bytes)| fits(*bytes)) else {
            let bytes = kind_and_bytes.map_or(0, |(_, bytes)| bytes);
            let rule = format!("it must have {RECORD_HEADER} to {}, which are left of its block", rest.len());
            return Err(Stop::Broken(format!("a record has {bytes} bytes; {rule}")));
        };
        self.record = (start, start + usize::from(bytes));
        self.left = left;
        Ok(kind)
    }

    /// Reads so many bytes in place of the block; fewer where the file ends.
    fn read(&mut self, bytes: usize) -> Result<(), Stop> {
        self.block.clear();
        self.record = (0, 0);
        let read = self.input.by_ref().take(bytes as u64).read_to_end(&mut self.block).map_err(Stop::Unread)?;
        self.at += read as u64;
        Ok(())
    }
}

/// Whether a record is of exporters and their samplers (7 to 9, 15), or of names that they have for applications,
/// interfaces and routing tables (12 to 14).
const fn is_of_exporters(kind: u16) -> bool {
    matches!(kind, 7..=9 | 12..=15)
}

/// A number of 16 bits; none past the end.
#[inline]
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_ne_bytes)
}

/// So many bytes as they are; none past the end.
#[inline]
pub(super) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::{
        super::build::{SSH, block, file, record, uncompleted},
        FILE_HEADER, MOST_BYTES, Output, Stop,
    };

    /// The types of the records in a file, and why there are no more.
    fn read(file: &[u8]) -> (Vec<u16>, String) {
        let mut output = Output::new(file);
        let mut kinds = Vec::new();
        loop {
            match output.advance() {
                Ok(kind) => kinds.push(kind),
                Err(Stop::End) => return (kinds, "end".into()),
                Err(Stop::Broken(reason)) => return (kinds, reason),
                Err(Stop::Foreign(what)) => return (kinds, format!("foreign: {what}")),
                Err(Stop::Unread(error)) => panic!("{error}"),
            }
        }
    }

    fn flow() -> Vec<u8> {
        record(&SSH)
    }

    /// A record of 8 bytes that is no flow.
    fn other(kind: u16) -> Vec<u8> {
        [kind.to_ne_bytes(), 8_u16.to_ne_bytes(), [1, 2], [3, 4]].concat()
    }

    #[test]
    fn records_of_blocks() {
        let blocks = [block(&[other(7), flow(), other(15), flow()]), block(&[other(8)]), block(&[other(99), flow()])];
        let file_of_them = file(&blocks);
        assert_eq!(read(&file_of_them), (vec![11, 11, 99, 11], "end".into()));
        let mut output = Output::new(file_of_them.as_slice());
        output.advance().unwrap();
        assert_eq!(output.record(), flow());
        assert_eq!(read(&file(&[])), (vec![], "end".into()));
    }

    #[test]
    fn a_file_that_is_cut() {
        let blocks = [block(&[flow()]), block(&[flow(), flow()])];
        let ends = [FILE_HEADER, FILE_HEADER + blocks[0].len(), FILE_HEADER + blocks.concat().len()];
        let whole = file(&blocks);
        for length in 0..ends[2] {
            let (kinds, reason) = read(&whole[..length]);
            let block_header = |end: &usize| (*end..end + 12).contains(&length);
            let expected = match length {
                0..4 => "it wrote \"".into(),
                4..FILE_HEADER => "what it wrote ends within the header of the file".into(),
                _ if ends.iter().any(block_header) => {
                    format!("what it wrote ends at byte {length}, without the appendix")
                }
                _ => "what it wrote ends within a block, after ".to_owned(),
            };
            assert!(reason.starts_with(&expected), "{length}: {reason}");
            assert_eq!(kinds.len(), usize::from(length >= ends[1]), "{length}");
        }
        let reason = format!("what it wrote ends at byte {}, without the appendix", ends[2]);
        assert_eq!(read(&uncompleted(&blocks)), (vec![11, 11, 11], reason));
    }

    #[test]
    fn lengths_that_lie() {
        let good = block(&[flow(), flow()]);
        let with = |at: usize, number: &[u8]| {
            let mut bad = file(&[good.clone(), good.clone()]);
            bad[at..at + number.len()].copy_from_slice(number);
            read(&bad)
        };
        let left = flow().len();
        let record =
            |bytes: u16| format!("a record has {bytes} bytes; it must have 4 to {left}, which are left of its block");
        let block = |bytes: u32| format!("a block has {bytes} bytes; it must have 1 to {MOST_BYTES}");
        let second = FILE_HEADER + 12 + flow().len();
        let ends = FILE_HEADER + good.len();
        let crossed = format!("a block ends at byte {ends}, and the appendix begins at {}", ends - 1);
        for (at, number, flows, reason) in [
            (24, (ends as u64 - 1).to_ne_bytes().to_vec(), 0, crossed),
            (
                FILE_HEADER,
                1_u32.to_ne_bytes().to_vec(),
                1,
                format!("a block has {left} bytes after the last of its records"),
            ),
            (FILE_HEADER, 5_u32.to_ne_bytes().to_vec(), 2, "a block ends before the last 3 of its records".into()),
            (FILE_HEADER + 4, u32::MAX.to_ne_bytes().to_vec(), 0, block(u32::MAX)),
            (FILE_HEADER + 4, 0_u32.to_ne_bytes().to_vec(), 0, block(0)),
            (FILE_HEADER + 8, 4_u16.to_ne_bytes().to_vec(), 0, "foreign: a block of type 4, where 3 is known".into()),
            (second + 2, u16::MAX.to_ne_bytes().to_vec(), 1, record(u16::MAX)),
            (second + 2, 0_u16.to_ne_bytes().to_vec(), 1, record(0)),
        ] {
            assert_eq!(with(at, &number), (vec![11; flows], reason));
        }
    }

    #[test]
    fn what_other_versions_write() {
        let with = |at: usize, number: u16| {
            let mut bad = file(&[block(&[flow()])]);
            bad[at..at + 2].copy_from_slice(&number.to_ne_bytes());
            read(&bad).1
        };
        assert_eq!(with(2, 1), "foreign: file layout 1");
        assert_eq!(with(2, 3), "foreign: file layout 3");
        assert_eq!(with(16, 3), "foreign: a file that is compressed or encrypted");
        assert!(with(0, u16::from_ne_bytes(*b"xy")).starts_with("it wrote \"xy"));
    }
}
