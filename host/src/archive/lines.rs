//! Lines of a file, lent one at a time from one buffer.

use std::io::{self, Read};

use crate::error::{Error, Result};

/// Longest line in bytes. The longest that Zeek writes, a certificate's or a long URL's, are a tenth of it; a file that
/// has no line ends would otherwise be read into memory whole.
pub(super) const MAX_LINE: usize = 1 << 20;

/// What some programs put at the beginning of UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

const CHUNK: usize = 256 << 10;

/// Reads lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the unread part of the buffer begins, and where what was read from the input ends.
    next: usize,
    filled: usize,
    line: (usize, usize),
    number: u64,
    ended: bool,
    is_broken: bool,
}

/// What came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, in [`Lines::text`].
    Whole,
    /// A line longer than [`MAX_LINE`]; its beginning is in [`Lines::text`] and its rest is passed over.
    TooLong,
    /// There are no more.
    End,
}

/// What a log has next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LogLine {
    /// A line, in [`Lines::text`].
    Whole,
    /// What can be read of a line that cannot be read whole, and why.
    Malformed(String),
    /// There are no more.
    End,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; CHUNK],
            next: 0,
            filled: 0,
            line: (0, 0),
            number: 0,
            ended: false,
            is_broken: false,
        }
    }

    /// Goes to the next line of a log, which may be compressed and break off.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn advance_in_log(&mut self) -> Result<LogLine> {
        if self.is_broken {
            return Ok(LogLine::End);
        }
        match self.advance() {
            Ok(Line::Whole) => Ok(LogLine::Whole),
            Ok(Line::TooLong) => Ok(LogLine::Malformed("the line is longer than 1 MiB".into())),
            Ok(Line::End) => Ok(LogLine::End),
            Err(error) if error.raw_os_error().is_some() => {
                Err(Error::failed("the file cannot be read").because(error))
            }
            Err(error) => {
                self.is_broken = true;
                self.take(self.filled, self.filled);
                Ok(LogLine::Malformed(format!("the compressed file breaks off here: {error}")))
            }
        }
    }

    /// Whether a compressed log broke off.
    pub(super) const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Goes to the next line.
    pub(super) fn advance(&mut self) -> io::Result<Line> {
        let mut searched = self.next;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer[searched..self.filled]) {
                return Ok(self.take(searched + end, searched + end + 1));
            }
            if self.filled - self.next > MAX_LINE {
                let kept = (self.next, self.next + 512);
                self.number += 1;
                self.line = (0, 512);
                self.buffer.copy_within(kept.0..kept.1, 0);
                self.skip_line()?;
                return Ok(Line::TooLong);
            }
            if self.ended {
                let is_empty = self.next == self.filled;
                return Ok(if is_empty { Line::End } else { self.take(self.filled, self.filled) });
            }
            let unread = self.filled - self.next;
            self.make_room();
            searched = self.next + unread;
            self.fill()?;
        }
    }

    /// Whether the line has an end. A last one that has none may be cut off.
    pub(super) const fn has_end(&self) -> bool {
        self.next > self.line.1
    }

    /// The line, without its end.
    #[inline]
    pub(super) fn text(&self) -> &[u8] {
        &self.buffer[self.line.0..self.line.1]
    }

    /// Its number, from one.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    fn take(&mut self, end: usize, next: usize) -> Line {
        let has_return = end > self.next && self.buffer[end - 1] == b'\r';
        let has_mark = self.number == 0 && self.buffer[self.next..end].starts_with(MARK);
        let start = self.next + if has_mark { MARK.len() } else { 0 };
        self.line = (start, (end - usize::from(has_return)).max(start));
        self.next = next;
        self.number += 1;
        Line::Whole
    }

    /// Passes over the rest of a line, keeping the first 512 bytes of the buffer.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            self.filled = 512;
            self.fill()?;
            if let Some(end) = memchr::memchr(b'\n', &self.buffer[512..self.filled]) {
                self.next = 512 + end + 1;
                return Ok(());
            }
            if self.ended {
                self.next = self.filled;
                return Ok(());
            }
        }
    }

    fn make_room(&mut self) {
        if self.next > 0 {
            self.buffer.copy_within(self.next..self.filled, 0);
            self.filled -= self.next;
            self.next = 0;
        }
        if self.buffer.len() - self.filled < CHUNK / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        loop {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Lines, MAX_LINE};

    fn check(text: &[u8], expected: &[(u64, usize)]) {
        let mut lines = Lines::new(text);
        let mut seen = Vec::new();
        while lines.advance().unwrap() != Line::End {
            seen.push((lines.number(), lines.text().len()));
        }
        assert_eq!(seen, expected);
    }

    #[test]
    fn lines_end_in_many_ways() {
        check(b"", &[]);
        check(b"a\nbb\r\n\nccc", &[(1, 1), (2, 2), (3, 0), (4, 3)]);
        check(b"a\n", &[(1, 1)]);
        check(b"\xef\xbb\xbfa\n\xef\xbb\xbfa\n", &[(1, 1), (2, 4)]);
        check(b"\xef\xbb\xbf\r\n", &[(1, 0)]);
    }

    #[test]
    fn long_lines_are_passed_over() {
        let long = MAX_LINE * 3;
        let text = [vec![b'x'; long], b"\nend\n".to_vec(), vec![b'y'; MAX_LINE / 2], b"\nz".to_vec()].concat();
        check(&text, &[(1, 512), (2, 3), (3, MAX_LINE / 2), (4, 1)]);
    }
}
