//! Data sets that came before what is needed to read them. Exporters on UDP send templates and options only now and
//! then (RFC 3954, 9), so that a capture may begin with data, and datagrams overtake each other.

use std::{collections::HashMap, mem, sync::Arc};

use super::{set::Context, template::Template};

/// Bytes of sets that wait at most. At 1 Mbit/s of export that is nine minutes of it, and exporters repeat templates
/// every ten minutes or so.
const MOST_BYTES: usize = 64 << 20;

/// What the first set of a template takes beside its bytes, and each further one: a list begins with room for four.
const FIRST_MEMORY: usize = 5 * size_of::<Waiting>();
const MORE_MEMORY: usize = size_of::<Waiting>();

/// A data set that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) awaits: Awaits,
    pub(super) context: Context,
    pub(super) bytes: Vec<u8>,
}

/// What a data set waits for.
#[derive(Debug)]
pub(super) enum Awaits {
    /// The template of this number.
    Template(u16),
    /// The time at which the exporter booted; the template is there.
    Boot(Arc<Template>),
}

impl Awaits {
    fn template(&self) -> Option<u16> {
        match self {
            Self::Template(id) => Some(*id),
            Self::Boot(_) => None,
        }
    }
}

/// The sets that wait, by domain and the template that they wait for, if it is that.
#[derive(Debug, Default)]
pub(super) struct Late {
    sets: HashMap<(usize, Option<u16>), Vec<Waiting>>,
    bytes: usize,
}

impl Late {
    /// Keeps a set, unless that would be too many; then it says so.
    pub(super) fn keep(&mut self, awaits: Awaits, context: Context, bytes: &[u8]) -> Result<(), String> {
        let key = (context.domain, awaits.template());
        let memory = bytes.len() + if self.sets.contains_key(&key) { MORE_MEMORY } else { FIRST_MEMORY };
        if self.bytes + memory > MOST_BYTES {
            return Err(format!("{} MiB of data wait already", MOST_BYTES >> 20));
        }
        self.bytes += memory;
        self.sets.entry(key).or_default().push(Waiting { awaits, context, bytes: bytes.to_vec() });
        Ok(())
    }

    /// Gives up the sets of a domain that wait for a template, or for none, in the order in which they came.
    pub(super) fn take(&mut self, domain: usize, template: Option<u16>) -> Vec<Waiting> {
        let Some(sets) = self.sets.remove(&(domain, template)) else {
            return Vec::new();
        };
        let memory: usize = sets.iter().map(|set| set.bytes.len() + MORE_MEMORY).sum();
        self.bytes -= memory + FIRST_MEMORY - MORE_MEMORY;
        sets
    }

    /// Gives up all, in the order in which they came.
    pub(super) fn take_all(&mut self) -> Vec<Waiting> {
        self.bytes = 0;
        let mut sets: Vec<_> = mem::take(&mut self.sets).into_values().flatten().collect();
        sets.sort_by_key(|set| set.context.place);
        sets
    }
}

#[cfg(test)]
mod tests {
    use super::{Awaits, Late, MOST_BYTES};
    use crate::archive::netflow::{set::Context, v5};

    #[test]
    fn keeps_so_much_and_no_more() {
        let mut late = Late::default();
        let context = |place| Context { place, ..Context::default() };
        let half = vec![0; MOST_BYTES / 2];
        late.keep(Awaits::Template(256), context(1), &half).unwrap();
        late.keep(Awaits::Template(257), context(0), &[]).unwrap();
        let full = late.keep(Awaits::Template(256), context(2), &half).unwrap_err();
        assert_eq!(full, "64 MiB of data wait already");
        assert_eq!(late.take(0, Some(258)).len(), 0);
        assert_eq!(late.take(0, Some(256)).len(), 1);
        assert_eq!(late.bytes, super::FIRST_MEMORY);
        late.keep(Awaits::Boot(v5::template().unwrap()), context(3), &half).unwrap();
        let places: Vec<_> = late.take_all().iter().map(|set| set.context.place).collect();
        assert_eq!((places, late.bytes), (vec![0, 3], 0));
    }
}
