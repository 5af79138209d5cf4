//! What a plugin may cost: one that faults again and again, or that floods a slice with findings, is stopped.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::limits::{Exceeded, Limits};

/// What a plugin may cost, over all its shards.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Faults in a run.
    pub faults: u32,
    /// CPU time of faulted instances in a run.
    pub faulted_cpu: Duration,
    /// MiB of findings in a slice.
    pub findings_mib: u32,
}

impl From<&Limits> for Allowance {
    fn from(limits: &Limits) -> Self {
        Self {
            faults: limits.faults,
            faulted_cpu: Duration::from_secs(limits.faulted_seconds),
            findings_mib: limits.findings_mib,
        }
    }
}

/// What a plugin has cost of its allowance.
#[derive(Debug)]
pub struct Budget {
    allowed: Allowance,
    faults: AtomicU32,
    cpu_nanos: AtomicU64,
    /// Bytes of findings in this slice.
    findings: AtomicU64,
}

impl Budget {
    /// Nothing spent.
    pub const fn new(allowed: Allowance) -> Self {
        Self { allowed, faults: AtomicU32::new(0), cpu_nanos: AtomicU64::new(0), findings: AtomicU64::new(0) }
    }

    /// As much spent in the run, to go on counting in another slice, apart from this one.
    pub fn copy(&self) -> Self {
        let (faults, cpu_nanos) = (self.faults.load(Relaxed).into(), self.cpu_nanos.load(Relaxed).into());
        Self { allowed: self.allowed, faults, cpu_nanos, findings: AtomicU64::new(0) }
    }

    /// Why the plugin is stopped, once it is.
    pub fn spent(&self) -> Option<String> {
        let Allowance { faults: most, faulted_cpu, .. } = self.allowed;
        let cpu = Duration::from_nanos(self.cpu_nanos.load(Relaxed));
        if self.faults.load(Relaxed) >= most {
            return Some(format!("stopped after {most} faults; {most} allowed (faults in [limits])"));
        }
        if cpu >= faulted_cpu {
            let (spent, most) = (cpu.as_secs_f64(), faulted_cpu.as_secs());
            return Some(format!(
                "stopped after {spent:.1} s of CPU in faulted calls; {most} s allowed (faulted_seconds in [limits])"
            ));
        }
        self.flooded()
    }

    /// That there are too many findings in this slice, once there are.
    pub(super) fn flooded(&self) -> Option<String> {
        let most = self.allowed.findings_mib;
        (self.findings.load(Relaxed) > u64::from(most) << 20).then(|| {
            let exceeded = Exceeded {
                what: "findings of a slice",
                asked: format!("over {most} MiB"),
                allowed: format!("{most} MiB"),
                setting: "findings_mib in [limits]",
            };
            exceeded.to_string()
        })
    }

    /// Counts a fault; whether it was one of those that are allowed. Of threads that come to the last one together, one
    /// has it.
    pub(super) fn spend(&self, cpu: Duration) -> bool {
        self.cpu_nanos.fetch_add(u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        self.faults.fetch_add(1, Relaxed) < self.allowed.faults
    }

    /// Counts findings of this slice, in bytes.
    pub(super) fn found(&self, bytes: usize) {
        self.findings.fetch_add(bytes as u64, Relaxed);
    }
}
