//! The deadline of a call, in CPU time of the calling thread, looked at whenever the engine ticks.
//!
//! CPU time, not time of day: on a busy machine a call that waits for its turn breaks no limit. Reading the CPU clock
//! costs more than a short call itself, so it is read at ticks only, and calls that end before one never read it.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::UpdateDeadline;

use super::{engine::TICK, fault::Stopped};
use crate::{
    detector::Stop,
    limits::{Exceeded, Limits},
};

/// The clock of the call that is running.
#[derive(Debug)]
pub(super) struct Deadline {
    limit: Duration,
    setting: &'static str,
    stop: Stop,
    began: Instant,
    /// CPU time at which the call began, known from its first tick on.
    base: Option<Duration>,
}

impl Deadline {
    /// A clock that does not run yet.
    pub(super) fn new(stop: Stop) -> Self {
        Self { limit: Duration::ZERO, setting: "", stop, began: Instant::now(), base: None }
    }

    /// Starts it for a call. `base` stays open till the first tick.
    pub(super) fn begin(&mut self, call: &str, limits: &Limits) {
        (self.limit, self.setting) = limits.deadline(call);
        self.began = Instant::now();
        self.base = None;
    }

    /// What the call cost: CPU time if it lasted longer than a tick; for a shorter call the time of day, which it
    /// cannot exceed by much.
    pub(super) fn end(&self) -> Duration {
        match self.base {
            Some(base) => thread_cpu().saturating_sub(base),
            None => self.began.elapsed(),
        }
    }

    /// Whether the run was cancelled.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }

    /// Lets the guest go on until the next tick, or ends it.
    ///
    /// # Errors
    /// [`Stopped`], or that the limit is exceeded.
    pub(super) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.is_stopped() {
            return Err(Stopped.into());
        }
        let now = thread_cpu();
        // The call may have waited for its turn since it began, but not have computed for longer than a tick.
        let base = *self.base.get_or_insert_with(|| now.saturating_sub(self.began.elapsed().min(TICK)));
        if now.saturating_sub(base) > self.limit {
            let limit = format!("{} ms", self.limit.as_millis());
            return Err(Exceeded {
                what: "CPU time of a call",
                asked: format!("over {limit}"),
                allowed: limit,
                setting: self.setting,
            }
            .into());
        }
        Ok(UpdateDeadline::Continue(1))
    }
}

/// CPU time that this thread has used.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
