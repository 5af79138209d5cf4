//! Zeek's logs: `conn.log`, and `ssl.log` and `dns.log` for the names that it lacks.

mod fields;

use self::fields::{CONN, DNS, Field, HEAD, SSL};
use super::Json;
use crate::{Flow, calendar::SECOND_US};
use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// A log of Zeek's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// `conn.log`: every flow.
    Conn,
    /// `ssl.log`: flows of service `ssl` or `quic` with a name.
    Ssl,
    /// `dns.log`: flows of service `dns` with a name.
    Dns,
}

/// How Zeek writes a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Zeek's own, with `#` lines before and after.
    Tsv,
    /// One object a line.
    Json,
}

/// Writes a log as Zeek 7 does, with the policies `mac-logging`, `vlan-logging` and `community-id-logging`.
///
/// Times are seconds since 1970 with six decimals. Two fields come from a logging extension (`Log::default_ext_func`),
/// which is not there unless someone sets it up: `_path` and `_system_name`, the sensor. Here JSON has it, as
/// sites that collect logs of several sensors do, and TSV is Zeek's own without it, so that the sensor is lost.
///
/// | lost | why |
/// |---|---|
/// | `sensor`, in TSV | see above |
/// | PSH, and the ACK of a refusal | `history` has no letter for them |
/// | `dst_name` of `http` | it is in `http.log`, which is not written |
/// | bytes of a flow of one instant | Zeek sets neither `duration` nor bytes without time |
///
/// What the generator does not know, such as ciphers, query types and answers, is unset.
#[derive(Debug)]
pub struct Zeek<W> {
    out: W,
    log: Log,
    format: Format,
    /// The end of the last flow, or when the log was opened.
    latest_us: i64,
    line: String,
    value: String,
}

impl<W: Write> Zeek<W> {
    /// Begins a log that was opened at an instant, UTC microseconds, of which `#open` tells.
    ///
    /// # Errors
    /// The `#` lines cannot be written.
    pub fn new(out: W, log: Log, format: Format, opened_us: i64) -> io::Result<Self> {
        let mut zeek = Self { out, log, format, latest_us: opened_us, line: String::new(), value: String::new() };
        if format == Format::Tsv {
            zeek.header()?;
        }
        Ok(zeek)
    }

    /// Writes a line, if the flow belongs into the log.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, flow: &Flow) -> io::Result<()> {
        self.latest_us = self.latest_us.max(flow.end_us);
        let belongs = match self.log {
            Log::Conn => true,
            Log::Ssl => matches!(flow.service, "ssl" | "quic") && flow.dst_name.is_some(),
            Log::Dns => flow.service == "dns" && flow.dst_name.is_some(),
        };
        if !belongs {
            return Ok(());
        }
        self.line.clear();
        match self.format {
            Format::Tsv => self.tsv(flow),
            Format::Json => self.json(flow),
        }
        .map_err(io::Error::other)?;
        self.out.write_all(self.line.as_bytes())
    }

    /// Ends the log, and gives back what was written to.
    ///
    /// # Errors
    /// The last line cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        if self.format == Format::Tsv {
            writeln!(self.out, "#close\t{}", instant(self.latest_us)?)?;
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn header(&mut self) -> io::Result<()> {
        let path = self.log.path();
        let opened = instant(self.latest_us)?;
        write!(self.out, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n")?;
        write!(self.out, "#path\t{path}\n#open\t{opened}\n")?;
        let (names, kinds): (String, String) =
            self.log.fields().map(|field| (format!("\t{}", field.name), format!("\t{}", field.kind))).unzip();
        write!(self.out, "#fields{names}\n#types{kinds}\n")
    }

    fn tsv(&mut self, flow: &Flow) -> std::fmt::Result {
        for field in self.log.fields() {
            self.value.clear();
            (field.value)(flow, &mut self.value)?;
            let tab = if self.line.is_empty() { "" } else { "\t" };
            let value = match self.value.as_str() {
                "" => "-",
                "true" => "T",
                "false" => "F",
                value => value,
            };
            write!(self.line, "{tab}{value}")?;
        }
        self.line.write_char('\n')
    }

    fn json(&mut self, flow: &Flow) -> std::fmt::Result {
        write!(self.line, "{{\"_path\":\"{}\",\"_system_name\":{}", self.log.path(), Json(flow.sensor))?;
        for field in self.log.fields() {
            self.value.clear();
            (field.value)(flow, &mut self.value)?;
            match field.kind {
                _ if self.value.is_empty() => {}
                "string" | "addr" | "enum" => write!(self.line, ",\"{}\":{}", field.name, Json(&self.value))?,
                _ => write!(self.line, ",\"{}\":{}", field.name, self.value)?,
            }
        }
        self.line.write_str("}\n")
    }
}

impl Log {
    /// The log's name.
    const fn path(self) -> &'static str {
        match self {
            Self::Conn => "conn",
            Self::Ssl => "ssl",
            Self::Dns => "dns",
        }
    }

    fn fields(self) -> impl Iterator<Item = &'static Field> {
        let own = match self {
            Self::Conn => CONN,
            Self::Ssl => SSL,
            Self::Dns => DNS,
        };
        HEAD.iter().chain(own)
    }
}

/// The text that Zeek's logs have for a flow's `uid`: a C and the number in base 62.
pub fn uid(number: u64) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digits = (0..11).rev().map(|place| char::from(ALPHABET[(number / 62_u64.pow(place) % 62) as usize]));
    std::iter::once('C').chain(digits).collect()
}

fn instant(us: i64) -> io::Result<impl std::fmt::Display> {
    let at = jiff::Timestamp::from_second(us.div_euclid(SECOND_US)).map_err(io::Error::other)?;
    Ok(at.strftime("%Y-%m-%d-%H-%M-%S").to_string())
}

#[cfg(test)]
mod tests;
