//! A plugin's source linked into this test, in the place of its component.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    time::{Duration, Instant},
};

use wardflow::detector::{
    Cost, Detector, DeviceFacts, Fault, FlowBatch, Gap, Instance, Observation, Opened, Report, Saved, SessionId, Stop,
    Values,
};
use wardflow_manifest::{Column, Manifest};
use wardflow_sdk::{Columns, Device, Finding, OpenError, Slice, native};

/// A detector that is no component.
#[derive(Debug)]
pub(super) struct Linked {
    /// What the plugin's crate exports.
    pub(super) export: super::Export,
    pub(super) manifest: Manifest,
    /// The digest of the component that it stands for.
    pub(super) digest: String,
}

struct Sessions {
    plugin: native::Plugin,
    open: Vec<Option<native::Session>>,
    spent: Duration,
}

impl Detector for Linked {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn memory(&self) -> usize {
        0
    }

    fn instantiate(&self, _: usize, _: &Stop) -> Result<Box<dyn Instance>, Fault> {
        Ok(Box::new(Sessions { plugin: (self.export)().unwrap(), open: Vec::new(), spent: Duration::ZERO }))
    }
}

impl Instance for Sessions {
    fn open(&mut self, device: &DeviceFacts, parameters: &str, state: Option<&[u8]>) -> Result<Opened, Fault> {
        let DeviceFacts { pseudonym, class, manufacturer, model, firmware, zone } = device.clone();
        let device = Device { pseudonym, class, manufacturer, model, firmware, zone };
        let opened = timed(&mut self.spent, || self.plugin.open(&device, parameters, state));
        Ok(match opened {
            Ok(session) => {
                self.open.push(Some(session));
                Opened::Session(SessionId(self.open.len() - 1))
            }
            Err(OpenError::StateUnreadable(why)) => Opened::StateUnreadable(why),
            Err(OpenError::ParametersRefused(why)) => Opened::ParametersRefused(why),
        })
    }

    fn observe(&mut self, session: SessionId, flows: Box<dyn FlowBatch>) -> Result<Vec<Report>, Fault> {
        let declared = self.plugin.manifest().columns.clone();
        let batch = Batch { flows, declared };
        let findings = self.call(session, |session| session.observe(&batch));
        Ok(findings.into_iter().map(report).collect())
    }

    fn end_slice(&mut self, session: SessionId, start: i64, end: i64, gaps: &[Gap]) -> Result<Vec<Report>, Fault> {
        let gaps: Vec<_> = gaps.iter().map(|gap| wardflow_sdk::Gap { start: gap.start, end: gap.end }).collect();
        let findings = self.call(session, |session| session.end_slice(&Slice { start, end, gaps: &gaps }));
        Ok(findings.into_iter().map(report).collect())
    }

    fn save(&mut self, session: SessionId) -> Result<Saved, Fault> {
        let open = self.open[session.0].take().unwrap();
        let saved = timed(&mut self.spent, || open.save());
        Ok(Saved { bytes: saved.state, learned: saved.learned, ready: saved.ready })
    }

    fn cost(&self) -> Cost {
        Cost { cpu: self.spent, ..Cost::default() }
    }
}

impl Sessions {
    fn call<T>(&mut self, id: SessionId, work: impl FnOnce(&mut native::Session) -> T) -> T {
        timed(&mut self.spent, || work(self.open[id.0].as_mut().unwrap()))
    }
}

/// Every call of the plugin counts, as it does in the sandbox.
fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    *spent += began.elapsed();
    done
}

fn report(finding: Finding) -> Report {
    let observation = |o: wardflow_sdk::Observation| Observation {
        name: o.name,
        measured: o.measured,
        expected_low: o.expected_low,
        expected_high: o.expected_high,
        unit: o.unit,
    };
    Report {
        kind: finding.kind,
        severity: finding.severity,
        score: finding.score,
        confidence: finding.confidence,
        first_time: finding.first_time,
        last_time: finding.last_time,
        peer: finding.peer,
        peer_port: finding.peer_port,
        protocol: finding.protocol,
        flow_count: finding.flow_count,
        summary: finding.summary,
        cause_key: finding.cause_key,
        observations: finding.observations.into_iter().map(observation).collect(),
        examples: finding.examples,
    }
}

/// The host's batch as the SDK's columns.
struct Batch {
    flows: Box<dyn FlowBatch>,
    declared: BTreeSet<Column>,
}

macro_rules! columns {
    ($($method:ident: $type:ty = $column:ident in $values:ident,)*) => {
        impl Columns for Batch {
            fn len(&self) -> usize {
                self.flows.len()
            }

            fn first_row(&self) -> u32 {
                self.flows.first_row()
            }

            $(
                fn $method(&self) -> Cow<'_, [$type]> {
                    assert!(self.declared.contains(&Column::$column));
                    match self.flows.column(Column::$column) {
                        Values::$values(values) => values.into(),
                        other => panic!("{:?} is {other:?}", Column::$column),
                    }
                }
            )*
        }
    };
}

columns! {
    start_time: i64 = StartTime in I64,
    end_time: i64 = EndTime in I64,
    direction: u8 = Direction in U8,
    peer: u64 = Peer in U64,
    peer_scope: u8 = PeerScope in U8,
    peer_class: u32 = PeerClass in U32,
    peer_role: u8 = PeerRole in U8,
    peer_zone: u32 = PeerZone in U32,
    peer_group: u16 = PeerGroup in U16,
    peer_prevalence: u32 = PeerPrevalence in U32,
    local_port: u16 = LocalPort in U16,
    peer_port: u16 = PeerPort in U16,
    protocol: u8 = Protocol in U8,
    service: u32 = Service in U32,
    bytes_sent: u64 = BytesSent in U64,
    bytes_received: u64 = BytesReceived in U64,
    packets_sent: u64 = PacketsSent in U64,
    packets_received: u64 = PacketsReceived in U64,
    conn_state: u8 = ConnState in U8,
    minute_of_week: u16 = MinuteOfWeek in U16,
    local_role: u8 = LocalRole in U8,
}
