//! Packet captures: frames out of the containers pcap and pcapng.
//!
//! Facts: `draft-ietf-opsawg-pcap`, `draft-ietf-opsawg-pcapng`, and tcpdump.org's list of link types.

use std::{io::Read, ops::Range};

use super::{packet::Link, window::Window};
use crate::error::{Error, Result};

/// Longest packet in bytes: libpcap's own bound. A longer one is taken for damage.
const MOST_PACKET: usize = 256 << 10;

/// Longest pcapng block with a packet: the packet and its options.
const MOST_BLOCK: usize = MOST_PACKET + (64 << 10);

/// Interfaces that a section of a pcapng file may have. No machine has so many.
const MOST_INTERFACES: usize = 65_536;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const PACKET: u32 = 6;

/// What comes next in a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A frame.
    Frame(Frame),
    /// One that cannot be read. It takes so many bytes.
    Reject(String, usize),
    /// The capture is damaged, and what follows cannot be found.
    Damage(String),
    /// There is no more.
    End,
}

/// A frame in view of the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) link: Link,
    /// Its bytes.
    pub(super) bytes: Range<usize>,
    /// The bytes that it takes, with its header and trailer.
    pub(super) taken: usize,
}

/// A capture of one of the two formats.
#[derive(Debug)]
pub(super) enum Capture {
    Pcap { order: Order, link: Link },
    Pcapng { order: Order, interfaces: Vec<Interface> },
}

/// A network interface that packets were captured on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    link: u16,
    /// Bytes of a packet that are kept at most; 0 for all.
    snap: u32,
}

/// The order of the bytes of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let bytes = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let bytes = [bytes[at], bytes[at + 1]];
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    fn length(self, bytes: &[u8], at: usize) -> usize {
        usize::try_from(self.u32(bytes, at)).unwrap_or(usize::MAX)
    }
}

