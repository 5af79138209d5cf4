//! An exchange: one kind of conversation between two programs, as data.

use crate::{ConnState, draw::Draw};

/// A kind of conversation: who it is for, how much is said, and how it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    pub(crate) service: &'static str,
    pub(crate) transport: Transport,
    /// The responder's port; for ICMP the code.
    pub(crate) port: u16,
    /// The initiator's port where it is not ephemeral; for ICMP the type.
    pub(crate) source_port: Option<u16>,
    /// Payload bytes of the initiator.
    pub(crate) sends: Amount,
    /// Payload bytes of the responder.
    pub(crate) receives: Amount,
    /// Milliseconds.
    pub(crate) lasts: Amount,
    pub(crate) ends: Ending,
    /// The names asked for; if there are none, the responder's own is told where the service carries one.
    pub(crate) names: &'static [&'static str],
}

/// A size or a time: its median, and the doublings or halvings that it may be off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount(pub(crate) f64, pub(crate) f64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
    Icmp,
}

/// How conversations of a kind end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nearly always well; now and then as networks have it.
    Well,
    /// Nobody ever answers.
    Unanswered,
    /// The responder refuses.
    Refused,
    /// As a probe's does: most ports are closed, some are filtered, few are open.
    Probed,
    /// One side gives up after the first words, as after a wrong password.
    Aborted,
    /// The exporter cuts a long conversation into pieces.
    Cut,
}

impl Exchange {
    const fn new(service: &'static str, transport: Transport, port: u16) -> Self {
        Self {
            service,
            transport,
            port,
            source_port: None,
            sends: Amount(0.0, 0.0),
            receives: Amount(0.0, 0.0),
            lasts: Amount(1.0, 1.0),
            ends: Ending::Well,
            names: &[],
        }
    }

    pub(crate) const fn tcp(service: &'static str, port: u16) -> Self {
        Self::new(service, Transport::Tcp, port)
    }

    pub(crate) const fn udp(service: &'static str, port: u16) -> Self {
        Self::new(service, Transport::Udp, port)
    }

    pub(crate) const fn icmp(kind: u16) -> Self {
        Self::new("", Transport::Icmp, 0).source_port(kind)
    }

    pub(crate) const fn source_port(self, port: u16) -> Self {
        Self { source_port: Some(port), ..self }
    }

    /// Payload of both sides: each a median in bytes, with doublings or halvings.
    pub(crate) const fn bytes(self, sends: f64, receives: f64, octaves: f64) -> Self {
        Self { sends: Amount(sends, octaves), receives: Amount(receives, octaves), ..self }
    }

    pub(crate) const fn millis(self, median: f64, octaves: f64) -> Self {
        Self { lasts: Amount(median, octaves), ..self }
    }

    pub(crate) const fn ends(self, ends: Ending) -> Self {
        Self { ends, ..self }
    }

    pub(crate) const fn names(self, names: &'static [&'static str]) -> Self {
        Self { names, ..self }
    }

    /// Whether the service tells a sensor the responder's name.
    pub(crate) fn tells_name(&self) -> bool {
        matches!(self.service, "ssl" | "http" | "quic")
    }
}

impl Amount {
    pub(crate) fn draw(self, draw: &mut Draw) -> f64 {
        if self.0 == 0.0 { 0.0 } else { draw.skewed(self.0, self.1) }
    }
}

impl Transport {
    /// IANA protocol number.
    pub(crate) const fn protocol(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl Ending {
    /// The state that a conversation ends in.
    pub(crate) fn state(self, transport: Transport, draw: &mut Draw) -> ConnState {
        let chance = draw.below(100_000);
        match (transport, self) {
            (Transport::Icmp, _) => ConnState::Oth,
            (Transport::Udp, Self::Well | Self::Cut) if chance < 99_600 => ConnState::Sf,
            (Transport::Udp, _) => ConnState::S0,
            (Transport::Tcp, Self::Well) => worn(chance),
            (Transport::Tcp, Self::Unanswered) => ConnState::S0,
            (Transport::Tcp, Self::Refused) => ConnState::Rej,
            (Transport::Tcp, Self::Probed) => match chance {
                0..70_000 => ConnState::Rej,
                70_000..92_000 => ConnState::S0,
                92_000..97_000 => ConnState::Rsto,
                _ => ConnState::Sf,
            },
            (Transport::Tcp, Self::Aborted) => match chance {
                0..70_000 => ConnState::Rsto,
                70_000..90_000 => ConnState::Rstr,
                _ => ConnState::Sf,
            },
            (Transport::Tcp, Self::Cut) => ConnState::Oth,
        }
    }
}

/// What becomes of conversations that should end well, per hundred thousand.
fn worn(chance: u32) -> ConnState {
    match chance {
        0..98_000 => ConnState::Sf,
        98_000..98_700 => ConnState::Rsto,
        98_700..99_100 => ConnState::Rstr,
        99_100..99_400 => ConnState::S1,
        99_400..99_650 => ConnState::S0,
        99_650..99_750 => ConnState::S2,
        99_750..99_830 => ConnState::S3,
        99_830..99_890 => ConnState::Rej,
        99_890..99_930 => ConnState::Sh,
        99_930..99_960 => ConnState::Rstos0,
        99_960..99_975 => ConnState::Rstrh,
        99_975..99_990 => ConnState::Shr,
        _ => ConnState::Oth,
    }
}
