//! What faults may cost: a plugin that faults again and again is stopped.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// What a plugin's faults may cost in a run, counted over all its shards.
#[derive(Debug)]
pub struct Budget {
    most_faults: u32,
    most_cpu: Duration,
    faults: AtomicU32,
    cpu_nanos: AtomicU64,
}

impl Budget {
    /// Nothing spent.
    pub const fn new(most_faults: u32, most_cpu: Duration) -> Self {
        Self { most_faults, most_cpu, faults: AtomicU32::new(0), cpu_nanos: AtomicU64::new(0) }
    }

    /// As much spent, to go on counting apart from this one.
    pub fn copy(&self) -> Self {
        let (faults, cpu_nanos) = (self.faults.load(Relaxed).into(), self.cpu_nanos.load(Relaxed).into());
        Self { most_faults: self.most_faults, most_cpu: self.most_cpu, faults, cpu_nanos }
    }

    /// Why the plugin is stopped, once it is.
    pub fn spent(&self) -> Option<String> {
        let faults = self.faults.load(Relaxed);
        let cpu = Duration::from_nanos(self.cpu_nanos.load(Relaxed));
        if faults >= self.most_faults {
            let most = self.most_faults;
            return Some(format!("stopped after {most} faults; {most} allowed ([limits] faults in wardflow.toml)"));
        }
        (cpu >= self.most_cpu).then(|| {
            let (spent, most) = (cpu.as_secs_f64(), self.most_cpu.as_secs());
            format!("stopped after {spent:.1} s of CPU in faulted calls; {most} s allowed ([limits] faulted_seconds in wardflow.toml)")
        })
    }

    /// Counts a fault; whether it was one of those that are allowed. Of threads that come to the last one together, one
    /// has it.
    pub(super) fn spend(&self, cpu: Duration) -> bool {
        self.cpu_nanos.fetch_add(u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        self.faults.fetch_add(1, Relaxed) < self.most_faults
    }
}
