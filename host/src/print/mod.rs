//! What leaves the command: on stdout, on stderr, or in a file. Nothing else in the binary writes.
//!
//! Each sink has one door that every string passes: [`text`] for a terminal, [`csv`] for a spreadsheet, [`json`] for a
//! machine. Flow records and plugins are written by strangers, and a terminal or a spreadsheet obeys what it is given.
//! What is printed as a line is one line: only who calls may break it, by printing several.

mod csv;
mod failure;
mod file;
mod json;
mod parquet;
mod progress;
mod quantity;
mod rows;
mod table;
mod text;
pub(crate) mod warnings;

use std::{
    error::Error as StdError,
    ffi::OsString,
    fmt,
    io::{self, IsTerminal, Write},
};

use clap::Parser;
use datafusion::arrow::record_batch::RecordBatch;
use serde::Serialize;
use wardflow::error::{Error, Result};

use crate::args::{Args, Color, Format, Global};

pub(crate) use failure::exit_code;
pub(crate) use progress::{BYTES, Progress, Task};
pub(crate) use quantity::{count, counted, rate, size};
pub(crate) use rows::Rows;
use table::grid;
pub(crate) use text::visible;

/// What the environment says of the terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Whether nothing is to be coloured (`NO_COLOR`).
    pub(crate) no_color: bool,
    /// Whether it understands no escape sequence (`TERM` is `dumb` or missing).
    pub(crate) dumb: bool,
}

/// Writes for one person or one machine, as the global options say.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) out: Stream,
    pub(crate) err: Stream,
}

/// What is known of stdout or stderr.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stream {
    /// Whether it is a terminal.
    pub(crate) terminal: bool,
    /// Whether a line on it can be written over.
    pub(crate) rewrites: bool,
    /// Whether to colour on it.
    pub(crate) color: bool,
}

impl Stream {
    fn new(terminal: bool, color: Color, env: Terminal) -> Self {
        Self {
            terminal,
            rewrites: terminal && !env.dumb,
            color: match color {
                Color::Auto => terminal && !env.dumb && !env.no_color,
                Color::Always => true,
                Color::Never => false,
            },
        }
    }
}

/// A look that a line may have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    Plain,
    Heading,
    Good,
    Bad,
}

/// That whoever read the output went away: the end, and no failure.
#[derive(Debug)]
pub(crate) struct ReaderGone;

impl Printer {
    /// A printer for the present stdout and stderr.
    pub(crate) fn new(global: &Global, env: Terminal) -> Self {
        let stream = |terminal: bool| Stream::new(terminal, global.color, env);
        Self {
            json: global.json,
            quiet: global.quiet,
            out: stream(io::stdout().is_terminal()),
            err: stream(io::stderr().is_terminal()),
        }
    }

    /// A line of the result, for a person.
    pub(crate) fn line(&self, look: Look, line: &str) -> Result<()> {
        to_stdout(&format!("{}\n", paint(look, &visible(line), self.out.color)))
    }

    /// A line beside the result: advice, or what happens.
    pub(crate) fn note(&self, line: &str) {
        if !self.quiet && !self.json {
            to_stderr(&format!("{}\n", visible(line)));
        }
    }

    /// A line beside the result that nobody should miss.
    pub(crate) fn warn(&self, line: &str) {
        if self.json {
            to_stderr(&json::line(&serde_json::json!({ "warning": line })));
        } else {
            to_stderr(&format!("{} {}\n", paint(Look::Bad, "warning:", self.err.color), visible(line)));
        }
    }

    /// A report, for a machine: one JSON object on one line.
    pub(crate) fn object(&self, report: &impl Serialize) -> Result<()> {
        to_stdout(&format!("{}\n", json::object(report)?))
    }

    /// Rows of a report: a table for a person, one JSON object a line for a machine.
    pub(crate) fn batches(&self, batches: &[RecordBatch]) -> Result<()> {
        let Some(first) = batches.first() else { return Ok(()) };
        let format = if self.json { Format::Json } else { Format::Table };
        let mut rows = Rows::open(self, format, None, &first.schema())?;
        for batch in batches {
            if rows.write(batch)?.is_break() {
                break;
            }
        }
        rows.finish().map(drop)
    }

