//! A session that attacks, call by call.

use std::{
    cell::{Cell, RefCell},
    mem,
};

use serde::Deserialize;
use wardflow_sdk::wasm::{
    self,
    exports::wardflow::detector::detector::{
        DeviceFacts, Finding, FlowBatch, Gap, Guest, GuestSession, OpenError, SavedState, Session,
    },
    wardflow::detector::diagnostics,
};

use crate::{
    findings::{good, reports},
    handles, machine, memory,
    texts::{no_text, text},
};

struct Hostile;

impl Guest for Hostile {
    type Session = Attacker;
}

wasm::export_plugin!(Hostile with_types_in wasm);

#[derive(Deserialize)]
struct Parameters {
    attack: String,
}

/// What attacks the host in the calls for one device.
#[derive(Default)]
pub(crate) struct Attacker {
    attack: String,
    state: RefCell<Vec<u8>>,
    /// The handle of a batch that was to be given back.
    batch: Cell<u32>,
    /// Flows of this slice so far.
    flows: Cell<u64>,
}

impl GuestSession for Attacker {
    fn open(device: DeviceFacts, parameters: String, state: Option<Vec<u8>>) -> Result<Session, OpenError> {
        let Parameters { attack } =
            serde_json::from_str(&parameters).map_err(|error| OpenError::ParametersRefused(error.to_string()))?;
        let attack = if attack.is_empty() { device.model } else { attack };
        let escapes = || text("osc-52").unwrap_or_default();
        match attack.as_str() {
            "spin-in-open" => machine::spin(),
            "parameters-refused" => return Err(OpenError::ParametersRefused(escapes())),
            "state-unreadable" if state.is_some() => return Err(OpenError::StateUnreadable(escapes())),
            "state-never-readable" => return Err(OpenError::StateUnreadable(escapes())),
            "session-made-up" => return Ok(handles::made_up_session()),
            "session-dropped" => return Ok(handles::dropped_session()),
            "sessions-leaked" => handles::leak_sessions(),
            "spin-in-own-destructor" => drop(Session::new(Self::new("spin-in-destructor".to_owned(), None))),
            _ => {}
        }
        Ok(Session::new(Self::new(attack, state)))
    }

    fn observe(&self, batch: &FlowBatch) -> Vec<Finding> {
        self.flows.set(self.flows.get() + u64::from(batch.len()));
        match self.attack.as_str() {
            "spin-in-observe" => machine::spin(),
            "trap" => machine::trap(),
            "divide-by-zero" => machine::divide_by_zero(),
            "read-out-of-bounds" => machine::read_out_of_bounds(),
            "write-out-of-bounds" => machine::write_out_of_bounds(),
            "overflow-the-stack" => _ = machine::overflow_the_stack(0),
            "call-by-wrong-type" => machine::call_by_wrong_type(),
            "call-nothing" => machine::call_nothing(),
            "memory-without-end" => memory::grow_without_end(),
            "copy-without-end" => memory::copy_without_end(),
            "column-not-granted" => _ = batch.service(),
            "columns-without-end" => loop {
                batch.end_time();
            },
            "batch-made-up" => _ = handles::made_up_batch().len(),
            "batch-that-is-a-session" => _ = handles::session_as_batch().len(),
            "batch-dropped-twice" => drop(handles::batch(batch.handle())),
            "batch-used-after-drop" => {
                drop(handles::batch(batch.handle()));
                batch.end_time();
            }
            "batch-kept" => self.batch.set(batch.handle()),
            "count-batches" => return self.count(batch),
            _ => {}
        }
        Vec::new()
    }

    fn end_slice(&self, _: i64, end: i64, _: Vec<Gap>) -> Vec<Finding> {
        match self.attack.as_str() {
            "spin-in-end-slice" => machine::spin(),
            "batch-kept" => {
                let batch = handles::batch(self.batch.get());
                batch.end_time();
                mem::forget(batch);
            }
            "say-escapes-and-trap" => {
                diagnostics::log(&text("osc-8").unwrap_or_default());
                machine::trap();
            }
            "say-without-end" => loop {
                diagnostics::log("again");
            },
            "say-what-is-no-text" => diagnostics::log(&no_text()),
            "say-100-mb" => {
                // SAFETY: zeros are UTF-8.
                diagnostics::log(unsafe { std::str::from_utf8_unchecked(memory::untouched(100_000_000).leak()) });
            }
            name => return reports(name, end).unwrap_or_default(),
        }
        Vec::new()
    }

    fn save(&self) -> SavedState {
        let mut saved = SavedState { bytes: self.state.take(), learned: 0.5, ready: true };
        match self.attack.as_str() {
            "spin-in-save" => machine::spin(),
            "state-too-large" => saved.bytes = vec![0; 65_537],
            "state-of-100-mb" => saved.bytes = memory::untouched(100_000_000),
            "state-that-grows" => saved.bytes.resize(saved.bytes.len() + 30_000, 0),
            "learned-no-number" => saved.learned = f64::NAN,
            "learned-too-much" => saved.learned = 1.5,
            _ => {}
        }
        saved
    }
}

impl Attacker {
    fn new(attack: String, state: Option<Vec<u8>>) -> Self {
        Self { attack, state: RefCell::new(state.unwrap_or_default()), batch: Cell::new(0), flows: Cell::new(0) }
    }

    /// A finding a batch, named by where the batch begins and how long it is.
    fn count(&self, batch: &FlowBatch) -> Vec<Finding> {
        let Some(last) = batch.end_time().last().copied() else { return Vec::new() };
        let (first, len) = (batch.first_row(), batch.len());
        vec![Finding {
            cause_key: format!("{first}+{len}"),
            summary: format!("{len} flows from {first}, of {} so far", self.flows.get()),
            flow_count: u64::from(len),
            ..good(last + 1)
        }]
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        if self.attack == "spin-in-destructor" {
            machine::spin();
        }
    }
}
