//! Checksums of what follows a flow file's blocks, the page index and the footer, in that footer: a statistic that was
//! changed would hide flows from whoever asks by time or device.
//!
//! They are known once both are written, so they take the place of zeros there, and the footer's own is that of a footer
//! with zeros in their place. A footer whose very key was changed passes for one without sums: the rest of it is then as it
//! was, but for a second change.

use std::{io, ops::Range};

use memchr::memmem;
use parquet::file::metadata::KeyValue;
use xxhash_rust::xxh3::xxh3_64;

use crate::disk::File;

/// The key in the footer.
const KEY: &str = "wardflow.tail";

/// What comes between the key and its value: the header of a Thrift field of bytes, and their number.
const BETWEEN: [u8; 2] = [0x18, DIGITS as u8];

/// Hexadecimal digits: 16 of the page index, 16 of the footer, each XXH3 of 64 bits.
const DIGITS: usize = 32;

/// Bytes after the footer: its length, and `PAR1`.
pub(super) const END: usize = 8;

/// The pair that the footer is to have, as its last.
pub(super) fn blank() -> KeyValue {
    KeyValue::new(KEY.to_owned(), "0".repeat(DIGITS))
}

/// Puts the sums into a file that is whole, and whose blocks end at `blocks`.
pub(super) fn fill(file: &mut File, blocks: u64) -> io::Result<()> {
    let tail = file.read_from(blocks)?;
    let parts = Parts::of(&tail).ok_or_else(|| io::Error::other("its footer was not written as expected"))?;
    let place = parts.place.ok_or_else(|| io::Error::other(format!("its footer has no place for {KEY}")))?;
    let sums = [xxh3_64(parts.index), xxh3_64(parts.footer)].map(|sum| format!("{sum:016x}")).concat();
    let footer = blocks + parts.index.len() as u64;
    file.overwrite(footer + place.start as u64, sums.as_bytes())
}

/// Compares a footer, of which these are the last bytes of its file, with its sum, if it has one.
///
/// # Errors
/// It is another than was written; the reason.
pub(super) fn check_footer(tail: &[u8]) -> Result<(), String> {
    let Some(Parts { footer, place: Some(place), .. }) = Parts::of(tail) else { return Ok(()) };
    let mut blank = footer.to_vec();
    let found = blank.splice(place.clone(), [b'0'; DIGITS]).collect::<Vec<_>>();
    is(&found[DIGITS / 2..], &blank).then_some(()).ok_or_else(|| "its footer is not what was written".to_owned())
}

/// Compares the page index and the footer, of which these are all bytes, with their sums, if they have them.
///
/// # Errors
/// One is another than was written; the reason.
pub(super) fn check_tail(tail: &[u8]) -> Result<(), String> {
    check_footer(tail)?;
    let Some(Parts { index, footer, place: Some(place) }) = Parts::of(tail) else { return Ok(()) };
    let found = &footer[place][..DIGITS / 2];
    is(found, index).then_some(()).ok_or_else(|| "its page index is not what was written".to_owned())
}

fn is(digits: &[u8], bytes: &[u8]) -> bool {
    format!("{:016x}", xxh3_64(bytes)).as_bytes() == digits
}

/// What the last bytes of a file are made of.
struct Parts<'a> {
    /// What comes before the footer.
    index: &'a [u8],
    footer: &'a [u8],
    /// Where in the footer the sums are.
    place: Option<Range<usize>>,
}

impl<'a> Parts<'a> {
    fn of(tail: &'a [u8]) -> Option<Self> {
        let (rest, end) = tail.split_last_chunk::<END>()?;
        let [a, b, c, d, ..] = *end;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        let (index, footer) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
        let key = [KEY.as_bytes(), &BETWEEN].concat();
        let place = memmem::rfind(footer, &key).map(|at| at + key.len());
        let place = place.map(|start| start..start + DIGITS).filter(|place| place.end <= footer.len());
        Some(Self { index, footer, place })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{BETWEEN, DIGITS, KEY, blank, check_footer, check_tail, fill};
    use crate::disk::File;

    const BLOCKS: &[u8] = b"the blocks";
    const INDEX: &[u8] = b"the page index";

    /// A file without sums.
    fn whole(footer: &[u8]) -> Vec<u8> {
        let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
        [BLOCKS, INDEX, footer, &length, b"PAR1"].concat()
    }

    /// A file with sums, without its blocks.
    fn filled(footer: &[u8]) -> std::io::Result<Vec<u8>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("file");
        let mut file = File::create(&path)?;
        file.write_all(&whole(footer))?;
        fill(&mut file, BLOCKS.len() as u64)?;
        Ok(std::fs::read(path)?.split_off(BLOCKS.len()))
    }

    fn footer() -> Vec<u8> {
        [b"statistics".as_slice(), KEY.as_bytes(), &BETWEEN, blank().value.unwrap().as_bytes(), b"the rest"].concat()
    }

    #[test]
    fn any_byte_that_was_changed_is_found() {
        let sound = filled(&footer()).unwrap();
        check_tail(&sound).unwrap();
        check_footer(&sound).unwrap();
        check_footer(&sound[INDEX.len()..]).unwrap();
        let key = INDEX.len() + b"statistics".len()..INDEX.len() + b"statistics".len() + KEY.len() + BETWEEN.len();
        for at in (0..INDEX.len() + footer().len()).filter(|at| !key.contains(at)) {
            let mut changed = sound.clone();
            changed[at] ^= 1;
            let of_index = at < INDEX.len() || (key.end..key.end + DIGITS / 2).contains(&at);
            let what = if of_index { "page index" } else { "footer" };
            assert_eq!(check_tail(&changed), Err(format!("its {what} is not what was written")), "at {at}");
            assert_eq!(check_footer(&changed).is_ok(), of_index, "at {at}");
        }
    }

    #[test]
    fn files_without_sums_have_none_to_compare() {
        for tail in [b"".as_slice(), b"PAR1", &whole(b"another program's"), &whole(KEY.as_bytes())] {
            check_tail(tail).unwrap();
            check_footer(tail).unwrap();
        }
        let told = filled(b"another program's").unwrap_err().to_string();
        assert_eq!(told, "its footer has no place for wardflow.tail");
    }
}
