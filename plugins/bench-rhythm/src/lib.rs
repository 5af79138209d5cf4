//! # `bench/rhythm`: inter-arrival times and byte ratios per peer and port
//!
//! For each peer and port that a device contacts: flows, mean and variance of the time from one end to the next by
//! Welford's method (Technometrics 4(3), 1962), bytes sent and received. What passes two thresholds is reported in
//! every slice in which it was contacted. The same in SQL is beside the benchmark.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Bounded, Detector, Device, Direction, Findings, Flows, SECOND, Saved, Slice};

/// The detector.
pub struct RhythmOfServices {
    parameters: Parameters,
    services: Services,
}

/// The services of a device: those that it used last, if they are many.
type Services = Bounded<(u64, u16), Rhythm, 1024>;

/// What the manifest describes.
#[derive(Clone, Deserialize)]
pub struct Parameters {
    least_flows: u32,
    least_bytes: u64,
}

/// How one service is used.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Rhythm {
    /// 32 bits: WebAssembly has no cheap way from an unsigned 64-bit number to a float.
    flows: u32,
    first: i64,
    last: i64,
    /// Of the times between, in seconds.
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
    sent: u64,
    received: u64,
    /// Flows of the present slice.
    #[serde(skip)]
    fresh: u32,
}

impl Rhythm {
    fn add(&mut self, end: i64, sent: u64, received: u64) {
        if self.flows == 0 {
            self.first = end;
        } else {
            let gap = (end - self.last) as f64 / SECOND as f64;
            let change = gap - self.mean;
            self.mean += change / f64::from(self.flows);
            self.squares += change * (gap - self.mean);
        }
        self.flows += 1;
        self.fresh += 1;
        self.last = end;
        self.sent += sent;
        self.received += received;
    }
}

impl Detector for RhythmOfServices {
    type Parameters = Parameters;
    type State = Services;

    fn open(_: &Device, parameters: Parameters, state: Option<Self::State>) -> Result<Self, String> {
        Ok(Self { parameters, services: state.unwrap_or_default() })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        let (ends, peers, ports) = (flows.end_time(), flows.peer(), flows.peer_port());
        let (sent, received, directions) = (flows.bytes_sent(), flows.bytes_received(), flows.direction());
        for row in flows.rows() {
            if directions[row] == Direction::Outbound {
                let rhythm = self.services.touch((peers[row], ports[row]), ends[row], Rhythm::default);
                rhythm.add(ends[row], sent[row], received[row]);
            }
        }
    }

    fn end_slice(&mut self, _: &Slice<'_>, findings: &mut Findings) {
        let Parameters { least_flows, least_bytes } = self.parameters;
        for ((peer, port), rhythm) in self.services.iter() {
            if rhythm.fresh > 0 && rhythm.flows >= least_flows && rhythm.sent >= least_bytes {
                let variance = rhythm.squares / f64::from(rhythm.flows - 1);
                let ratio = rhythm.sent as f64 / (rhythm.received as f64 + 1.0);
                findings
                    .report("busy-service", rhythm.first, rhythm.last)
                    .peer(*peer)
                    .peer_port(*port)
                    .flow_count(u64::from(rhythm.fresh))
                    .measured("flows", f64::from(rhythm.flows), "1", ..)
                    .measured("mean-interval", rhythm.mean, "s", ..)
                    .measured("interval-variance", variance, "s2", ..)
                    .measured("byte-ratio", ratio, "1", ..)
                    .summary(format_args!("{} flows, one in {:.1} s", rhythm.flows, rhythm.mean));
            }
        }
    }

    fn save(self) -> Saved<Self::State> {
        Saved { state: self.services, learned: 1.0, ready: true }
    }
}

wardflow_sdk::export!(RhythmOfServices, include_str!("../plugin.toml"));
