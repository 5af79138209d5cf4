//! A Zeek log of either format, line by line.

use std::io::Read;

use super::{json, slots::Slots, tsv::Header};
use crate::{
    archive::lines::{Lines, LogLine},
    error::{Error, Result},
};

/// A kind of log, by its name and the fields that are wanted of it.
#[derive(Debug)]
pub(super) struct Kind<const N: usize> {
    /// What begins the file's name, and follows `#path`.
    pub(super) path: &'static str,
    /// The fields by name.
    pub(super) fields: [&'static str; N],
    /// How many of them, from the first on, no record can lack.
    pub(super) required: usize,
}

impl<const N: usize> Kind<N> {
    /// Whether a log or record that says its name is of this kind. Packages that write connections while they are open leave
    /// the name of the log in which they end.
    pub(super) fn is_named(&self, path: &[u8]) -> bool {
        path == self.path.as_bytes() || (path == b"conn" && ["open_conn", "conn_long"].contains(&self.path))
    }
}

/// Reads records of one kind.
#[derive(Debug)]
pub(super) struct Log<R, const N: usize> {
    kind: &'static Kind<N>,
    lines: Lines<R>,
    format: Format<N>,
    slots: Slots<N>,
    has_records: bool,
}

/// What came next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A record; [`Log::get`] has its fields.
    Record,
    /// A line that is no record, and why.
    Malformed(String),
    /// The log is at its end.
    End,
}

#[derive(Debug)]
enum Format<const N: usize> {
    Unknown,
    Json,
    Tsv(Header<N>),
}

impl<R: Read, const N: usize> Log<R, N> {
    pub(super) fn new(input: R, kind: &'static Kind<N>) -> Self {
        let (lines, slots) = (Lines::new(input), Slots::default());
        Self { kind, lines, format: Format::Unknown, slots, has_records: false }
    }

    /// Goes to the next record or malformed line.
    ///
    /// # Errors
    /// The input cannot be read, is no Zeek log, or is another one.
    pub(super) fn advance(&mut self) -> Result<Step> {
        loop {
            match self.lines.advance_in_log()? {
                LogLine::Whole => {}
                LogLine::Malformed(reason) => return Ok(Step::Malformed(reason)),
                LogLine::End => return Ok(Step::End),
            }
            match self.line()? {
                Some(Step::Record) if self.may_be_cut() => {
                    return Ok(Step::Malformed("the line has no end: it is read again once the log goes on".into()));
                }
                Some(step) => {
                    self.has_records |= step == Step::Record;
                    return Ok(step);
                }
                None => continue,
            }
        }
    }

    /// A field of the record; none if it is absent, unset or empty.
    #[inline]
    pub(super) fn get(&self, field: usize) -> Option<&[u8]> {
        self.slots.get(self.lines.text(), field)
    }

    // Left to itself the compiler calls these for each field, with results that go through memory.
    /// A field that no record lacks; on failure the reason.
    #[inline(always)]
    pub(super) fn required<T>(
        &self,
        field: usize,
        parse: impl Fn(&[u8]) -> Option<T>,
        rule: &str,
    ) -> Result<T, String> {
        let value = self.optional(field, parse, rule)?;
        value.ok_or_else(|| unset(self.kind.fields[field], rule))
    }

