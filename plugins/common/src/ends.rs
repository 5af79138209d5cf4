use wardflow_sdk::{ConnState, Direction, Flows};

/// First of the ports that initiators and remote procedure calls commonly take (RFC 6335 recommends 49152, Linux begins at
/// 32768). Which of them it is tells nothing.
pub const DYNAMIC: u16 = 32_768;

/// Which end of a flow offers something, and on which port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Whether the device offers it and the peer comes to it.
    pub of_device: bool,
    /// The port of who offers it.
    pub port: u16,
    /// The port of who comes.
    pub initiator_port: u16,
    /// Whether no handshake was seen.
    pub is_midstream: bool,
}

impl Ends {
    /// The ends of a flow. Where no handshake was seen, the end with the lower port offers something if the other's port is
    /// a dynamic one: exporters that join midstream often turn such flows around.
    pub fn of(flows: &Flows<'_>, row: usize) -> Self {
        let (local, remote) = (flows.local_port()[row], flows.peer_port()[row]);
        let is_inbound = flows.direction()[row] == Direction::Inbound;
        let (own, other) = if is_inbound { (local, remote) } else { (remote, local) };
        let is_midstream = matches!(flows.conn_state()[row], ConnState::Unknown | ConnState::Oth);
        let is_turned = is_midstream && own >= DYNAMIC && (1..DYNAMIC).contains(&other);
        let (port, initiator_port) = if is_turned { (other, own) } else { (own, other) };
        Self { of_device: is_inbound != is_turned, port, initiator_port, is_midstream }
    }
}

#[cfg(test)]
mod tests {
    use super::Ends;
    use wardflow_sdk::{
        ConnState::{self, Oth, Sf, Unknown},
        Direction::{self, Inbound, Outbound},
        Flows,
        native::{Batch, Flow},
    };

    #[test]
    fn who_has_the_lower_port_offers_where_no_handshake_was_seen() {
        let check = |direction: Direction, conn_state: ConnState, ports: (u16, u16), expected: (bool, u16, u16)| {
            let (local_port, peer_port) = ports;
            let batch = Batch::new(0, &[Flow { direction, conn_state, local_port, peer_port, ..Flow::at(0) }]);
            let ends = Ends::of(&Flows::new(&batch), 0);
            assert_eq!((ends.of_device, ends.port, ends.initiator_port), expected, "{direction:?} {ports:?}");
        };
        check(Outbound, Sf, (50_000, 443), (false, 443, 50_000));
        check(Inbound, Sf, (443, 50_000), (true, 443, 50_000));
        check(Outbound, Sf, (443, 50_000), (false, 50_000, 443));
        check(Outbound, Oth, (443, 50_000), (true, 443, 50_000));
        check(Inbound, Unknown, (50_000, 443), (false, 443, 50_000));
        check(Outbound, Oth, (443, 444), (false, 444, 443));
        check(Outbound, Oth, (0, 50_000), (false, 50_000, 0));
    }
}
