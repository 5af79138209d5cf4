//! Templates: what the records of a data set look like (RFC 3954, 5.2 and 6.1; RFC 7011, 3.4).

use super::{
    bytes::{be16, be32},
    elements::{COUNT, Slot},
    message::Version,
    times,
};

/// Templates have no smaller number.
pub(super) const FIRST_DATA_SET: u16 = 256;

/// The length of a field whose records say how long it is.
const VARIABLE: u16 = u16::MAX;

/// A template, made ready for reading.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) id: u16,
    pub(super) holds: Holds,
    /// Bytes of the shortest record.
    pub(super) least: usize,
    /// Whether its times count from when the exporter booted, and it does not say when.
    pub(super) needs_boot: bool,
    layout: Layout,
}

/// What a template's records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Something between two addresses.
    Flows,
    /// Something else, such as counters of an interface.
    NoFlows,
    /// What the exporter says of itself.
    Options,
}

#[derive(Debug)]
enum Layout {
    /// Every record has its values in the same places.
    Fixed(Box<Slots>),
    Variable(Box<[Field]>),
}

#[derive(Clone, Copy, Debug)]
struct Field {
    slot: Option<Slot>,
    length: u16,
}

/// Where a record's values are, from its first byte on.
#[derive(Clone, Debug)]
pub(super) struct Slots([Span; COUNT]);

/// No value has length 0.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u16,
    length: u16,
}

impl Default for Slots {
    fn default() -> Self {
        Self([Span::default(); COUNT])
    }
}

impl Slots {
    /// A record's value of an element; none if it has none.
    #[inline]
    pub(super) fn get<'a>(&self, slot: Slot, record: &'a [u8]) -> Option<&'a [u8]> {
        let Span { start, length } = self.0[slot as usize];
        if length == 0 {
            return None;
        }
        record.get(usize::from(start)..usize::from(start) + usize::from(length))
    }

    /// Sets where a value is. Of elements that come several times, as with tunnels, the first counts.
    fn set(&mut self, slot: Slot, start: usize, length: usize) {
        let span = &mut self.0[slot as usize];
        if span.length == 0
            && let (Ok(start), Ok(length)) = (start.try_into(), length.try_into())
        {
            *span = Span { start, length };
        }
    }

    fn has(&self, slot: Slot) -> bool {
        self.0[slot as usize].length > 0
    }
}

/// What a template set says in one record.
#[derive(Debug)]
pub(super) enum Definition {
    Template(Template),
    /// A template holds no more (RFC 7011, 8.1).
    Withdrawal(u16),
    /// None of that kind of set holds any more.
    WithdrawalOfAll,
}

/// A template that cannot be used.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    /// Its number, if it has one.
    pub(super) id: Option<u16>,
}

/// Reads the template at the front of a template set, or of a set of options templates. Returns it with its length,
/// which is that of the whole rest where its end cannot be told.
pub(super) fn read(set: &[u8], version: Version, is_options: bool) -> (Result<Definition, Refusal>, usize) {
    let cut = || {
        let reason = format!("the template's {} bytes break off", set.len());
        (Err(Refusal { reason, id: be16(set, 0).filter(|id| *id >= FIRST_DATA_SET) }), set.len())
    };
    let (Some(id), Some(count)) = (be16(set, 0), be16(set, 2)) else {
        return cut();
    };
    if version == Version::Ipfix && count == 0 {
        let all = if is_options { 3 } else { 2 };
        let withdrawal = if id == all { Definition::WithdrawalOfAll } else { Definition::Withdrawal(id) };
        return (Ok(withdrawal), 4);
    }
    // The fields, and how many of them are scopes.
    let (scopes, fields, start) = match (is_options, be16(set, 4).map(usize::from), version) {
        (false, ..) => (0, usize::from(count), 4),
        (true, Some(scopes), Version::Ipfix) => (scopes, usize::from(count), 6),
        // Version 9 gives the lengths of both in bytes.
        (true, Some(options), _) => (usize::from(count) / 4, (usize::from(count) + options) / 4, 6),
        (true, None, _) => return cut(),
    };
    let mut at = start;
    let mut draft = Draft::default();
    for place in 0..fields {
        let (Some(kind), Some(length)) = (be16(set, at), be16(set, at + 2)) else {
            return cut();
        };
        at += 4;
        let slot = match version {
            Version::Ipfix if kind & 0x8000 != 0 => {
                let Some(enterprise) = be32(set, at) else {
                    return cut();
                };
                at += 4;
                Slot::of(version, enterprise, kind & 0x7fff)
            }
            Version::Ipfix => Slot::of(version, 0, kind),
            _ if place < scopes => Slot::of_v9_scope(kind),
            _ => Slot::of(version, 0, kind),
        };
        draft.add(slot, length);
    }
    let template = draft.finish(id, is_options);
    (template.map(Definition::Template).map_err(|reason| Refusal { reason, id: Some(id) }), at)
}

