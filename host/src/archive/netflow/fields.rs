//! The values of a record.

use std::net::IpAddr;

use super::{
    bytes::{array, number},
    elements::Slot,
    template::Slots,
};

/// A record and where its values are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    pub(super) slots: &'a Slots,
    pub(super) record: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The bytes of a value.
    #[inline]
    pub(super) fn bytes(&self, slot: Slot) -> Option<&'a [u8]> {
        self.slots.get(slot, self.record)
    }

    #[inline]
    pub(super) fn number(&self, slot: Slot) -> Option<u64> {
        self.bytes(slot).map(number)
    }

    /// The first of some numbers that the record has.
    #[inline]
    pub(super) fn first(&self, slots: &[Slot]) -> Option<u64> {
        slots.iter().find_map(|slot| self.number(*slot))
    }

    /// A number that must fit. On failure the reason.
    #[inline]
    pub(super) fn small<T: TryFrom<u64>>(&self, slot: Slot) -> Result<Option<T>, String> {
        match self.number(slot) {
            None => Ok(None),
            Some(number) => match T::try_from(number) {
                Ok(small) => Ok(Some(small)),
                Err(_) => Err(too_large(slot, number, size_of::<T>())),
            },
        }
    }

    /// A MAC address; none if it is zero, which stands for none.
    #[inline]
    pub(super) fn mac(&self, slot: Slot) -> Option<[u8; 6]> {
        self.bytes(slot).and_then(|bytes| array(bytes, 0)).filter(|mac| *mac != [0; 6])
    }

    /// Source and destination. Of a record that has both kinds the IPv4 ones count, unless both are 0.0.0.0.
    #[inline]
    pub(super) fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        let v4 = self.ip::<4>(Slot::SourceIpv4).zip(self.ip::<4>(Slot::DestinationIpv4));
        let is_unset = |(src, dst): (IpAddr, IpAddr)| src.is_unspecified() && dst.is_unspecified();
        if let Some(pair) = v4
            && !is_unset(pair)
        {
            return Some(pair);
        }
        self.ip::<16>(Slot::SourceIpv6).zip(self.ip::<16>(Slot::DestinationIpv6)).or(v4)
    }

    /// The exporter, if the record names it.
    pub(super) fn exporter(&self) -> Option<IpAddr> {
        let v4 = self.ip::<4>(Slot::ExporterIpv4).filter(|ip| !ip.is_unspecified());
        v4.or_else(|| self.ip::<16>(Slot::ExporterIpv6).filter(|ip| !ip.is_unspecified()))
    }

    #[inline]
    fn ip<const N: usize>(&self, slot: Slot) -> Option<IpAddr>
    where
        IpAddr: From<[u8; N]>,
    {
        self.bytes(slot).and_then(|bytes| array::<N>(bytes, 0)).map(IpAddr::from)
    }
}

#[cold]
fn too_large(slot: Slot, number: u64, bytes: usize) -> String {
    format!("{} is {number}; it must fit {} bits", slot.element().name, bytes * 8)
}
