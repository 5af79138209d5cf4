//! What a compiling process answers its parent: a kind, the length and the checksum of what follows, and that.

use std::io::{self, Write};

const CHECKSUM_BYTES: usize = blake3::OUT_LEN;
const LENGTH_BYTES: usize = size_of::<u64>();

/// Bytes before what the answer holds.
pub(super) const HEAD_BYTES: usize = 1 + LENGTH_BYTES + CHECKSUM_BYTES;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Compiled code.
    Code(Vec<u8>),
    /// Why the component is not valid, for a person.
    Refused(String),
    /// The memory that the process may have did not suffice.
    NoMemory,
}

impl Reply {
    /// Writes it whole.
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let (kind, body): (u8, &[u8]) = match self {
            Self::Code(code) => (b'C', code),
            Self::Refused(why) => (b'R', why.as_bytes()),
            Self::NoMemory => (b'M', &[]),
        };
        to.write_all(&[kind])?;
        to.write_all(&(body.len() as u64).to_le_bytes())?;
        to.write_all(blake3::hash(body).as_bytes())?;
        to.write_all(body)?;
        to.flush()
    }

    /// Reads one; nothing if the bytes are none, or only a part of one.
    pub(super) fn read(mut bytes: Vec<u8>) -> Option<Self> {
        let (head, body) = bytes.split_at_checked(HEAD_BYTES)?;
        let (kind, rest) = head.split_first()?;
        let (length, checksum) = rest.split_at(LENGTH_BYTES);
        if length != (body.len() as u64).to_le_bytes() || checksum != blake3::hash(body).as_bytes() {
            return None;
        }
        match *kind {
            b'C' => {
                bytes.drain(..HEAD_BYTES);
                Some(Self::Code(bytes))
            }
            b'R' => Some(Self::Refused(String::from_utf8_lossy(body).into_owned())),
            b'M' => Some(Self::NoMemory),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reply;

    #[test]
    fn comes_back_whole_or_not_at_all() {
        for reply in [Reply::Code(vec![0, 1, 255]), Reply::Code(vec![]), Reply::Refused("é".into()), Reply::NoMemory] {
            let mut bytes = Vec::new();
            reply.write(&mut bytes).unwrap();
            assert_eq!(Reply::read(bytes.clone()), Some(reply));
            for end in 0..bytes.len() {
                assert_eq!(Reply::read(bytes[..end].to_vec()), None);
            }
            assert_eq!(Reply::read([bytes.as_slice(), b"x"].concat()), None);
            for place in 0..bytes.len() {
                let mut other = bytes.clone();
                other[place] ^= 0x80;
                assert_eq!(Reply::read(other), None, "byte {place}");
            }
        }
    }
}
