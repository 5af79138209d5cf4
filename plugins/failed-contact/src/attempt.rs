//! Whether a flow came about.

use wardflow_common::TCP;
use wardflow_sdk::{ConnState, Flows, UNKNOWN};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    Failed,
    /// The record does not say.
    Untold,
}

impl Outcome {
    pub(crate) fn of(flows: &Flows<'_>, row: usize) -> Self {
        let (packets, bytes) = (flows.packets_received()[row], flows.bytes_received()[row]);
        match flows.protocol()[row] {
            TCP => Self::of_tcp(flows.conn_state()[row], packets, bytes),
            _ => Self::of_datagrams(flows.conn_state()[row], packets),
        }
    }

    fn of_tcp(state: ConnState, packets: u64, bytes: u64) -> Self {
        match state {
            ConnState::S1 | ConnState::Sf | ConnState::S2 | ConnState::S3 | ConnState::Rsto | ConnState::Rstr => {
                Self::Answered
            }
            ConnState::S0 | ConnState::Rej | ConnState::Rstos0 | ConnState::Sh => Self::Failed,
            ConnState::Rstrh | ConnState::Shr | ConnState::Oth => Self::Untold,
            ConnState::Unknown => match (packets, bytes) {
                (UNKNOWN, _) => Self::Untold,
                // A single empty packet is taken for a reset.
                (0, _) | (1, 0 | UNKNOWN) => Self::Failed,
                _ => Self::Answered,
            },
        }
    }

    fn of_datagrams(state: ConnState, packets: u64) -> Self {
        match (packets, state) {
            (UNKNOWN, ConnState::Sf) => Self::Answered,
            (UNKNOWN, ConnState::S0) | (0, _) => Self::Failed,
            (UNKNOWN, _) => Self::Untold,
            _ => Self::Answered,
        }
    }
}
