//! What `nfdump -w` writes, made by hand.

/// The bytes of an element by its number.
pub(super) type Element = (u16, Vec<u8>);

/// Bytes of numbers in the order of this machine, each with its length.
pub(super) fn numbers(numbers: &[(u64, usize)]) -> Vec<u8> {
    let of = |(number, length): &(u64, usize)| {
        let bytes = number.to_ne_bytes();
        if cfg!(target_endian = "little") { bytes[..*length].to_vec() } else { bytes[8 - length..].to_vec() }
    };
    numbers.iter().flat_map(of).collect()
}

/// What every flow has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// In milliseconds since 1970.
    pub(super) times: (u64, u64),
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) ports: (u16, u16),
    pub(super) protocol: u8,
    pub(super) flags: u8,
}

/// What an SSH server sent on 2018-01-12.
pub(super) const SSH: Flow = Flow {
    times: (1_515_771_450_940, 1_515_771_450_960),
    packets: 3,
    bytes: 580,
    ports: (22, 44_948),
    protocol: 6,
    flags: 0x18,
};

impl Flow {
    /// The element that has it.
    pub(super) fn element(&self) -> Element {
        let (first, last) = self.times;
        let ports = [(self.ports.0.into(), 2), (self.ports.1.into(), 2)];
        let counts = [(first, 8), (last, 8), (0, 8), (self.packets, 8), (self.bytes, 8)];
        let rest = [self.protocol, self.flags, 0, 0];
        (1, [numbers(&counts), numbers(&ports), rest.to_vec()].concat())
    }
}

/// The element with IPv4 addresses.
pub(super) fn ipv4(src: [u8; 4], dst: [u8; 4]) -> Element {
    (2, numbers(&[src, dst].map(|ip| (u32::from_be_bytes(ip).into(), 4))))
}

/// A record of elements.
pub(super) fn record_of(elements: &[Element]) -> Vec<u8> {
    let with_header =
        |(kind, body): &Element| [numbers(&[(u64::from(*kind), 2), (body.len() as u64 + 4, 2)]), body.clone()].concat();
    let body: Vec<u8> = elements.iter().flat_map(with_header).collect();
    let header = numbers(&[(11, 2), (body.len() as u64 + 12, 2), (elements.len() as u64, 2), (0, 6)]);
    [header, body].concat()
}

/// The record of a flow from 10.0.0.1 to 10.0.0.2.
pub(super) fn record(flow: &Flow) -> Vec<u8> {
    record_of(&[flow.element(), ipv4([10, 0, 0, 1], [10, 0, 0, 2])])
}

/// A block of records.
pub(super) fn block(records: &[Vec<u8>]) -> Vec<u8> {
    let body = records.concat();
    [numbers(&[(records.len() as u64, 4), (body.len() as u64, 4), (3, 2), (0, 2)]), body].concat()
}

/// A file of blocks, with an appendix after them.
pub(super) fn file(blocks: &[Vec<u8>]) -> Vec<u8> {
    let blocks = blocks.concat();
    // An ident, "none".
    let appendix = block(&[[numbers(&[(0x8001, 2), (9, 2)]), b"none\0".to_vec()].concat()]);
    [header(1, 40 + blocks.len() as u64), blocks, appendix].concat()
}

/// A file of blocks that `nfdump` did not come to complete.
pub(super) fn uncompleted(blocks: &[Vec<u8>]) -> Vec<u8> {
    [header(0, 0), blocks.concat()].concat()
}

fn header(appendix_blocks: u64, appendix: u64) -> Vec<u8> {
    let begin = [(0xa50c, 2), (2, 2), (0x0107_0100, 4), (1_515_771_600, 8), (0, 2), (appendix_blocks, 2), (4, 4)];
    [numbers(&begin), numbers(&[(appendix, 8), (0, 8)])].concat()
}
