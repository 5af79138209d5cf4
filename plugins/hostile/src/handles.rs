//! Handles that are leaked, made up, used after they were given back, or given back twice.

use std::mem;

use wardflow_sdk::wasm::exports::wardflow::detector::detector::{FlowBatch, Session};

use crate::session::Attacker;

/// A handle that nobody gave.
const MADE_UP: u32 = 12_345;

/// Makes sessions without end, and forgets them.
pub(crate) fn leak_sessions() -> ! {
    loop {
        mem::forget(Session::new(Attacker::default()));
    }
}

/// A session that was never made.
pub(crate) fn made_up_session() -> Session {
    // SAFETY: the host looks the number up, and refuses it.
    unsafe { Session::from_handle(MADE_UP) }
}

/// A session that was given back.
pub(crate) fn dropped_session() -> Session {
    let session = Session::new(Attacker::default());
    let handle = session.handle();
    drop(session);
    // SAFETY: the host looks the number up, and refuses it.
    unsafe { Session::from_handle(handle) }
}

/// A batch by its number, whether or not it is there.
pub(crate) fn batch(handle: u32) -> FlowBatch {
    // SAFETY: the host looks the number up, and refuses it if it is not there.
    unsafe { FlowBatch::from_handle(handle) }
}

/// A batch that was never lent.
pub(crate) fn made_up_batch() -> FlowBatch {
    batch(MADE_UP)
}

/// A session's handle where a batch's belongs.
pub(crate) fn session_as_batch() -> FlowBatch {
    batch(Session::new(Attacker::default()).take_handle())
}
