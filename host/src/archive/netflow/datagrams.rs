//! Where datagrams come from: a packet capture, or a file of them one after the other.

use std::{io::Read, net::IpAddr, ops::Range};

use super::{
    bare,
    bytes::{array, be16, be32},
    capture::{Capture, Step},
    packet::{Packet, packet},
    window::Window,
};
use crate::error::{Error, Result};

/// Bytes of something unreadable that are shown.
const SHOWN: usize = 512;

/// The datagrams of an input.
#[derive(Debug)]
pub(super) struct Datagrams<R> {
    window: Window<R>,
    /// Absent for a file of datagrams.
    capture: Option<Capture>,
    datagram: Datagram,
    /// Bytes in view that are done with.
    taken: usize,
    is_over: bool,
}

/// A datagram in view.
#[derive(Clone, Debug, Default)]
struct Datagram {
    bytes: Range<usize>,
    sent: usize,
    source: Option<(IpAddr, u16)>,
    place: u64,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A datagram that looks like `NetFlow` or IPFIX.
    Datagram,
    /// A packet without one, by its kind.
    Other(&'static str),
    /// What could not be read, and why; [`Datagrams::bytes`] has its beginning.
    Reject(String),
    /// There is no more.
    End,
}

impl<R: Read> Datagrams<R> {
    /// # Errors
    /// The input cannot be read, or is neither a packet capture nor begins with a datagram.
    pub(super) fn new(input: R) -> Result<Self> {
        let mut window = Window::new(input);
        let capture = Capture::open(&mut window)?;
        let is_file = bare::begins(window.bytes()) || window.bytes().is_empty();
        if capture.is_none() && !is_file {
            let first = &window.bytes()[..window.bytes().len().min(16)];
            return Err(Error::usage(format!(
                "it holds no NetFlow: its first bytes, \"{}\", begin neither a packet capture nor a datagram of \
                 version 5, 9 or 10",
                first.escape_ascii()
            ))
            .remedy("give a pcap or pcapng capture of NetFlow or IPFIX datagrams, an IPFIX file, or raw datagrams"));
        }
        Ok(Self { window, capture, datagram: Datagram::default(), taken: 0, is_over: false })
    }

    /// Goes to the next datagram.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(super) fn advance(&mut self) -> Result<Arrival> {
        if self.is_over {
            return Ok(Arrival::End);
        }
        self.window.skip(self.taken)?;
        self.taken = 0;
        let step = match &mut self.capture {
            Some(capture) => capture.step(&mut self.window)?,
            None => return self.advance_file(),
        };
        let position = self.window.position();
        match step {
            Step::Frame(frame) => {
                self.taken = frame.taken;
                let bytes = &self.window.bytes()[frame.bytes.clone()];
                let (arrival, within) = match packet(frame.link, bytes) {
                    Packet::Udp(udp) => {
                        let within = udp.start..udp.start + udp.length;
                        self.datagram.sent = udp.sent;
                        self.datagram.source = Some(udp.source);
                        (kind(&bytes[within.clone()], udp.sent), within)
                    }
                    Packet::Fragment => (Arrival::Other("fragment"), 0..bytes.len()),
                    Packet::Other => (Arrival::Other("packet"), 0..bytes.len()),
                };
                let start = frame.bytes.start;
                self.datagram.bytes = start + within.start..start + within.end;
                self.datagram.place = position + self.datagram.bytes.start as u64;
                Ok(arrival)
            }
            Step::Reject(reason, taken) => {
                self.taken = taken;
                self.show(taken);
                Ok(Arrival::Reject(reason))
            }
            Step::Damage(reason) => Ok(self.damage(reason)),
            Step::End => Ok(self.end()),
        }
    }

