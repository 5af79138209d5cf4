//! Ctrl-C and SIGTERM.

use std::process;

use tokio::signal::unix::{SignalKind, signal};
use wardflow::{
    detector::Stop,
    error::{Context, Result},
};

use crate::print::Printer;

/// Exit code of a command that was interrupted, as of a shell whose command died of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Lets the first Ctrl-C ask for a stop at the end of the slice, and the second end the process at once. SIGTERM counts
/// as Ctrl-C.
///
/// # Errors
/// Signals cannot be listened to.
pub(super) fn stop_on_interrupt(printer: &Printer) -> Result<Stop> {
    let listening = || "cannot listen to signals".to_owned();
    let mut interrupt = signal(SignalKind::interrupt()).context(listening)?;
    let mut terminate = signal(SignalKind::terminate()).context(listening)?;
    let (stop, told, printer) = (Stop::default(), Stop::default(), printer.clone());
    let asked = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if told.is_stopped() {
                process::exit(INTERRUPTED.into());
            }
            told.stop();
            asked.stop();
            printer.note("stopping at the end of this slice; Ctrl-C again ends at once");
        }
    });
    Ok(stop)
}

/// Ends when Ctrl-C is pressed.
pub(super) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
