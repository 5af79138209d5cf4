use std::{borrow::Cow, marker::PhantomData, ops::Index};

use wardflow_manifest::{ConnState, Direction, PeerRole, PeerScope};

/// Calls a macro with the list of columns: method, element type, column of the manifest. One list, so that the guest,
/// the native batch and the contract cannot drift apart.
macro_rules! with_columns {
    ($callback:ident) => {
        $callback! {
            start_time: i64 = StartTime,
            end_time: i64 = EndTime,
            direction: u8 = Direction,
            peer: u64 = Peer,
            peer_scope: u8 = PeerScope,
            peer_class: u32 = PeerClass,
            peer_role: u8 = PeerRole,
            peer_zone: u32 = PeerZone,
            peer_group: u16 = PeerGroup,
            peer_prevalence: u32 = PeerPrevalence,
            local_port: u16 = LocalPort,
            peer_port: u16 = PeerPort,
            protocol: u8 = Protocol,
            service: u32 = Service,
            bytes_sent: u64 = BytesSent,
            bytes_received: u64 = BytesReceived,
            packets_sent: u64 = PacketsSent,
            packets_received: u64 = PacketsReceived,
            conn_state: u8 = ConnState,
            minute_of_week: u16 = MinuteOfWeek,
            local_role: u8 = LocalRole,
        }
    };
}
pub(crate) use with_columns;

macro_rules! columns_trait {
    ($($method:ident: $type:ty = $column:ident,)*) => {
        /// Where the columns of a batch come from: the contract in the sandbox, a [`native::Batch`](crate::native)
        /// or a host's own batch outside. Each column has [`len`](Self::len) entries, in the units and codes of
        /// `wit/detector.wit`.
        pub trait Columns {
            /// Number of flows.
            fn len(&self) -> usize;

            /// Whether there are no flows.
            fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Position of the first flow among the session's flows of this slice.
            fn first_row(&self) -> u32;

            $(
                #[doc = concat!("The column `", stringify!($method), "`.")]
                fn $method(&self) -> Cow<'_, [$type]>;
            )*
        }
    };
}
with_columns!(columns_trait);

/// A code of the contract that stands for a variant.
pub trait Code: Copy + 'static {
    /// The variants, in the order of their codes.
    const VARIANTS: &'static [Self];
    /// What a code of a later contract is read as.
    const OTHER: &'static Self;
}

impl Code for Direction {
    const VARIANTS: &'static [Self] = &[Self::Outbound, Self::Inbound];
    const OTHER: &'static Self = &Self::Inbound;
}

impl Code for PeerScope {
    const VARIANTS: &'static [Self] =
        &[Self::SameZone, Self::OtherInternal, Self::External, Self::Multicast, Self::Broadcast, Self::Unspecified];
    const OTHER: &'static Self = &Self::Unspecified;
}

impl Code for PeerRole {
    const VARIANTS: &'static [Self] = &[
        Self::None,
        Self::Scanner,
        Self::NetworkManagement,
        Self::Backup,
        Self::Proxy,
        Self::Nat,
        Self::RemoteService,
        Self::NameServer,
        Self::TimeServer,
        Self::DomainController,
        Self::DhcpServer,
    ];
    const OTHER: &'static Self = &Self::None;
}

impl Code for ConnState {
    const VARIANTS: &'static [Self] = &[
        Self::Unknown,
        Self::S0,
        Self::S1,
        Self::Sf,
        Self::Rej,
        Self::S2,
        Self::S3,
        Self::Rsto,
        Self::Rstr,
        Self::Rstos0,
        Self::Rstrh,
        Self::Sh,
        Self::Shr,
        Self::Oth,
    ];
    const OTHER: &'static Self = &Self::Unknown;
}

/// A column of codes, read as variants: `flows.direction()[i] == Direction::Outbound`.
#[derive(Clone, Copy, Debug)]
pub struct Codes<'a, C> {
    raw: &'a [u8],
    code: PhantomData<C>,
}

impl<'a, C: Code> Codes<'a, C> {
    pub(crate) fn new(raw: &'a [u8]) -> Self {
        Self { raw, code: PhantomData }
    }

    /// The codes themselves.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The variants, in order.
    pub fn iter(&self) -> impl Iterator<Item = C> + 'a {
        self.raw.iter().map(|code| *variant(*code))
    }
}

impl<C: Code> Index<usize> for Codes<'_, C> {
    type Output = C;

    fn index(&self, row: usize) -> &C {
        variant(self.raw[row])
    }
}

fn variant<C: Code>(code: u8) -> &'static C {
    C::VARIANTS.get(usize::from(code)).unwrap_or(C::OTHER)
}

#[cfg(test)]
mod tests {
    use super::{Code, Codes, ConnState, Direction, PeerRole, PeerScope};

    fn check<C: Code>(as_code: fn(C) -> u8) {
        for (code, variant) in C::VARIANTS.iter().enumerate() {
            assert_eq!(usize::from(as_code(*variant)), code);
        }
    }

    #[test]
    fn variants_stand_at_their_codes() {
        check::<Direction>(|variant| variant as u8);
        check::<PeerScope>(|variant| variant as u8);
        check::<PeerRole>(|variant| variant as u8);
        check::<ConnState>(|variant| variant as u8);
        assert_eq!(ConnState::VARIANTS.len(), ConnState::ALL.len());
        assert_eq!(PeerRole::VARIANTS.len(), PeerRole::DECLARED.len() + 1);
    }

    #[test]
    fn a_later_code_is_read_as_other() {
        assert_eq!(Codes::<ConnState>::new(&[3, 200])[0], ConnState::Sf);
        assert_eq!(Codes::<ConnState>::new(&[3, 200])[1], ConnState::Unknown);
    }
}
