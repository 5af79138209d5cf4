//! The arms: what is compared.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use clap::ValueEnum;
use datafusion::{
    execution::{memory_pool::FairSpillPool, runtime_env::RuntimeEnvBuilder},
    prelude::{SessionConfig, SessionContext},
};
use serde::{Deserialize, Serialize};
use wardflow_manifest::Column;

use crate::{
    Result,
    data::Layout,
    devices,
    engine::{self, Engine, narrowed, native, sandboxed, uninterrupted},
    sql,
};

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Arm {
    /// DataFusion reads the columns that the null plugin's six are made of.
    Scan,
    /// The plugin that pulls six columns and does nothing.
    Null,
    /// The same, linked natively.
    NullNative,
    /// The null plugin, declaring and pulling two columns.
    NullTwo,
    /// The stateful plugin, sandboxed.
    Rhythm,
    /// The same source, linked natively.
    RhythmNative,
    /// The stateful plugin, sandboxed, compiled without what ends a guest that runs too long.
    RhythmUninterrupted,
    /// Ten of the stateful plugin, under ten ids.
    TenRhythms,
    /// The stateful plugin, asked about one device alone.
    OneDevice,
    /// A Zeek log into the archive.
    Ingest,
    /// The stateful detector in DataFusion SQL.
    Datafusion,
    /// The stateful detector in DuckDB, with a window function.
    DuckdbWindow,
    /// The stateful detector in DuckDB, with lists.
    DuckdbList,
    /// The stateful detector in Polars.
    Polars,
    /// A Zeek log into Parquet by DuckDB's reader of CSV.
    DuckdbIngest,
}

/// The columns of the archive that `bench/null` needs.
const SIX: [&str; 8] = ["end_time", "src_ip", "dst_ip", "src_port", "dst_port", "protocol", "src_bytes", "dst_bytes"];

/// What one run measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    pub(crate) flows: u64,
    /// CPU time in guests and at their boundary.
    #[serde(default)]
    pub(crate) guest_seconds: f64,
    /// Bytes of columns that went into guests.
    #[serde(default)]
    pub(crate) bytes_crossed: u64,
    /// Bytes of Parquet that were read.
    #[serde(default)]
    pub(crate) bytes_read: u64,
    /// Peak resident memory of the process in MiB.
    pub(crate) peak_mib: f64,
    /// What was found, to be compared.
    pub(crate) found: Vec<Found>,
}

/// A service that a device uses often.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) device: String,
    pub(crate) peer: String,
    pub(crate) port: i32,
    #[serde(default)]
    pub(crate) slice: i64,
    /// By name of the observation.
    pub(crate) measured: BTreeMap<String, f64>,
}

impl Arm {
    /// The name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The Python program of a peer.
    pub(crate) const fn script(self) -> Option<&'static str> {
        match self {
            Self::DuckdbWindow => Some(include_str!("../peers/duckdb_window.py")),
            Self::DuckdbList => Some(include_str!("../peers/duckdb_list.py")),
            Self::Polars => Some(include_str!("../peers/polars_groups.py")),
            Self::DuckdbIngest => Some(include_str!("../peers/duckdb_ingest.py")),
            _ => None,
        }
    }
}

/// Runs an arm of this program.
pub(crate) fn run(arm: Arm, layout: Layout, threads: usize, out: &Path, plugins: &Path) -> Result<Measured> {
    bind(threads)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(measure(arm, layout, threads, out, plugins))
}

async fn measure(arm: Arm, layout: Layout, threads: usize, out: &Path, plugins: &Path) -> Result<Measured> {
    let pool = Arc::new(FairSpillPool::new(2 << 30));
    let memory = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?;
    let config = SessionConfig::new().with_target_partitions(threads);
    let session = SessionContext::new_with_config_rt(config, memory);
    let directory = out.join(layout.directory());
    let one = |name: &str| sandboxed(plugins, name, &[name.replacen('-', "/", 1)]);
    let detectors = match arm {
        Arm::Null => one("bench-null")?,
        Arm::NullTwo => vec![narrowed(plugins, "bench-null", &[Column::EndTime, Column::BytesSent])?],
        Arm::NullNative => vec![native(wardflow_bench_null::plugin)?],
        Arm::Rhythm | Arm::OneDevice => one("bench-rhythm")?,
        Arm::RhythmNative => vec![native(wardflow_bench_rhythm::plugin)?],
        Arm::RhythmUninterrupted => vec![uninterrupted(plugins, "bench-rhythm")?],
        Arm::TenRhythms => {
            let ids: Vec<_> = (0..10).map(|number| format!("bench/rhythm-{number}")).collect();
            sandboxed(plugins, "bench-rhythm", &ids)?
        }
        _ => Vec::new(),
    };
    let only = match arm {
        Arm::OneDevice => Some(devices::middle(&directory)?),
        _ => None,
    };
    let began = Instant::now();
    let ran = match arm {
        Arm::Ingest => engine::ingest(&directory).await?,
        Arm::Scan => Engine::open(&directory, devices::inventory(&directory)?, session).await?.scan(&SIX).await?,
        Arm::Datafusion => sql::run(&session, &devices::inventory(&directory)?, &directory).await?,
        _ => Engine::open(&directory, devices::inventory(&directory)?, session).await?.detect(&detectors, only).await?,
    };
    Ok(Measured {
        seconds: began.elapsed().as_secs_f64(),
        flows: ran.flows,
        guest_seconds: ran.guest_seconds,
        bytes_crossed: ran.bytes_crossed,
        bytes_read: ran.bytes_read,
        peak_mib: peak_mib(),
        found: ran.found.into_values().collect(),
    })
}

/// Binds this process to the first of the cores that it may use.
pub(crate) fn bind(threads: usize) -> Result<()> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let mut cores = rustix::thread::CpuSet::new();
    let first = (0..rustix::thread::CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).take(threads);
    first.for_each(|core| cores.set(core));
    Ok(rustix::thread::sched_setaffinity(None, &cores)?)
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
