use wardflow_sdk::{ConnState, Flows};

/// Whether a flow is a connection that came about, or may be one.
pub fn came_about(flows: &Flows<'_>, row: usize) -> bool {
    !matches!(flows.protocol()[row], 1 | 58) && !is_incomplete(flows.conn_state()[row])
}

/// Whether a sensor saw an attempt, and no handshake that was completed.
pub const fn is_incomplete(state: ConnState) -> bool {
    has_failed(state) || matches!(state, ConnState::Rstrh | ConnState::Shr)
}

/// Whether nobody answered an attempt, or it was refused or given up. Of RSTRH and SHR, where only the answer was seen,
/// nobody can tell.
pub const fn has_failed(state: ConnState) -> bool {
    matches!(state, ConnState::S0 | ConnState::Rej | ConnState::Rstos0 | ConnState::Sh)
}

/// Whether a sensor saw the handshake of a TCP connection.
pub const fn is_established(state: ConnState) -> bool {
    use ConnState::{Rsto, Rstr, S1, S2, S3, Sf};
    matches!(state, Sf | S1 | S2 | S3 | Rsto | Rstr)
}