/// A template in the making.
#[derive(Default)]
struct Draft {
    fields: Vec<Field>,
    slots: Slots,
    least: usize,
    is_variable: bool,
    /// The first field that cannot be as it is.
    wrong: Option<(Slot, u16, &'static str)>,
}

impl Draft {
    fn add(&mut self, slot: Option<Slot>, length: u16) {
        if let Some(slot) = slot {
            if let Some(rule) = slot.element().refuses(length) {
                self.wrong.get_or_insert((slot, length, rule));
            }
            self.slots.set(slot, self.least, length.into());
        }
        self.fields.push(Field { slot, length });
        self.is_variable |= length == VARIABLE;
        self.least += if length == VARIABLE { 1 } else { usize::from(length) };
    }

    fn finish(self, id: u16, is_options: bool) -> Result<Template, String> {
        if id < FIRST_DATA_SET {
            return Err(format!("the template has the number {id}; it must have {FIRST_DATA_SET} or more"));
        }
        if let Some((slot, length, rule)) = self.wrong {
            let name = slot.element().name;
            return Err(format!("template {id} gives {name} {length} bytes; it must have {rule}"));
        }
        if self.least == 0 || self.least > usize::from(u16::MAX) {
            return Err(format!("template {id} has records of {} bytes; they must have 1 to 65535", self.least));
        }
        let has = |slot| self.slots.has(slot);
        let has_addresses =
            has(Slot::SourceIpv4) && has(Slot::DestinationIpv4) || has(Slot::SourceIpv6) && has(Slot::DestinationIpv6);
        let holds = match (is_options, has_addresses) {
            (true, _) => Holds::Options,
            (false, true) => Holds::Flows,
            (false, false) => Holds::NoFlows,
        };
        let needs_boot = holds == Holds::Flows && times::need_boot(has);
        let layout =
            if self.is_variable { Layout::Variable(self.fields.into()) } else { Layout::Fixed(Box::new(self.slots)) };
        Ok(Template { id, holds, least: self.least, needs_boot, layout })
    }
}

impl Template {
    /// A template of these elements, as version 5 has one that never changes. What is not read has no slot.
    pub(super) fn of(fields: &[(Option<Slot>, u16)]) -> Result<Self, String> {
        let mut draft = Draft::default();
        for &(slot, length) in fields {
            draft.add(slot, length);
        }
        draft.finish(FIRST_DATA_SET, false)
    }

    /// Finds the values of the record at the front of a set, and returns its length; none if it runs past the end.
    #[inline]
    pub(super) fn locate(&self, set: &[u8], slots: &mut Slots) -> Option<usize> {
        match &self.layout {
            Layout::Fixed(fixed) => {
                if set.len() < self.least {
                    return None;
                }
                slots.0.copy_from_slice(&fixed.0);
                Some(self.least)
            }
            Layout::Variable(fields) => locate_each(fields, set, slots),
        }
    }

    /// About how much memory it takes.
    pub(super) fn memory(&self) -> usize {
        let fields = match &self.layout {
            Layout::Fixed(_) => size_of::<Slots>(),
            Layout::Variable(fields) => size_of_val(&**fields),
        };
        size_of::<Self>() + fields
    }
}

fn locate_each(fields: &[Field], set: &[u8], slots: &mut Slots) -> Option<usize> {
    *slots = Slots::default();
    let mut at = 0;
    for field in fields {
        let length = match field.length {
            // One byte, or 255 and two more (RFC 7011, 7).
            VARIABLE => {
                let first = *set.get(at)?;
                at += 1;
                if first == u8::MAX {
                    let length = be16(set, at)?;
                    at += 2;
                    usize::from(length)
                } else {
                    usize::from(first)
                }
            }
            fixed => usize::from(fixed),
        };
        if let Some(slot) = field.slot {
            slots.set(slot, at, length);
        }
        at += length;
    }
    (at <= set.len()).then_some(at)
}
