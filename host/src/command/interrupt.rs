//! Ctrl-C and SIGTERM.

use std::{process, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use wardflow::{
    detector::Stop,
    error::{Context, Result},
};

use super::Outcome;
use crate::print::Printer;

/// Exit code of a command that was interrupted, as of a shell whose command died of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// What is said of an analysis that was interrupted.
pub(super) const STOPPING: &str = "stopping at the end of this slice";

/// How long work may take to let go of its temporary files.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a query that was interrupted may take to notice.
const LOOK_UP: Duration = Duration::from_millis(500);

/// Lets the first Ctrl-C ask for a stop, of which `what` is said, and the second end the process at once. SIGTERM counts as
/// Ctrl-C.
///
/// # Errors
/// Signals cannot be listened to.
pub(super) fn stop_on_interrupt(printer: &Printer, what: &'static str) -> Result<Stop> {
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
            printer.note(&format!("{what}; Ctrl-C again ends at once"));
        }
    });
    Ok(stop)
}

/// Ends when Ctrl-C is pressed, or SIGTERM comes.
pub(super) async fn interrupted() {
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        _ => std::future::pending().await,
    }
}

/// Does work on another thread, until it is interrupted: none then. A query is planned without looking up, however long
/// that takes, and is left behind; what looks up takes its temporary files with it.
pub(super) async fn abandon_when_interrupted<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let mut work = tokio::spawn(work);
    tokio::select! {
        done = &mut work => match done {
            Ok(done) => Some(done),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        },
        () = interrupted() => {
            work.abort();
            tokio::select! {
                _ = work => {}
                () = interrupted() => process::exit(INTERRUPTED.into()),
                () = tokio::time::sleep(LOOK_UP) => {}
            }
            None
        }
    }
}

/// Does work whose temporary files are to go with it, until it is interrupted. While a guest is compiled nothing else is done,
/// so the process ends by itself soon after, and at once with a second Ctrl-C.
///
/// # Errors
/// Those of the work.
pub(super) async fn unless_interrupted(work: impl Future<Output = Result<Outcome>>) -> Result<Outcome> {
    let twice = tokio::spawn(async {
        interrupted().await;
        tokio::select! {
            () = interrupted() => {}
            () = tokio::time::sleep(PATIENCE) => {}
        }
        process::exit(INTERRUPTED.into());
    });
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = interrupted() => {
            // Libraries whose tasks are dropped half-way may call that a bug.
            std::panic::set_hook(Box::new(|_| {}));
            Ok(Outcome::Interrupted)
        }
    };
    twice.abort();
    outcome
}
