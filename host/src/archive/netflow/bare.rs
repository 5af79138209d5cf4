//! Datagrams one after the other in a file, as IPFIX files are (RFC 5655) and as collectors dump what they receive.
//!
//! An IPFIX message has its length in its header, and a version 5 datagram the number of its records. A version 9
//! datagram ends where its flow sets do: a version (5, 9, 10) is no number of a flow set (0, 1, 256 and up), so that
//! the next header is not taken for one.

use std::io::Read;

use super::{bytes::be16, window::Window};
use crate::error::Result;

pub(super) const V5_HEADER: usize = 24;
pub(super) const V5_RECORD: usize = 48;
pub(super) const V9_HEADER: usize = 20;
pub(super) const IPFIX_HEADER: usize = 16;

/// Longest datagram, which UDP cannot carry more than.
const MOST: usize = 65_535;

/// Whether a datagram begins with these bytes.
pub(super) fn begins(bytes: &[u8]) -> bool {
    matches!(be16(bytes, 0), Some(5 | 9 | 10))
}

/// The length of the next datagram, which then is in view; 0 at the end. It fails with a reason if there is none.
pub(super) fn length<R: Read>(window: &mut Window<R>) -> Result<Result<usize, String>> {
    if !window.has(1)? {
        return Ok(Ok(0));
    }
    if !window.has(4)? {
        return Ok(Err("the file ends in the midst of a header".into()));
    }
    let (version, second) = (be16(window.bytes(), 0), be16(window.bytes(), 2).map_or(0, usize::from));
    let length = match version {
        Some(5) => V5_HEADER + second * V5_RECORD,
        Some(9) => match v9_length(window)? {
            Ok(length) => length,
            Err(reason) => return Ok(Err(reason)),
        },
        Some(10) if second >= IPFIX_HEADER => second,
        Some(10) => return Ok(Err(format!("the message has {second} bytes; it must have {IPFIX_HEADER} or more"))),
        _ => return Ok(Err(format!("the version is {}; it must be 5, 9 or 10", version.unwrap_or(0)))),
    };
    let is_whole = window.has(length)?;
    let left = window.bytes().len();
    Ok(if is_whole { Ok(length) } else { Err(format!("the datagram has {length} bytes; the file has {left} more")) })
}

fn v9_length<R: Read>(window: &mut Window<R>) -> Result<Result<usize, String>> {
    let mut length = V9_HEADER;
    while window.has(length + 2)? {
        let id = be16(window.bytes(), length).unwrap_or(0);
        if matches!(id, 5 | 9 | 10) {
            break;
        }
        let set = if window.has(length + 4)? { be16(window.bytes(), length + 2) } else { None };
        match set.map(usize::from) {
            Some(set) if set >= 4 && length + set <= MOST => length += set,
            Some(set) => {
                return Ok(Err(format!(
                    "flow set {id} has {set} bytes after {length}; it must have 4 or more, and the datagram {MOST} at \
                     most"
                )));
            }
            None => return Ok(Err("the file ends in the midst of a flow set's header".into())),
        }
    }
    Ok(Ok(length))
}

#[cfg(test)]
mod tests {
    use super::length;
    use crate::archive::netflow::window::Window;

    fn check(bytes: &[u8], expected: Result<usize, &str>) {
        let found = length(&mut Window::new(bytes)).unwrap();
        assert_eq!(found, expected.map_err(str::to_owned), "{bytes:?}");
    }

    #[test]
    fn finds_where_datagrams_end() {
        check(b"", Ok(0));
        check(&[0, 5, 0], Err("the file ends in the midst of a header"));
        check(&[[0, 5, 0, 1].as_slice(), &[0; 80]].concat(), Ok(72));
        check(&[0, 5, 0, 1], Err("the datagram has 72 bytes; the file has 4 more"));
        check(&[[0, 10, 0, 16].as_slice(), &[0; 80]].concat(), Ok(16));
        check(&[0, 10, 0, 15], Err("the message has 15 bytes; it must have 16 or more"));
        check(&[0x12, 0x34, 0, 0], Err("the version is 4660; it must be 5, 9 or 10"));
        let header = [[0, 9, 0, 1].as_slice(), &[0; 16]].concat();
        check(&header, Ok(20));
        let sets = [0, 0, 0, 6, 1, 2, 1, 0, 0, 4];
        for next in [[0, 5], [0, 9], [0, 10]] {
            check(&[&header[..], &sets, &next].concat(), Ok(30));
        }
        check(&[&header[..], &sets].concat(), Ok(30));
        check(&[&header[..], &sets, &[1]].concat(), Ok(30));
        check(&[&header[..], &sets, &[1, 0, 0]].concat(), Err("the file ends in the midst of a flow set's header"));
        check(&[&header[..], &[1, 0, 0, 9]].concat(), Err("the datagram has 29 bytes; the file has 24 more"));
        let short = "flow set 256 has 3 bytes after 20; it must have 4 or more, and the datagram 65535 at most";
        check(&[&header[..], &[1, 0, 0, 3]].concat(), Err(short));
    }
}