    /// The datagram's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.window.bytes()[self.datagram.bytes.clone()]
    }

    /// How long it was when sent; captures may hold less.
    pub(super) const fn sent(&self) -> usize {
        self.datagram.sent
    }

    /// Who sent it; a file does not tell.
    pub(super) const fn source(&self) -> Option<(IpAddr, u16)> {
        self.datagram.source
    }

    /// Where its first byte stands in the input.
    pub(super) const fn place(&self) -> u64 {
        self.datagram.place
    }

    /// Whether a compressed input broke off.
    pub(super) fn is_broken(&self) -> bool {
        self.window.broken().is_some()
    }

    fn advance_file(&mut self) -> Result<Arrival> {
        Ok(match bare::length(&mut self.window)? {
            Ok(0) => self.end(),
            Ok(length) => {
                self.taken = length;
                self.datagram =
                    Datagram { bytes: 0..length, sent: length, source: None, place: self.window.position() };
                Arrival::Datagram
            }
            Err(reason) => self.damage(reason),
        })
    }

    /// What follows cannot be found.
    fn damage(&mut self, reason: String) -> Arrival {
        self.is_over = true;
        self.show(usize::MAX);
        let why = self.window.broken().map(str::to_owned);
        Arrival::Reject(why.unwrap_or_else(|| format!("{reason}; nothing after it can be read")))
    }

    /// The end, which a decompressor may have come to before its time.
    fn end(&mut self) -> Arrival {
        self.is_over = true;
        self.show(usize::MAX);
        self.window.broken().map_or(Arrival::End, |why| Arrival::Reject(why.to_owned()))
    }

    fn show(&mut self, length: usize) {
        let length = length.min(SHOWN).min(self.window.bytes().len());
        self.datagram = Datagram { bytes: 0..length, place: self.window.position(), ..Datagram::default() };
    }
}

/// What a UDP payload is, whatever its port. Of `NetFlow` the length is asked too, for a DNS query may begin with a 5.
fn kind(payload: &[u8], sent: usize) -> Arrival {
    let is_set = |at: usize, allowed: &[u16]| match (be16(payload, at), be16(payload, at + 2)) {
        (Some(id), Some(length)) => {
            (allowed.contains(&id) || id >= 256) && length >= 4 && usize::from(length) <= sent - at
        }
        _ => false,
    };
    let is_netflow = match be16(payload, 0) {
        Some(5) => be16(payload, 2).is_some_and(|count| sent == bare::V5_HEADER + usize::from(count) * bare::V5_RECORD),
        Some(9) => sent == bare::V9_HEADER || is_set(bare::V9_HEADER, &[0, 1]),
        Some(10) => sent == bare::IPFIX_HEADER || is_set(bare::IPFIX_HEADER, &[2, 3]),
        _ => false,
    };
    // sFlow: version 2, 4 or 5 in four bytes, and then the kind of the agent's address.
    let is_sflow = matches!(be32(payload, 0), Some(2 | 4 | 5)) && matches!(array(payload, 4), Some([0, 0, 0, 1 | 2]));
    match (is_netflow, is_sflow) {
        (true, _) => Arrival::Datagram,
        (_, true) => Arrival::Other("sflow"),
        _ => Arrival::Other("packet"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrival, kind};

    fn check(payload: &[u8], padding: usize, expected: Arrival) {
        let bytes = [payload, &vec![0; padding]].concat();
        assert_eq!(kind(&bytes, bytes.len()), expected, "{payload:?}");
    }

    #[test]
    fn tells_netflow_by_its_form() {
        check(&[0, 5, 0, 2], 116, Arrival::Datagram);
        check(&[0, 5, 0, 2], 115, Arrival::Other("packet"));
        check(&[0, 5, 1, 0, 0, 1], 23, Arrival::Other("packet"));
        check(&[[0, 9, 0, 1].as_slice(), &[0; 16], &[0, 0, 0, 8]].concat(), 4, Arrival::Datagram);
        check(&[[0, 9, 0, 1].as_slice(), &[0; 16], &[0, 2, 0, 8]].concat(), 4, Arrival::Other("packet"));
        check(&[[0, 9, 0, 1].as_slice(), &[0; 16], &[1, 0, 0, 9]].concat(), 4, Arrival::Other("packet"));
        check(&[[0, 10, 0, 24].as_slice(), &[0; 12], &[1, 0, 0, 8]].concat(), 4, Arrival::Datagram);
        check(&[[0, 10, 0, 24].as_slice(), &[0; 12], &[0, 0, 0, 8]].concat(), 4, Arrival::Other("packet"));
        check(&[0, 0, 0, 5, 0, 0, 0, 1, 10, 0, 0, 1], 20, Arrival::Other("sflow"));
        check(&[0, 0, 0, 5, 0, 0, 0, 3, 10, 0, 0, 1], 20, Arrival::Other("packet"));
        check(&[], 0, Arrival::Other("packet"));
        check(&[0, 10], 0, Arrival::Other("packet"));
    }
}
