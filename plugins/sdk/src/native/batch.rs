use std::borrow::Cow;

use wardflow_manifest::{ConnState, Direction, PeerRole, PeerScope};

use crate::{Columns, DAY, MINUTE, columns::with_columns};

macro_rules! batch {
    ($($method:ident: $type:ty = $column:ident,)*) => {
        /// Flows of one device as plain columns, in the units and codes of `wit/detector.wit`. A column that the
        /// manifest does not declare may stay empty; every other has the length of `end_time`.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Batch {
            /// Position of the first flow among the session's flows of this slice.
            pub first_row: u32,
            $(
                #[doc = concat!("The column `", stringify!($method), "`.")]
                pub $method: Vec<$type>,
            )*
        }

        impl Columns for Batch {
            fn len(&self) -> usize {
                self.end_time.len()
            }

            fn first_row(&self) -> u32 {
                self.first_row
            }

            $(
                fn $method(&self) -> Cow<'_, [$type]> {
                    Cow::Borrowed(&self.$method)
                }
            )*
        }
    };
}
with_columns!(batch);

impl Batch {
    /// The columns of flows, the first of which is at `first_row`. They are taken in the order given.
    pub fn new(first_row: u32, flows: &[Flow]) -> Self {
        let mut batch = Self { first_row, ..Self::default() };
        flows.iter().for_each(|flow| batch.push(flow));
        batch
    }

    fn push(&mut self, flow: &Flow) {
        self.start_time.push(flow.start_time.min(flow.end_time));
        self.end_time.push(flow.end_time);
        self.direction.push(flow.direction as u8);
        self.peer.push(flow.peer);
        self.peer_scope.push(flow.peer_scope as u8);
        self.peer_class.push(flow.peer_class);
        self.peer_role.push(flow.peer_role as u8);
        self.peer_zone.push(flow.peer_zone);
        self.peer_group.push(flow.peer_group);
        self.peer_prevalence.push(flow.peer_prevalence);
        self.local_port.push(flow.local_port);
        self.peer_port.push(flow.peer_port);
        self.protocol.push(flow.protocol);
        self.service.push(flow.service);
        self.bytes_sent.push(flow.bytes_sent);
        self.bytes_received.push(flow.bytes_received);
        self.packets_sent.push(flow.packets_sent);
        self.packets_received.push(flow.packets_received);
        self.conn_state.push(flow.conn_state as u8);
        self.minute_of_week.push(minute_of_week(flow.start_time));
        self.local_role.push(flow.local_role as u8);
    }
}

/// One flow of a test, seen from the device. Start from [`Flow::at`] and change what matters.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each field is a column, described at crate::Flows")]
pub struct Flow {
    pub start_time: i64,
    pub end_time: i64,
    pub direction: Direction,
    pub peer: u64,
    pub peer_scope: PeerScope,
    pub peer_class: u32,
    pub peer_role: PeerRole,
    pub peer_zone: u32,
    pub peer_group: u16,
    pub peer_prevalence: u32,
    pub local_port: u16,
    pub peer_port: u16,
    pub protocol: u8,
    pub service: u32,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub packets_sent: u64,
    pub packets_received: u64,
    pub conn_state: ConnState,
    pub local_role: PeerRole,
}

impl Flow {
    /// An ordinary TLS connection of the device to peer 1, internal, at one instant, in microseconds since 1970. Its
    /// minute of the week is that of UTC.
    pub fn at(time: i64) -> Self {
        Self {
            start_time: time,
            end_time: time,
            direction: Direction::Outbound,
            peer: 1,
            peer_scope: PeerScope::OtherInternal,
            peer_class: 0,
            peer_role: PeerRole::None,
            peer_zone: 0,
            peer_group: 0,
            peer_prevalence: 0,
            local_port: 49_152,
            peer_port: 443,
            protocol: 6,
            service: 0,
            bytes_sent: 1_000,
            bytes_received: 4_000,
            packets_sent: 10,
            packets_received: 12,
            conn_state: ConnState::Sf,
            local_role: PeerRole::None,
        }
    }
}

/// Minutes from Monday 00:00, UTC. 1970 began on a Thursday.
fn minute_of_week(time: i64) -> u16 {
    u16::try_from((time + 3 * DAY).rem_euclid(7 * DAY) / MINUTE).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::minute_of_week;
    use crate::{DAY, MINUTE};

    #[test]
    fn weeks_begin_on_monday() {
        for (time, minute) in [(0, 3 * 1_440), (4 * DAY, 0), (4 * DAY - 1, 10_079), (-3 * DAY + 5 * MINUTE, 5)] {
            assert_eq!(minute_of_week(time), minute, "{time}");
        }
    }
}
