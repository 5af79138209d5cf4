//! Records of delimited text (RFC 4180): lines, or several where a quoted field has line ends in it.

use std::{collections::VecDeque, io::Read};

use super::fields::{Field, QUOTE, Split, split};
use crate::{
    archive::lines::{Lines, LogLine},
    error::Result,
};

/// Most bytes of a record that goes over several lines. A quote that nothing closes would otherwise take in all that
/// follows it.
const MOST_BYTES: usize = 64 << 10;

/// Why a line with a quote is no record.
const NOT_CLOSED: &str = "a quote in the line is not closed";

/// Reads records.
#[derive(Debug)]
pub(super) struct Records<R> {
    lines: Lines<R>,
    delimiter: u8,
    comment: Option<u8>,
    fields: Vec<Field>,
    /// How many the first whole record had.
    width: Option<usize>,
    /// The record's text, if it is not [`Lines::text`].
    joined: Option<Vec<u8>>,
    /// Lines that were read for a record that they turned out not to belong to, with their numbers.
    waiting: VecDeque<(u64, Vec<u8>)>,
    number: u64,
    /// The number of the line that was taken last, and that of the one that has no end.
    last: u64,
    open: Option<u64>,
    is_cut: bool,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A record, in [`Records::fields`].
    Record,
    /// Something that is none, and why.
    Malformed(String),
    /// There are no more.
    End,
}

impl<R: Read> Records<R> {
    pub(super) fn new(input: R, delimiter: u8, comment: Option<u8>) -> Self {
        Self {
            lines: Lines::new(input),
            delimiter,
            comment,
            fields: Vec::new(),
            width: None,
            joined: None,
            waiting: VecDeque::new(),
            number: 0,
            last: 0,
            open: None,
            is_cut: false,
        }
    }

