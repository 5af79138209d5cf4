//! Ctrl-C and SIGTERM.

use std::{
    process,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use wardflow::{
    detector::Stop,
    error::{Context, Result},
};

use super::Outcome;
use crate::print::Printer;

/// Exit code of a command that was interrupted, as of a shell whose command died of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// What is said of an analysis that was interrupted.
pub(super) const STOPPING: &str = "stopping; the slice at hand is dropped";

/// How long work may take to let go of its temporary files.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a query that was interrupted may take to notice.
const LOOK_UP: Duration = Duration::from_millis(500);

/// What is done when a signal comes; given how many came since.
type Heard = Box<dyn FnMut(u32) + Send>;

/// What is done now, and how many signals came since it is. Without anything the process ends, as it would by itself.
static HEARD: Mutex<(u32, Option<Heard>)> = Mutex::new((0, None));

/// That signals are heard, until this goes.
struct Hearing;

impl Drop for Hearing {
    fn drop(&mut self) {
        *heard() = (0, None);
    }
}

fn heard() -> MutexGuard<'static, (u32, Option<Heard>)> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears Ctrl-C and SIGTERM on a thread of its own: while all workers compute, nothing that waits on them is told.
///
/// # Errors
/// Signals cannot be listened to.
fn hear(what: impl FnMut(u32) + Send + 'static) -> Result<Hearing> {
    static IS_LISTENING: Mutex<bool> = Mutex::new(false);
    let listening = || "cannot listen to signals".to_owned();
    *heard() = (0, Some(Box::new(what)));
    let mut is_listening = IS_LISTENING.lock().unwrap_or_else(PoisonError::into_inner);
    if !*is_listening {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context(listening)?;
        let signals = {
            let _within = runtime.enter();
            [SignalKind::interrupt(), SignalKind::terminate()].map(signal)
        };
        let [interrupt, terminate] = signals;
        let (mut interrupt, mut terminate) = (interrupt.context(listening)?, terminate.context(listening)?);
        let listen = async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                let mut heard = heard();
                heard.0 += 1;
                match &mut *heard {
                    (count, Some(what)) => what(*count),
                    _ => process::exit(INTERRUPTED.into()),
                }
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(listen)).context(listening)?;
        *is_listening = true;
    }
    Ok(Hearing)
}

/// Lets the first Ctrl-C ask for a stop, of which `what` is said, and the second end the process at once. SIGTERM counts as
/// Ctrl-C.
///
/// # Errors
/// Signals cannot be listened to.
pub(super) fn stop_on_interrupt(printer: &Printer, what: &'static str) -> Result<Stop> {
    let (stop, printer) = (Stop::default(), printer.clone());
    let asked = stop.clone();
    let hearing = hear(move |count| {
        if count > 1 {
            process::exit(INTERRUPTED.into());
        }
        asked.stop();
        printer.note(&format!("{what}; Ctrl-C again ends at once"));
    })?;
    // As long as the process.
    std::mem::forget(hearing);
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
/// that takes, and is left behind; what looks up takes its temporary files with it. A second Ctrl-C ends the process.
///
/// # Errors
/// Signals cannot be listened to.
pub(super) async fn abandon_when_interrupted<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<Option<T>> {
    let (asked, late) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let _hearing = hear({
        let (asked, late) = (Arc::clone(&asked), Arc::clone(&late));
        move |count| {
            if count > 1 {
                process::exit(INTERRUPTED.into());
            }
            asked.notify_one();
            let late = Arc::clone(&late);
            // Not by the runtime's clock, which stands still while all workers compute.
            after(LOOK_UP, move || late.notify_one());
        }
    })?;
    let mut work = tokio::spawn(work);
    tokio::select! {
        done = &mut work => match done {
            Ok(done) => Ok(Some(done)),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        },
        () = asked.notified() => {
            work.abort();
            tokio::select! {
                _ = work => {}
                () = late.notified() => {}
            }
            Ok(None)
        }
    }
}

/// Does work whose temporary files are to go with it, until it is interrupted. While a guest is compiled nothing else is done,
/// so the process ends by itself soon after, and at once with a second Ctrl-C.
///
/// # Errors
/// Those of the work, or signals cannot be listened to.
pub(super) async fn unless_interrupted(work: impl Future<Output = Result<Outcome>>) -> Result<Outcome> {
    let asked = Arc::new(Notify::new());
    let _hearing = hear({
        let asked = Arc::clone(&asked);
        move |count| {
            if count > 1 {
                process::exit(INTERRUPTED.into());
            }
            asked.notify_one();
            after(PATIENCE, || process::exit(INTERRUPTED.into()));
        }
    })?;
    tokio::select! {
        outcome = work => outcome,
        () = asked.notified() => {
            // Libraries whose tasks are dropped half-way may call that a bug.
            std::panic::set_hook(Box::new(|_| {}));
            Ok(Outcome::Interrupted)
        }
    }
}

/// Does something after a while. Without a thread for it, at once.
fn after(time: Duration, what: impl FnOnce() + Send + 'static) {
    let what = Arc::new(Mutex::new(Some(what)));
    let later = Arc::clone(&what);
    let take = |what: &Mutex<Option<_>>| what.lock().unwrap_or_else(PoisonError::into_inner).take();
    let started = thread::Builder::new().spawn(move || {
        thread::sleep(time);
        if let Some(what) = take(&later) {
            what();
        }
    });
    if started.is_err()
        && let Some(what) = what.lock().unwrap_or_else(PoisonError::into_inner).take()
    {
        what();
    }
}
