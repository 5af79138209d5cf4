//! How soon a guest is stopped that never ends.
//!
//! From the call to the fault, by the clock on the wall. The deadline is one of CPU time, and looked at every 10 ms: where the
//! machine is busy with something else too, the notes tell what the guest had of it.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wardflow::{
    detector::{Fault, FaultKind},
    limits::Limits,
    sandbox::{Compiler, Plugin, Sandbox},
};

use crate::{
    Result,
    batch::bar,
    components::run,
    figure::{Figure, Verdict},
    guest::{SPIN, guest},
};

/// The name on the command line.
pub const NAME: &str = "spin";

/// The deadline of each call. How long it is does not matter for how late it is noticed.
const DEADLINE: Duration = Duration::from_millis(100);

/// What it may take beyond.
const MOST: Duration = Duration::from_millis(20);

/// Where a guest spins, and what is put there.
const PLACES: [(&str, &str, &str); 7] = [
    ("start", "items", "(func $start (loop (br 0))) (start $start)"),
    ("open", "open", SPIN),
    ("observe", "observe", SPIN),
    ("end-slice", "end-slice", SPIN),
    ("save", "save", SPIN),
    ("realloc", "realloc", SPIN),
    ("post-return", "post-return", SPIN),
];

/// The line of the table: so many spins at each place.
///
/// # Errors
/// A guest cannot be made, or is not stopped by its deadline.
pub fn figure(times: usize) -> Result<Figure> {
    let millis = u64::try_from(DEADLINE.as_millis())?;
    let limits = Limits {
        instantiate_ms: millis,
        open_ms: millis,
        observe_ms: millis,
        end_slice_ms: millis,
        ..Limits::default()
    };
    let sandbox = Sandbox::new(limits, Compiler::here())?;
    let bar = bar(NAME, (PLACES.len() * times) as u64);
    let mut worst = Duration::ZERO;
    let mut notes = Vec::new();
    for (place, hole, instructions) in PLACES {
        let plugin = sandbox.load(&guest(&[(hole, instructions)])?)?;
        let (mut late, mut computed) = (Vec::with_capacity(times), Vec::with_capacity(times));
        for _ in 0..times {
            let (passed, cpu) = stopped(&plugin)?;
            late.push(passed.saturating_sub(DEADLINE));
            computed.push(cpu.saturating_sub(DEADLINE));
            bar.inc(1);
        }
        late.sort_unstable();
        computed.sort_unstable();
        let p99 = percentile(&late, 99);
        notes.push(format!(
            "{place}: stopped {:.1} ms after the deadline at p50, {:.1} at p99, {:.1} at most; of CPU time {:.1} at p99",
            millis_of(percentile(&late, 50)),
            millis_of(p99),
            millis_of(percentile(&late, 100)),
            millis_of(percentile(&computed, 99)),
        ));
        worst = worst.max(p99);
    }
    bar.finish_and_clear();
    let what = format!("a spin is stopped, {} places, {times} times each", PLACES.len());
    let measured = format!("+ {:.1} ms at p99, where it is worst", millis_of(worst));
    let verdict = Verdict::of(worst <= MOST);
    Ok(Figure::new(what, "its deadline + 20 ms at p99", measured, verdict).noting(notes))
}

/// How long the call took that spun, by the clock on the wall and in CPU time.
fn stopped(plugin: &Plugin) -> Result<(Duration, Duration)> {
    let mut began = (Instant::now(), cpu());
    // The call that faults is the one that spins, and the last.
    let fault = run::slice(plugin, &mut [None], 0, || began = (Instant::now(), cpu()));
    let passed = (began.0.elapsed(), cpu().saturating_sub(began.1));
    match fault {
        Err(Fault { kind: FaultKind::Limit, message, .. }) if message.starts_with("CPU time of a call") => Ok(passed),
        Err(fault) => Err(format!("it was not stopped by its deadline: {fault}").into()),
        Ok(()) => Err("a guest that spins came to its end".into()),
    }
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The value below which so many in a hundred lie.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

fn millis_of(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
