//! What a plugin used of each limit, and whether it would use ever more.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use wardflow_manifest::Manifest;

use super::{Checked, Input, Used, Weight};
use crate::{
    kit::probe::{Call, Step, Watcher},
    limits::Limits,
};

/// Of a limit, how much is too near to it: the hospital's machine may be half as fast.
const NEAR: u32 = 2;

/// Days after which a growing state is somebody's trouble: a device is watched for years.
const LONG_DAYS: f64 = 3_650.0;

/// The most of everything.
#[derive(Debug, Default)]
pub(super) struct Most(Mutex<(MostSeen, Sizes)>);

#[derive(Clone, Copy, Debug, Default)]
struct MostSeen {
    instantiate: Duration,
    open: Duration,
    observe: Duration,
    end_slice: Duration,
    memory: usize,
    state: usize,
    findings: usize,
}

/// Sizes of the states as they were saved, one after the other.
type Sizes = Vec<usize>;

impl Watcher for Most {
    fn called(&self, call: &Call<'_>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (most, sizes) = &mut *seen;
        most.memory = most.memory.max(call.cost.memory);
        let (time, reports) = match &call.step {
            Step::Instantiate => (&mut most.instantiate, 0),
            Step::Open { .. } => (&mut most.open, 0),
            Step::Observe { reports, .. } => (&mut most.observe, reports.len()),
            Step::EndSlice { reports, .. } => (&mut most.end_slice, reports.len()),
            Step::Save(_) => (&mut most.end_slice, 0),
        };
        *time = (*time).max(call.cpu);
        most.findings = most.findings.max(reports);
        if let Step::Save(Some(saved)) = &call.step {
            most.state = most.state.max(saved.bytes.len());
            sizes.push(saved.bytes.len());
        }
    }
}

impl Most {
    /// Whether it came too near to a limit.
    pub(super) fn judge(&self, manifest: &Manifest, limits: &Limits, place: &str, checked: &mut Checked) {
        let most = self.0.lock().unwrap_or_else(PoisonError::into_inner).0;
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let memory = u64::from(manifest.memory_mib) << 20;
        let each = [
            ("instantiate_ms", micros(most.instantiate), limits.instantiate_ms * 1_000, "µs", "start less, or later"),
            ("open_ms", micros(most.open), limits.open_ms * 1_000, "µs", "read the state faster, or keep less"),
            ("observe_ms", micros(most.observe), limits.observe_ms * 1_000, "µs", "do less for each flow"),
            (
                "end_slice_ms",
                micros(most.end_slice),
                limits.end_slice_ms * 1_000,
                "µs",
                "do less at the end, keep less",
            ),
            (
                "memory_mib",
                number(most.memory),
                memory,
                "bytes",
                "bound what is kept, or raise memory_mib in plugin.toml",
            ),
            ("state_bytes", number(most.state), number(limits.state_bytes), "bytes", "bound the state"),
            ("findings", number(most.findings), number(limits.findings), "", "report a cause once, not each flow"),
        ];
        for (name, used, allowed, unit, remedy) in each {
            let entry = checked.used.entry(name).or_insert(Used { most: 0, allowed, unit });
            entry.most = entry.most.max(used);
            if used > allowed / u64::from(NEAR) && used <= allowed {
                let what = format!("it used {used} {unit} of {allowed} that {name} allows");
                let remedy = format!("{remedy}: a hospital's machine may be slower, and its devices busier");
                checked.add(Weight::Disliked, place, what, remedy);
            }
        }
    }

    /// Whether a device's state goes on growing although its days are alike. `days` is how long it was watched.
    pub(super) fn judge_growth(&self, days: u32, limits: &Limits, checked: &mut Checked) {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The last three days are not like the others.
        let alike = seen.1.len() * usize::try_from(days - 3).unwrap_or(0) / usize::try_from(days).unwrap_or(1);
        let Some([third, two_thirds, all]) = growth(&seen.1[..alike]) else { return };
        let third_days = f64::from(days - 3) / 3.0;
        let left = limits.state_bytes.saturating_sub(all) as f64 / (all - two_thirds) as f64 * third_days;
        if left < LONG_DAYS {
            let weight = if left < f64::from(days) { Weight::Refused } else { Weight::Disliked };
            checked.add(
                weight,
                Input::Weeks.name(),
                format!(
                    "a device's state grows although its days are alike: {third}, {two_thirds} and {all} bytes after each \
                     {third_days:.0} days; some {left:.0} days later it passes {} (state_bytes)",
                    limits.state_bytes
                ),
                "keep counts and moments instead of flows and times, and forget what was silent longest",
            );
        }
    }
}

/// Sizes after each third, if they grow from one to the next and do not level off.
fn growth(sizes: &[usize]) -> Option<[usize; 3]> {
    let at = |part: usize| sizes.get((sizes.len() * part / 3).checked_sub(1)?).copied();
    let [first, second, third] = [at(1)?, at(2)?, at(3)?];
    let (early, late) = (second.checked_sub(first)?, third.checked_sub(second)?);
    (late > 0 && late * 2 > early).then_some([first, second, third])
}

#[cfg(test)]
mod tests {
    use super::growth;

    #[test]
    fn growth_is_told_from_levelling_off() {
        let sizes = |of: fn(usize) -> usize| growth(&(1..=30).map(of).collect::<Vec<_>>());
        assert_eq!(sizes(|slice| slice * 100), Some([1_000, 2_000, 3_000]));
        assert_eq!(sizes(|slice| 1_000 + slice), Some([1_010, 1_020, 1_030]));
        assert_eq!(sizes(|_| 500), None);
        assert_eq!(sizes(|slice| 100 * slice.min(12)), None);
        assert_eq!(sizes(|slice| 900 / slice), None);
        assert_eq!(growth(&[]), None);
    }
}
