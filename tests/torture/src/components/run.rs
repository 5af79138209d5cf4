//! A plugin taken through two slices of two devices, as the operator does.

use wardflow::detector::{
    Detector, DeviceFacts, Fault, FaultKind, FlowBatch, Gap, Instance, Opened, SessionId, Stop, Values,
};
use wardflow_manifest::Column;

/// Runs two slices, the second from the states that the first saved.
///
/// # Errors
/// A fault of the plugin.
pub(crate) fn run(detector: &dyn Detector) -> Result<(), Fault> {
    let mut states = [None, None];
    slice(detector, &mut states, 0, || {})?;
    slice(detector, &mut states, 100, || {})
}

/// Runs one slice. `before` is called before each call of the plugin.
///
/// # Errors
/// A fault of the plugin.
pub(crate) fn slice(
    detector: &dyn Detector,
    states: &mut [Option<Vec<u8>>],
    start: i64,
    mut before: impl FnMut(),
) -> Result<(), Fault> {
    let parameters = parameters(detector);
    before();
    let mut instance = detector.instantiate(states.len(), &Stop::default())?;
    let mut sessions = Vec::with_capacity(states.len());
    for (state, device) in states.iter().zip(1..) {
        before();
        sessions.push(open(&mut *instance, device, &parameters, state.as_deref())?);
    }
    for (session, state) in sessions.into_iter().zip(states) {
        for rows in ROWS {
            before();
            instance.observe(session, Box::new(Rows(rows)))?;
        }
        before();
        instance.end_slice(session, start, start + 100, &[Gap { start: start + 10, end: start + 20 }])?;
        before();
        *state = Some(instance.save(session)?.bytes);
    }
    Ok(())
}

/// Flows of the batches of a session.
const ROWS: [usize; 2] = [64, 1];

fn open(instance: &mut dyn Instance, device: u64, parameters: &str, state: Option<&[u8]>) -> Result<SessionId, Fault> {
    let facts = DeviceFacts {
        pseudonym: device,
        class: "infusion-pump".to_owned(),
        manufacturer: "Example".to_owned(),
        model: "P1".to_owned(),
        firmware: "1.0".to_owned(),
        zone: 0,
    };
    match instance.open(&facts, parameters, state)? {
        Opened::Session(session) => Ok(session),
        // As little as a fault, but there is nothing to go on with.
        Opened::StateUnreadable(why) | Opened::ParametersRefused(why) => {
            Err(Fault::new("open", FaultKind::Contract, why))
        }
    }
}

/// The defaults that a manifest gives, as JSON.
fn parameters(detector: &dyn Detector) -> String {
    let properties = detector.manifest().parameters.get("properties").and_then(serde_json::Value::as_object);
    let defaults = properties.into_iter().flatten();
    let given = defaults.filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone())));
    serde_json::Value::Object(given.collect()).to_string()
}

/// So many flows, one after the other.
#[derive(Debug)]
struct Rows(usize);

impl FlowBatch for Rows {
    fn len(&self) -> usize {
        self.0
    }

    fn first_row(&self) -> u32 {
        0
    }

    fn column(&self, column: Column) -> Values {
        let rows = 0..self.0;
        match column {
            Column::StartTime | Column::EndTime => Values::I64(rows.map(|row| row as i64).collect()),
            Column::Peer
            | Column::BytesSent
            | Column::BytesReceived
            | Column::PacketsSent
            | Column::PacketsReceived => Values::U64(rows.map(|row| row as u64 % 7).collect()),
            Column::PeerClass | Column::PeerZone | Column::PeerPrevalence | Column::Service => {
                Values::U32(vec![1; self.0])
            }
            Column::PeerGroup | Column::LocalPort | Column::PeerPort | Column::MinuteOfWeek => {
                Values::U16(vec![443; self.0])
            }
            Column::Direction
            | Column::PeerScope
            | Column::PeerRole
            | Column::LocalRole
            | Column::Protocol
            | Column::ConnState => Values::U8(vec![1; self.0]),
        }
    }
}
