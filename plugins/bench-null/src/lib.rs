//! # `bench/null`: six columns, and nothing done with them

use std::hint::black_box;

use serde::Deserialize;
use wardflow_sdk::{Detector, Device, Findings, Flows, Saved, Slice};

/// The detector that finds nothing.
pub struct Null;

/// None.
#[derive(Deserialize)]
pub struct Parameters {}

impl Detector for Null {
    type Parameters = Parameters;
    type State = ();

    fn open(_: &Device, _: Parameters, _: Option<()>) -> Result<Self, String> {
        Ok(Self)
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        black_box((flows.end_time(), flows.peer(), flows.peer_port(), flows.protocol()));
        black_box((flows.bytes_sent(), flows.bytes_received()));
    }

    fn end_slice(&mut self, _: &Slice<'_>, _: &mut Findings) {}

    fn save(self) -> Saved<()> {
        Saved { state: (), learned: 1.0, ready: true }
    }
}

wardflow_sdk::export!(Null, include_str!("../plugin.toml"));
