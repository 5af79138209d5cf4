//! The child's side of a batch: it says which case it begins and what became of it, so that the parent knows where it
//! stopped if it does not come back.

use std::{
    io::{self, Write},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use wardflow::archive::is_guarded;

use crate::Result;

/// Panics of all threads since the last case: also of those that a runtime catches, so that they look like errors.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Panics that the host expects of a library, catches and tells as errors.
static GUARDED: AtomicU64 = AtomicU64::new(0);

/// Does the cases of a range, and tells of each on stdout.
///
/// # Errors
/// Nobody listens any more, or a case cannot be made.
pub(crate) fn run(cases: Range<u64>, mut work: impl FnMut(u64) -> Result<String>) -> Result<()> {
    set_hook(Box::new(|panic| {
        if is_guarded() {
            GUARDED.fetch_add(1, Ordering::Relaxed);
        } else {
            PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string().replace('\n', " "));
        }
    }));
    let mut out = io::stdout().lock();
    for index in cases {
        say(&mut out, &format!("begun {index}"))?;
        let outcome = catch_unwind(AssertUnwindSafe(|| work(index)));
        for panic in std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner)) {
            say(&mut out, &format!("panic {index} {panic}"))?;
        }
        say(&mut out, &format!("ended {index} {}", outcome.unwrap_or_else(|_| Ok("panicked".to_owned()))?))?;
    }
    say(&mut out, &format!("guarded {}", GUARDED.load(Ordering::Relaxed)))?;
    say(&mut out, &format!("peak {}", crate::peak::own_kib()))
}

fn say(out: &mut impl Write, line: &str) -> Result<()> {
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