impl Capture {
    /// The capture that begins at the window; none if none does. The header of a pcap file is passed over.
    ///
    /// # Errors
    /// The input cannot be read, or is a capture of packets that are not read.
    pub(super) fn open<R: Read>(window: &mut Window<R>) -> Result<Option<Self>> {
        if !window.has(4)? {
            return Ok(None);
        }
        // Microseconds or nanoseconds: the times of packets are not used.
        let order = match window.bytes()[..4] {
            [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => Order::Little,
            [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => Order::Big,
            [0x0a, 0x0d, 0x0d, 0x0a] => return Ok(Some(Self::Pcapng { order: Order::Little, interfaces: Vec::new() })),
            _ => return Ok(None),
        };
        if !window.has(24)? {
            return Err(Error::usage("the packet capture ends within its header").remedy("give the whole file"));
        }
        // The upper bits tell of checksums at the ends of frames.
        let [low, high] = [order.u16(window.bytes(), 20), order.u16(window.bytes(), 22)];
        let number = if order == Order::Little { low } else { high };
        let link = Link::of(number).ok_or_else(|| {
            Error::usage(format!("the packet capture is of link type {number}, whose packets are not read"))
                .remedy("give a capture of Ethernet, raw IP, loopback or Linux cooked packets")
        })?;
        window.skip(24)?;
        Ok(Some(Self::Pcap { order, link }))
    }

    /// Finds the next frame. What it takes is for the caller to pass over.
    pub(super) fn step<R: Read>(&mut self, window: &mut Window<R>) -> Result<Step> {
        match self {
            Self::Pcap { order, link } => pcap_step(*order, *link, window),
            Self::Pcapng { order, interfaces } => pcapng_step(order, interfaces, window),
        }
    }
}

fn pcap_step<R: Read>(order: Order, link: Link, window: &mut Window<R>) -> Result<Step> {
    if !window.has(16)? {
        return Ok(end(window));
    }
    let length = order.length(window.bytes(), 8);
    if length > MOST_PACKET {
        return Ok(Step::Damage(format!("the packet has {length} bytes; it must have {MOST_PACKET} at most")));
    }
    if !window.has(16 + length)? {
        return Ok(end(window));
    }
    Ok(Step::Frame(Frame { link, bytes: 16..16 + length, taken: 16 + length }))
}

fn pcapng_step<R: Read>(order: &mut Order, interfaces: &mut Vec<Interface>, window: &mut Window<R>) -> Result<Step> {
    loop {
        if !window.has(12)? {
            return Ok(end(window));
        }
        let head = window.bytes();
        let kind = order.u32(head, 0);
        if kind == SECTION {
            *order = match head[8..12] {
                [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
                [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
                _ => return Ok(Step::Damage("the section header's byte-order magic is not 0x1A2B3C4D".into())),
            };
            interfaces.clear();
        }
        let length = order.length(head, 4);
        if length < 12 || !length.is_multiple_of(4) {
            return Ok(Step::Damage(format!(
                "the block has {length} bytes; it must have a multiple of 4, and 12 or more"
            )));
        }
        if !matches!(kind, INTERFACE | OLD_PACKET | SIMPLE_PACKET | PACKET) {
            let is_whole = window.skip(length - 4)? && window.has(4)?;
            if !is_whole || order.length(window.bytes(), 0) != length {
                return Ok(Step::Damage(format!("the block of kind {kind} has {length} bytes, and does not end so")));
            }
            window.skip(4)?;
            continue;
        }
        if length > MOST_BLOCK {
            return Ok(Step::Damage(format!(
                "the block of kind {kind} has {length} bytes; it must have {MOST_BLOCK} at most"
            )));
        }
        if !window.has(length)? {
            return Ok(end(window));
        }
        let block = &window.bytes()[..length];
        if order.length(block, length - 4) != length {
            return Ok(Step::Damage(format!("the block of kind {kind} has {length} bytes, and does not end so")));
        }
        if kind == INTERFACE {
            if length < 20 || interfaces.len() == MOST_INTERFACES {
                return Ok(Step::Damage(format!(
                    "the interface's block has {length} bytes and {} before it; it must have 20 or more, and fewer \
                     than {MOST_INTERFACES} before it",
                    interfaces.len()
                )));
            }
            interfaces.push(Interface { link: order.u16(block, 8), snap: order.u32(block, 12) });
            window.skip(length)?;
            continue;
        }
        return Ok(match frame(kind, block, *order, interfaces) {
            Ok(frame) => Step::Frame(frame),
            Err(reason) => Step::Reject(reason, length),
        });
    }
}

/// The frame of a block with a packet.
fn frame(kind: u32, block: &[u8], order: Order, interfaces: &[Interface]) -> Result<Frame, String> {
    let room = block.len() - 4;
    let header = if kind == SIMPLE_PACKET { 12 } else { 28 };
    if room < header {
        return Err(format!("the block of kind {kind} has {} bytes; it must have {} or more", block.len(), header + 4));
    }
    let number = match kind {
        SIMPLE_PACKET => 0,
        OLD_PACKET => usize::from(order.u16(block, 8)),
        _ => order.length(block, 8),
    };
    let interface = interfaces
        .get(number)
        .ok_or_else(|| format!("the packet is of interface {number}; there are {}", interfaces.len()))?;
    let link = Link::of(interface.link)
        .ok_or_else(|| format!("the packet is of link type {}, which is not read", interface.link))?;
    let captured = match (kind, usize::try_from(interface.snap).unwrap_or(usize::MAX)) {
        (SIMPLE_PACKET, 0) => order.length(block, 8).min(room - header),
        (SIMPLE_PACKET, snap) => order.length(block, 8).min(snap).min(room - header),
        _ => order.length(block, 20),
    };
    if captured > room - header {
        return Err(format!("the packet has {captured} bytes where its block has room for {}", room - header));
    }
    Ok(Frame { link, bytes: header..header + captured, taken: block.len() })
}

/// The end of the input: in order, or in the midst of something.
fn end<R: Read>(window: &Window<R>) -> Step {
    match window.bytes().len() {
        0 => Step::End,
        left => Step::Damage(format!("the capture ends in the midst of a packet, {left} bytes after its first")),
    }
}