    /// A table of words.
    pub(crate) fn grid(&self, header: &[&str], rows: &[Vec<String>]) -> Result<()> {
        to_stdout(&format!("{}\n", grid(header, rows, self.out)))
    }

    /// What failed, on stderr.
    pub(crate) fn failure(&self, error: &Error) {
        let shown = if self.json { failure::json(error) } else { failure::text(error, self.err.color) };
        to_stderr(&shown);
    }
}

/// What failed before there was a [`Printer`], on stderr.
pub(crate) fn failure(error: &Error) {
    to_stderr(&failure::text(error, false));
}

/// Text that clap made: help on stdout, a usage error on stderr. `args` are what was typed, or what a shell put in place
/// of a `*`: names of files, which clap quotes as they are.
pub(crate) fn usage(error: clap::Error, args: impl Iterator<Item = OsString>, as_json: bool) {
    if as_json && error.use_stderr() {
        let message = error.render().to_string();
        let message = message.trim().trim_start_matches("error: ");
        return to_stderr(&failure::json(&Error::usage(message)));
    }
    // A closed pipe is the only way for it to fail, and nobody is left to hear of it.
    quoting_visibly(error, args).print().unwrap_or_default();
}

/// The error that the same arguments would have made, had they been typed as they are shown.
fn quoting_visibly(error: clap::Error, args: impl Iterator<Item = OsString>) -> clap::Error {
    let visible = args.map(|arg| visible(&arg.to_string_lossy()).into_owned());
    Args::try_parse_from(visible).err().unwrap_or(error)
}

/// Colours text that has passed the door.
fn paint(look: Look, text: &str, color: bool) -> String {
    let code = match look {
        Look::Plain => return text.to_owned(),
        Look::Heading => "1",
        Look::Good => "32",
        Look::Bad => "1;31",
    };
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn to_stdout(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)
}

/// Nothing can be said when stderr is gone.
fn to_stderr(text: &str) {
    io::stderr().lock().write_all(text.as_bytes()).unwrap_or_default();
}

/// Why stdout or a file took no more.
fn unwritable(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Error::failed("nobody reads the output any more").because(ReaderGone)
    } else {
        Error::failed("cannot write the output").because(error)
    }
}

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pipe is closed")
    }
}

impl StdError for ReaderGone {}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Parser;

    use super::{Args, Color, Stream, Terminal, quoting_visibly};

    #[test]
    fn colours_are_for_terminals_that_can() {
        let auto = |terminal, no_color, dumb| Stream::new(terminal, Color::Auto, Terminal { no_color, dumb });
        assert!(auto(true, false, false).color && auto(true, false, false).rewrites);
        assert!(!auto(true, true, false).color && auto(true, true, false).rewrites);
        assert!(!auto(true, false, true).color && !auto(true, false, true).rewrites);
        assert!(!auto(false, false, false).color && !auto(false, false, false).rewrites);
        let dumb = Terminal { no_color: true, dumb: true };
        assert!(Stream::new(false, Color::Always, dumb).color && !Stream::new(true, Color::Never, dumb).color);
    }

    #[test]
    fn what_was_typed_is_quoted_visibly() {
        for typed in [["wardflow", "a\u{202e}b\nerror: forged"], ["wardflow", "--a\u{9b}2J\u{1b}[2J\r"]] {
            let args = || typed.iter().map(OsString::from);
            let shown = quoting_visibly(Args::try_parse_from(args()).unwrap_err(), args()).render().ansi().to_string();
            assert!(!shown.contains(['\u{202e}', '\u{9b}', '\r']) && !shown.contains("\nerror"), "{shown:?}");
            assert!(
                shown.contains("\\u{202e}b\\nerror: forged") || shown.contains("\\u{9b}2J\\u{1b}[2J\\r"),
                "{shown:?}"
            );
        }
    }
}
