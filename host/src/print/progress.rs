//! How far a long task is, on stderr.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::{
    Printer, json,
    quantity::{count, rate, size},
    text::visible,
    to_stderr,
};

/// How often progress is said where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// The unit that is shown in KiB, MiB and so on.
pub(crate) const BYTES: &str = "bytes";

/// What is done, and in which steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    /// What is done, such as `analyze`.
    pub(crate) name: &'static str,
    /// What is counted, such as `slices` or [`BYTES`].
    pub(crate) unit: &'static str,
}

/// Progress of a task: a bar on a terminal, else a line every ten seconds; as JSON with `--json`, none with `--quiet`.
/// It can be told from any thread.
#[derive(Debug)]
pub(crate) struct Progress {
    task: Task,
    show: Show,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
enum Show {
    Bar(ProgressBar),
    Lines,
    Json,
    Nothing,
}

#[derive(Clone, Copy, Debug)]
struct State {
    done: u64,
    total: u64,
    flows: u64,
    said: Instant,
}

impl Progress {
    pub(crate) fn new(printer: &Printer, task: Task) -> Self {
        let show = match printer {
            Printer { quiet: true, .. } => Show::Nothing,
            Printer { json: true, .. } => Show::Json,
            _ if printer.err.rewrites => Show::Bar(bar(task)),
            _ => Show::Lines,
        };
        let began = Instant::now();
        Self { task, show, began, state: Mutex::new(State { done: 0, total: 0, flows: 0, said: began }) }
    }

    /// Says how far it is: steps done, of how many, and flows.
    pub(crate) fn at(&self, done: u64, total: u64, flows: u64) {
        self.change(|state| (state.done, state.total, state.flows) = (done, total, flows));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let now = Instant::now();
        let (state, is_due) = {
            let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            change(&mut state);
            let is_due = now.duration_since(state.said) >= EVERY;
            if is_due {
                state.said = now;
            }
            (*state, is_due)
        };
        let passed = now.duration_since(self.began);
        match &self.show {
            Show::Bar(bar) => {
                bar.set_length(state.total);
                bar.set_position(state.done);
                bar.set_message(format!("{} flows, {}", count(state.flows), rate(state.flows, passed)));
            }
            Show::Lines if is_due => to_stderr(&format!("{}\n", visible(&line(self.task, state, passed)))),
            Show::Json if is_due => {
                let Task { name, unit } = self.task;
                let State { done, total, flows, .. } = state;
                let seconds = passed.as_secs_f64();
                let object = json!({ "progress": {
                    "task": name, "unit": unit, "done": done, "total": total, "flows": flows, "seconds": seconds,
                }});
                to_stderr(&json::line(&object));
            }
            Show::Lines | Show::Json | Show::Nothing => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Show::Bar(bar) = &self.show {
            bar.finish_and_clear();
        }
    }
}

fn line(task: Task, state: State, passed: Duration) -> String {
    let Task { name, unit } = task;
    let State { done, total, flows, .. } = state;
    let left = match done {
        0 => String::new(),
        _ => {
            let seconds = passed.as_secs_f64() / done as f64 * total.saturating_sub(done) as f64;
            format!(", about {} s left", count(seconds.round() as u64))
        }
    };
    let steps = match unit {
        BYTES => format!("{} of {}", size(done), size(total)),
        _ => format!("{} of {} {unit}", count(done), count(total)),
    };
    format!("{name}: {steps}, {} flows, {}{left}", count(flows), rate(flows, passed))
}

fn bar(task: Task) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let steps = match task.unit {
        BYTES => "{binary_bytes} of {binary_total_bytes}".to_owned(),
        unit => format!("{{human_pos}} of {{human_len}} {unit}"),
    };
    let template = format!("{} {{wide_bar}} {steps}, {{msg}}, ETA {{eta}}", task.name);
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{BYTES, State, Task, line};

    #[test]
    fn says_how_far_it_is() {
        let state = State { done: 3, total: 12, flows: 1_234_567, said: Instant::now() };
        let shown = line(Task { name: "analyze", unit: "slices" }, state, Duration::from_secs(10));
        assert_eq!(shown, "analyze: 3 of 12 slices, 1,234,567 flows, 123,456 flows/s, about 30 s left");
        let state = State { done: 1 << 20, total: 3 << 20, flows: 0, said: Instant::now() };
        let shown = line(Task { name: "ingest", unit: BYTES }, state, Duration::from_secs(1));
        assert_eq!(shown, "ingest: 1.0 MiB of 3.0 MiB, 0 flows, 0 flows/s, about 2 s left");
    }
}
