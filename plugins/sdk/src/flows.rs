use std::{borrow::Cow, cell::OnceCell, ops::Range};

use wardflow_manifest::{ConnState, Direction, PeerRole, PeerScope};

use crate::{Codes, Columns, columns::with_columns};

/// Up to 8,192 flows of the device, in order of end time, column by column.
///
/// A column is fetched at its first use and kept for the rest of the batch. Only columns that the manifest declares may
/// be used: any other is a fault. Every column has [`len`](Self::len) entries; a flow is the entries of one row.
pub struct Flows<'a> {
    source: &'a dyn Columns,
    len: usize,
    first_row: u32,
    pulled: Pulled<'a>,
}

macro_rules! pulled {
    ($($method:ident: $type:ty = $column:ident,)*) => {
        #[derive(Default)]
        struct Pulled<'a> {
            $($method: OnceCell<Cow<'a, [$type]>>,)*
        }
    };
}
with_columns!(pulled);

/// A documented accessor a column: plain numbers, or codes read as variants.
macro_rules! accessors {
    ($($(#[$doc:meta])* $method:ident: $type:ty,)*) => {
        $(
            $(#[$doc])*
            pub fn $method(&self) -> &[$type] {
                self.pulled.$method.get_or_init(|| self.source.$method())
            }
        )*
    };
    ($($(#[$doc:meta])* $method:ident as $code:ty,)*) => {
        $(
            $(#[$doc])*
            pub fn $method(&self) -> Codes<'_, $code> {
                Codes::new(self.pulled.$method.get_or_init(|| self.source.$method()))
            }
        )*
    };
}

impl<'a> Flows<'a> {
    /// Flows whose columns come from `source`.
    pub fn new(source: &'a dyn Columns) -> Self {
        Self { source, len: source.len(), first_row: source.first_row(), pulled: Pulled::default() }
    }

    /// Number of flows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no flows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The rows, 0 to [`len`](Self::len).
    pub fn rows(&self) -> Range<usize> {
        0..self.len
    }

    /// A row's position among the device's flows of this slice, to name it in [`Draft::example`](crate::Draft::example).
    pub fn position(&self, row: usize) -> u32 {
        self.first_row.saturating_add(u32::try_from(row).unwrap_or(u32::MAX))
    }

    accessors! {
        /// First packet, in microseconds since 1970.
        start_time: i64,
        /// Last packet, in microseconds since 1970; never decreases.
        end_time: i64,
        /// The other end's pseudonym.
        peer: u64,
        /// Device class of a peer that is a known device, as [`name_id`](crate::name_id); zero otherwise.
        peer_class: u32,
        /// The peer's zone as a keyed number, zero for none.
        peer_zone: u32,
        /// Position, from 1, of the manifest's peer group that the peer belongs to; zero for none.
        peer_group: u16,
        /// How many devices of this device's class had used this peer and peer port before this slice.
        peer_prevalence: u32,
        /// The device's port; for ICMP the message type.
        local_port: u16,
        /// The peer's port; for ICMP the message code.
        peer_port: u16,
        /// IANA protocol number: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6.
        protocol: u8,
        /// The application protocol that the sensor recognised, as [`name_id`](crate::name_id); zero for none.
        service: u32,
        /// Payload bytes from the device to the peer, or [`UNKNOWN`](crate::UNKNOWN).
        bytes_sent: u64,
        /// Payload bytes from the peer to the device, or [`UNKNOWN`](crate::UNKNOWN).
        bytes_received: u64,
        /// Packets from the device, or [`UNKNOWN`](crate::UNKNOWN).
        packets_sent: u64,
        /// Packets from the peer, or [`UNKNOWN`](crate::UNKNOWN).
        packets_received: u64,
        /// Minutes from Monday 00:00 in the hospital's time zone at the flow's start, 0 to 10,079.
        minute_of_week: u16,
    }

    accessors! {
        /// Who initiated the flow, seen from the device.
        direction as Direction,
        /// Where the peer is, seen from the device.
        peer_scope as PeerScope,
        /// What the hospital declared the peer to be, in the declared hours.
        peer_role as PeerRole,
        /// How the connection went.
        conn_state as ConnState,
        /// What the hospital declared the device itself to be, in the declared hours.
        local_role as PeerRole,
    }
}