    /// Goes to the next record. Blank lines and comments are none.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(super) fn advance(&mut self) -> Result<Step> {
        loop {
            match self.next_line()? {
                Step::Record => {}
                other => return Ok(other),
            }
            let text = self.text();
            if text.trim_ascii().is_empty() || self.comment.is_some_and(|comment| text.first() == Some(&comment)) {
                continue;
            }
            let mut fields = std::mem::take(&mut self.fields);
            let split = split(self.text(), self.delimiter, &mut fields);
            self.fields = fields;
            let step = match split {
                Split::Whole => Step::Record,
                Split::Wrong(reason) => Step::Malformed(reason),
                Split::Open => self.join()?,
            };
            if step == Step::Record {
                self.width.get_or_insert(self.fields.len());
            }
            return Ok(step);
        }
    }

    /// The record's bytes, without its end.
    #[inline]
    pub(super) fn text(&self) -> &[u8] {
        self.joined.as_deref().unwrap_or_else(|| self.lines.text())
    }

    /// The number of the line on which it begins, from one.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Whether a line end stands behind the record. Where none does, its last value may be a part of one.
    pub(super) fn has_end(&self) -> bool {
        self.open != Some(self.last)
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Whether the input broke off in the midst: of a compressed file, or in a quoted field behind a line end.
    pub(super) const fn is_broken(&self) -> bool {
        self.lines.is_broken() || self.is_cut
    }

    fn next_line(&mut self) -> Result<Step> {
        if let Some((number, text)) = self.waiting.pop_front() {
            (self.number, self.last, self.joined) = (number, number, Some(text));
            return Ok(Step::Record);
        }
        self.joined = None;
        let line = self.lines.advance_in_log()?;
        if line != LogLine::End {
            self.number = self.lines.number();
            self.last = self.number;
            self.open = (!self.lines.has_end()).then_some(self.number);
        }
        Ok(match line {
            LogLine::Whole => Step::Record,
            LogLine::Malformed(reason) => Step::Malformed(reason),
            LogLine::End => Step::End,
        })
    }

    /// Takes in the lines that follow until the quote that is open is closed. Where none closes it, the one line is
    /// malformed, and the others are read for themselves. Where the input ends before and none of them is a record of its
    /// own, the one is cut off, and all of them are of it.
    fn join(&mut self) -> Result<Step> {
        let first = self.number;
        let mut joined = self.text().to_vec();
        let mut ends = vec![(first, joined.len())];
        let mut searched = joined.len();
        let reason = loop {
            if joined.len() > MOST_BYTES {
                break "a quote in the line is not closed within 64 KiB".to_owned();
            }
            match self.next_line()? {
                Step::Record => {}
                Step::End if self.is_one(&joined, &ends) => return Ok(self.cut(first, joined, NOT_CLOSED.to_owned())),
                Step::End => break NOT_CLOSED.to_owned(),
                Step::Malformed(reason) if self.lines.is_broken() && self.is_one(&joined, &ends) => {
                    joined.push(b'\n');
                    joined.extend_from_slice(self.text());
                    return Ok(self.cut(first, joined, format!("{NOT_CLOSED}: {reason}")));
                }
                Step::Malformed(reason) => break format!("{NOT_CLOSED}: {reason}"),
            }
            joined.push(b'\n');
            joined.extend_from_slice(self.text());
            ends.push((self.number, joined.len()));
            if memchr::memchr(QUOTE, &joined[searched..]).is_none() {
                continue;
            }
            searched = joined.len();
            match split(&joined, self.delimiter, &mut self.fields) {
                Split::Open => {}
                Split::Wrong(reason) => break reason,
                Split::Whole => {
                    (self.number, self.joined) = (first, Some(joined));
                    return Ok(Step::Record);
                }
            }
        };
        for pair in ends.windows(2).rev() {
            let [(_, before), (number, end)] = [pair[0], pair[1]];
            self.waiting.push_front((number, joined[before + 1..end].to_vec()));
        }
        joined.truncate(ends[0].1);
        (self.number, self.last, self.joined) = (first, first, Some(joined));
        Ok(Step::Malformed(reason))
    }

    /// Whether none of the lines behind the first, whose ends these are, has as many fields as records have.
    fn is_one(&self, joined: &[u8], ends: &[(u64, usize)]) -> bool {
        let is_record = |pair: &[(u64, usize)]| {
            let (line, mut fields) = (&joined[pair[0].1 + 1..pair[1].1], Vec::new());
            let is_whole = matches!(split(line, self.delimiter, &mut fields), Split::Whole);
            is_whole && self.width.is_none_or(|width| width == fields.len())
        };
        !ends.windows(2).any(is_record)
    }

    /// Takes what there is of a record with which the input ends.
    fn cut(&mut self, first: u64, text: Vec<u8>, reason: String) -> Step {
        // A last line without an end tells as much.
        self.is_cut = self.open.is_none();
        (self.number, self.joined) = (first, Some(text));
        Step::Malformed(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::{Records, Step};

    fn check(text: &str, expected: &[(u64, Result<&[&str], &str>)]) {
        let mut records = Records::new(text.as_bytes(), b',', Some(b'#'));
        let mut seen = Vec::new();
        loop {
            let step = records.advance().unwrap();
            let record = std::str::from_utf8(records.text()).unwrap();
            let fields = || records.fields().iter().map(|field| field.unquoted(record)).collect::<Vec<_>>();
            match step {
                Step::Record => seen.push((records.number(), Ok(fields()))),
                Step::Malformed(reason) => seen.push((records.number(), Err(format!("{record}: {reason}")))),
                Step::End => break,
            }
        }
        assert_eq!(seen.len(), expected.len(), "{seen:?}");
        for ((number, record), (expected_number, expected)) in seen.iter().zip(expected) {
            assert_eq!(number, expected_number, "{seen:?}");
            match (record, expected) {
                (Ok(fields), Ok(expected)) => assert_eq!(fields, expected),
                (Err(reason), Err(expected)) => assert!(reason.starts_with(expected), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn fields_as_rfc_4180_has_them() {
        check("a,,c\r\n\n# no record\n,\n", &[(1, Ok(&["a", "", "c"])), (4, Ok(&["", ""]))]);
        check("\"a,b\",\"say \"\"x\"\"\",\"\"\n", &[(1, Ok(&["a,b", "say \"x\"", ""]))]);
        check("\"two\r\nlines\",b\nc,d", &[(1, Ok(&["two\nlines", "b"])), (3, Ok(&["c", "d"]))]);
        check("5\" pipe,b\n", &[(1, Ok(&["5\" pipe", "b"]))]);
    }

    #[test]
    fn the_last_record_may_have_no_end() {
        for (text, expected) in [
            ("a\nb\n", vec![true, true]),
            ("a\nb", vec![true, false]),
            ("a\n\"b\nc\"", vec![true, false]),
            ("\"a\nb\nc", vec![true, true, false]),
            ("a,b\n\"a\nb\nc", vec![true, false]),
        ] {
            let mut records = Records::new(text.as_bytes(), b',', None);
            let mut seen = Vec::new();
            while records.advance().unwrap() != Step::End {
                seen.push(records.has_end());
            }
            assert_eq!(seen, expected, "{text:?}");
        }
    }

    #[test]
    fn a_record_that_is_cut_in_quotes_is_one() {
        for (cut, is_broken) in [
            ("c,\"d", false),
            ("c,\"d\n", true),
            ("c,\"d\n\n", true),
            ("c,\"d\nand so on", false),
            ("c,\"d\nand so on,,\n", true),
        ] {
            let text = format!("a,b\n{cut}");
            let mut records = Records::new(text.as_bytes(), b',', None);
            assert_eq!(records.advance().unwrap(), Step::Record);
            assert!(matches!(records.advance().unwrap(), Step::Malformed(reason) if reason.contains("not closed")));
            assert_eq!((records.number(), records.text()), (2, cut.strip_suffix('\n').unwrap_or(cut).as_bytes()));
            assert_eq!((records.is_broken(), records.has_end()), (is_broken, is_broken), "{cut:?}");
            assert_eq!(records.advance().unwrap(), Step::End);
        }
    }

    #[test]
    fn a_stray_quote_costs_its_own_line_alone() {
        check(
            "\"a,b\nc,d\ne,f",
            &[(1, Err("\"a,b: a quote in the line is not closed")), (2, Ok(&["c", "d"])), (3, Ok(&["e", "f"]))],
        );
        check("\"a\"b,c\nd,e", &[(1, Err("\"a\"b,c: field 1 goes on")), (2, Ok(&["d", "e"]))]);
        check("\"a,b\nc,\"d\"\n", &[(1, Err("\"a,b: field 1 goes on")), (2, Ok(&["c", "d"]))]);
        let long = format!("\"a\n{}b,c", "x\n".repeat(40_000));
        let mut records = Records::new(long.as_bytes(), b',', None);
        assert!(matches!(records.advance().unwrap(), Step::Malformed(reason) if reason.contains("64 KiB")));
        let mut read = 0;
        while records.advance().unwrap() == Step::Record {
            read += 1;
        }
        assert_eq!((read, records.number()), (40_001, 40_002));
    }
}