    /// A field that may be absent; on failure the reason.
    #[inline(always)]
    pub(super) fn optional<T>(
        &self,
        field: usize,
        parse: impl Fn(&[u8]) -> Option<T>,
        rule: &str,
    ) -> Result<Option<T>, String> {
        let Some(text) = self.get(field) else {
            return Ok(None);
        };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(wrong(self.kind.fields[field], text, rule)),
        }
    }

    /// A field that is text.
    #[inline(always)]
    pub(super) fn text_of(&self, field: usize) -> Result<Option<&str>, String> {
        let text = self.get(field);
        text.map(|text| std::str::from_utf8(text).map_err(|_| wrong(self.kind.fields[field], text, "text in UTF-8")))
            .transpose()
    }

    /// The kind of log that is read.
    pub(super) const fn kind(&self) -> &'static Kind<N> {
        self.kind
    }

    /// Whether the records are JSON objects, which no header announces.
    pub(super) const fn is_json(&self) -> bool {
        matches!(self.format, Format::Json)
    }

    /// The line, without its end.
    pub(super) fn text(&self) -> &[u8] {
        self.lines.text()
    }

    /// Whether a compressed input broke off.
    pub(super) const fn is_broken(&self) -> bool {
        self.lines.is_broken()
    }

    /// The line's number, from one.
    pub(super) const fn number(&self) -> u64 {
        self.lines.number()
    }

    /// Whether the record's last value may be a part of one. It is read when the log goes on. Of an object the closing brace
    /// tells that it is whole.
    fn may_be_cut(&self) -> bool {
        let Format::Tsv(header) = &self.format else { return false };
        !self.lines.has_end() && header.ends_in_wanted()
    }

    /// What the line is; none if it is blank or a header.
    fn line(&mut self) -> Result<Option<Step>> {
        let line = self.lines.text();
        let content = line.trim_ascii_start();
        let Some(&first) = content.first() else {
            return Ok(None);
        };
        if matches!(self.format, Format::Unknown) {
            self.format = match first {
                b'{' => Format::Json,
                b'#' => Format::Tsv(Header::default()),
                _ => return Err(not_zeek(self.kind.path, content)),
            };
        }
        let split = match &mut self.format {
            Format::Tsv(header) if first == b'#' => match header.read(content, &self.kind.fields) {
                Ok(()) => return Ok(None),
                Err(reason) => Err(reason),
            },
            Format::Tsv(header) => {
                if !header.is_checked {
                    if let Err(error) = check(header, self.kind) {
                        if !self.has_records {
                            return Err(error);
                        }
                        return Ok(Some(Step::Malformed(error.to_string())));
                    }
                    header.is_checked = true;
                }
                header.split(line, &mut self.slots)
            }
            Format::Json | Format::Unknown => json::split(line, &self.kind.fields, &mut self.slots),
        };
        Ok(Some(split.map_or_else(Step::Malformed, |()| Step::Record)))
    }
}

fn not_zeek(path: &str, line: &[u8]) -> Error {
    let shown = &line[..line.len().min(60)];
    Error::usage(format!(
        "it is no Zeek log: its first line, \"{}\", is neither a header (#separator, #fields) nor a JSON object",
        shown.escape_ascii()
    ))
    .remedy(format!("give Zeek's {path}.log with its header lines, or as JSON"))
}

/// Whether a header announces records of a kind.
fn check<const N: usize>(header: &Header<N>, kind: &Kind<N>) -> Result<()> {
    let remedy = |error: Error| error.remedy(format!("give Zeek's {}.log with its header lines", kind.path));
    if !header.has_columns() {
        return Err(remedy(Error::usage("it is no whole Zeek log: no #fields line comes before its first record")));
    }
    if let Some(path) = header.path().filter(|path| !kind.is_named(path.as_bytes())) {
        return Err(remedy(Error::usage(format!("it is Zeek's {path}.log, not {}.log", kind.path))));
    }
    match (0..kind.required).find(|&field| !header.has(field)) {
        None => Ok(()),
        Some(field) => {
            let name = kind.fields[field];
            Err(remedy(Error::usage(format!("it is no {}.log: its #fields line lacks {name}", kind.path))))
        }
    }
}

#[cold]
fn unset(field: &str, rule: &str) -> String {
    format!("{field} is not set; it must be {rule}")
}

#[cold]
fn wrong(field: &str, text: &[u8], rule: &str) -> String {
    let shown = &text[..text.len().min(80)];
    format!("{field} is \"{}\"; it must be {rule}", shown.escape_ascii())
}
