//! # `bench/null`: columns, and nothing done with them

use std::hint::black_box;

use serde::Deserialize;
use wardflow_sdk::{Detector, Device, Findings, Flows, Saved, Slice};

/// The detector that finds nothing.
pub struct Null {
    pull: Vec<Pull>,
    state: Vec<u8>,
}

/// What the manifest describes.
#[derive(Clone, Deserialize)]
pub struct Parameters {
    pull: Vec<Pull>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Pull {
    EndTime,
    Peer,
    PeerClass,
    PeerPort,
    Protocol,
    BytesSent,
    BytesReceived,
}

impl Detector for Null {
    type Parameters = Parameters;
    type State = Vec<u8>;

    fn open(_: &Device, parameters: Parameters, state: Option<Vec<u8>>) -> Result<Self, String> {
        Ok(Self { pull: parameters.pull, state: state.unwrap_or_default() })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for pull in &self.pull {
            match pull {
                Pull::EndTime => _ = black_box(flows.end_time()),
                Pull::Peer => _ = black_box(flows.peer()),
                Pull::PeerClass => _ = black_box(flows.peer_class()),
                Pull::PeerPort => _ = black_box(flows.peer_port()),
                Pull::Protocol => _ = black_box(flows.protocol()),
                Pull::BytesSent => _ = black_box(flows.bytes_sent()),
                Pull::BytesReceived => _ = black_box(flows.bytes_received()),
            }
        }
    }

    fn end_slice(&mut self, _: &Slice<'_>, _: &mut Findings) {}

    fn save(self) -> Saved<Vec<u8>> {
        Saved { state: self.state, learned: 1.0, ready: true }
    }
}

wardflow_sdk::export!(Null, include_str!("../plugin.toml"));
