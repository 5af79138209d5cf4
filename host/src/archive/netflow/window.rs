//! The input through one buffer: bytes are looked at in place, and passed over when done with.

use std::io::{self, Read};

use crate::error::{Error, Result};

const CHUNK: usize = 256 << 10;

/// A view of an input that moves on.
#[derive(Debug)]
pub(super) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the view begins, and where what was read of the input ends.
    start: usize,
    filled: usize,
    position: u64,
    ended: bool,
    broken: Option<String>,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R) -> Self {
        let buffer = vec![0; CHUNK];
        Self { input, buffer, start: 0, filled: 0, position: 0, ended: false, broken: None }
    }

    /// Whether so many bytes are still to come; if so they are in view.
    ///
    /// # Errors The system cannot read the input. Where a decompressor cannot go on, the input ends and
    /// [`Self::broken`] says why.
    pub(super) fn has(&mut self, length: usize) -> Result<bool> {
        while self.filled - self.start < length {
            if self.ended {
                return Ok(false);
            }
            self.fill(length)?;
        }
        Ok(true)
    }

    /// What is in view: as many bytes as were asked for, or more, or the last ones.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.filled]
    }

    /// Where the view begins in the input.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Passes over bytes, and returns whether the input has so many.
    pub(super) fn skip(&mut self, mut length: usize) -> Result<bool> {
        while length > 0 && self.has(1)? {
            let step = length.min(self.filled - self.start);
            self.start += step;
            self.position += step as u64;
            length -= step;
        }
        Ok(length == 0)
    }

    /// Why the input broke off, if it did.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    fn fill(&mut self, length: usize) -> Result<()> {
        if self.buffer.len() - self.start < length.max(CHUNK / 2) {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
            if self.buffer.len() < length {
                self.buffer.resize(length, 0);
            }
        }
        match self.input.read(&mut self.buffer[self.filled..]) {
            Ok(0) => self.ended = true,
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error().is_some() => {
                return Err(Error::failed("the file cannot be read").because(error));
            }
            Err(error) => {
                self.ended = true;
                self.broken = Some(format!("the compressed file breaks off here: {error}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Window};

    #[test]
    fn shows_and_passes_over() {
        let input: Vec<u8> = (0..CHUNK * 3).map(|at| at.to_le_bytes()[0]).collect();
        let mut window = Window::new(&input[..]);
        assert!(window.skip(CHUNK - 1).unwrap());
        assert!(window.has(CHUNK + 10).unwrap());
        assert_eq!(window.bytes()[..CHUNK + 10], input[CHUNK - 1..2 * CHUNK + 9]);
        window.skip(2 * CHUNK).unwrap();
        assert!(window.has(1).unwrap() && !window.has(2).unwrap());
        assert_eq!((window.bytes().len(), window.position()), (1, 3 * CHUNK as u64 - 1));
        assert!(!window.skip(2).unwrap());
        assert_eq!((window.has(1).unwrap(), window.position()), (false, 3 * CHUNK as u64));
    }
}
