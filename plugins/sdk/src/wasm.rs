//! The contract's imports and exports, generated from `wit/detector.wit`, and the way from there to a [`Detector`].
//! Not for authors: `export!` uses it.

use std::{borrow::Cow, cell::RefCell, panic, sync::Once};

use crate::{Columns, Detector, Device, Findings, Flows, Gap, OpenError, Slice, columns::with_columns, state};
use exports::wardflow::detector::detector as contract;
use wardflow::detector::types;

#[expect(missing_docs, reason = "generated; the contract documents it")]
mod generated {
    wit_bindgen::generate!({
        path: "../../wit/detector.wit",
        world: "plugin",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_plugin",
        default_bindings_module: "wardflow_sdk::wasm",
    });
}
pub use generated::*;

/// A detector behind the contract's handle. Empty once it was saved.
pub struct Session<D>(RefCell<Option<D>>);

impl<D: Detector> Session<D> {
    fn report(&self, before: i64, call: impl FnOnce(&mut D, &mut Findings)) -> Vec<types::Finding> {
        let mut findings = Findings::ending_before(before);
        if let Some(detector) = self.0.borrow_mut().as_mut() {
            call(detector, &mut findings);
        }
        findings.into_vec().into_iter().map(types::Finding::from).collect()
    }
}

impl<D: Detector> contract::GuestSession for Session<D> {
    fn open(
        device: contract::DeviceFacts,
        parameters: String,
        saved: Option<Vec<u8>>,
    ) -> Result<contract::Session, contract::OpenError> {
        say_panics();
        let detector = state::open::<D>(&device.into(), &parameters, saved.as_deref())?;
        Ok(contract::Session::new(Self(RefCell::new(Some(detector)))))
    }

    fn observe(&self, batch: &contract::FlowBatch) -> Vec<contract::Finding> {
        self.report(i64::MAX, |detector, findings| detector.observe(&Flows::new(batch), findings))
    }

    fn end_slice(&self, start: i64, end: i64, gaps: Vec<contract::Gap>) -> Vec<contract::Finding> {
        let gaps: Vec<_> = gaps.into_iter().map(|gap| Gap { start: gap.start, end: gap.end }).collect();
        self.report(end, |detector, findings| detector.end_slice(&Slice { start, end, gaps: &gaps }, findings))
    }

    fn save(&self) -> contract::SavedState {
        match self.0.borrow_mut().take().map(state::save) {
            Some(saved) => contract::SavedState { bytes: saved.state, learned: saved.learned, ready: saved.ready },
            None => contract::SavedState { bytes: Vec::new(), learned: 0.0, ready: false },
        }
    }
}

/// Lets a panic say its message and line: all that the host sees of it otherwise is a trap.
fn say_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| panic::set_hook(Box::new(|panic| crate::log(format_args!("{panic}")))));
}

impl From<contract::DeviceFacts> for Device {
    fn from(facts: contract::DeviceFacts) -> Self {
        Self {
            pseudonym: facts.pseudonym,
            class: facts.class,
            manufacturer: facts.manufacturer,
            model: facts.model,
            firmware: facts.firmware,
            zone: facts.zone,
        }
    }
}

impl From<OpenError> for contract::OpenError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::StateUnreadable(why) => Self::StateUnreadable(why),
            OpenError::ParametersRefused(why) => Self::ParametersRefused(why),
        }
    }
}

impl From<crate::Finding> for types::Finding {
    fn from(finding: crate::Finding) -> Self {
        Self {
            kind: finding.kind,
            severity: finding.severity.map(|severity| match severity {
                crate::Severity::Informational => types::Severity::Informational,
                crate::Severity::Low => types::Severity::Low,
                crate::Severity::Medium => types::Severity::Medium,
                crate::Severity::High => types::Severity::High,
                crate::Severity::Critical => types::Severity::Critical,
            }),
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
            observations: finding.observations.into_iter().map(types::Observation::from).collect(),
            examples: finding.examples,
        }
    }
}

impl From<crate::Observation> for types::Observation {
    fn from(observation: crate::Observation) -> Self {
        Self {
            name: observation.name,
            measured: observation.measured,
            expected_low: observation.expected_low,
            expected_high: observation.expected_high,
            unit: observation.unit,
        }
    }
}

macro_rules! pulled {
    ($($method:ident: $type:ty = $column:ident,)*) => {
        impl Columns for contract::FlowBatch {
            fn len(&self) -> usize {
                self.len() as usize
            }

            fn first_row(&self) -> u32 {
                self.first_row()
            }

            $(
                fn $method(&self) -> Cow<'_, [$type]> {
                    Cow::Owned(self.$method())
                }
            )*
        }
    };
}
with_columns!(pulled);
