//! The boundary alone: what one call and one column cost, and what an instance costs to have.

use std::{
    collections::BTreeMap,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use serde::Serialize;
use wardflow::{
    detector::{Detector, DeviceFacts, FlowBatch, Instance, Opened, SessionId, Stop, Values},
    limits::Limits,
    sandbox::{Compiler, Sandbox},
};
use wardflow_manifest::Column;

use crate::Result;

/// Repetitions of what is quick.
const TIMES: usize = 2_000;

/// Lengths of a batch.
const LENGTHS: [usize; 4] = [16, 64, 512, 8_192];

/// What was measured. Times in microseconds, of a row in nanoseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Micro {
    /// By what, the median and the 99th percentile.
    pub(crate) calls: BTreeMap<&'static str, (f64, f64)>,
    /// Column, its type, rows, nanoseconds a row to pull it, and to copy it with `copy_from_slice`.
    pub(crate) pulls: Vec<(&'static str, &'static str, usize, f64, f64)>,
    /// Milliseconds from bytes to a plugin that can be instantiated: compiled, and from the cache.
    pub(crate) start: (f64, f64),
}

/// Measures it.
pub(crate) fn run(plugins: &Path) -> Result<Micro> {
    crate::arm::bind(1)?;
    let file = plugins.join("bench-null.wasm");
    let bytes = std::fs::read(&file)?;
    let cache = plugins.join("code-micro");
    let _ = std::fs::remove_dir_all(&cache);
    std::fs::create_dir_all(&cache)?;
    private(&cache)?;
    let start = |cache: Option<&Path>| -> Result<f64> {
        let sandbox = Sandbox::new(Limits::default(), Compiler::here().kept_in(cache.map(Path::to_owned)))?;
        let began = Instant::now();
        black_box(sandbox.load(&bytes)?);
        Ok(began.elapsed().as_secs_f64() * 1e3)
    };
    let cold = median((0..9).map(|_| start(None)).collect::<Result<_>>()?);
    start(Some(&cache))?;
    let warm = median((0..99).map(|_| start(Some(&cache))).collect::<Result<_>>()?);

    let plugin = Sandbox::new(Limits::default(), Compiler::here().kept_in(Some(cache)))?.load(&bytes)?;
    let mut calls = BTreeMap::new();
    let mut time = |what, durations: Vec<Duration>| {
        let mut micros: Vec<f64> = durations.iter().map(|duration| duration.as_secs_f64() * 1e6).collect();
        micros.sort_by(f64::total_cmp);
        calls.insert(what, (micros[micros.len() / 2], micros[micros.len() * 99 / 100]));
    };
    let stop = Stop::default();
    let instantiate = |_| {
        let began = Instant::now();
        let instance = plugin.instantiate(16, &stop);
        let passed = began.elapsed();
        instance.map(|instance| {
            drop(instance);
            passed
        })
    };
    time("instantiate", (0..TIMES).map(instantiate).collect::<std::result::Result<_, _>>()?);

    let state = postcard_bytes(&[7; 4_096]);
    let (mut restores, mut saves, mut empties) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let mut instance = plugin.instantiate(2, &stop)?;
        let began = Instant::now();
        let session = open(&mut *instance, NOTHING, Some(&state))?;
        restores.push(began.elapsed());
        let began = Instant::now();
        instance.observe(session, Box::new(Rows(1)))?;
        empties.push(began.elapsed());
        let began = Instant::now();
        instance.save(session)?;
        saves.push(began.elapsed());
    }
    time("restore 4 KiB", restores);
    time("save 4 KiB", saves);
    time("empty call", empties);

    let mut pulls = Vec::new();
    for (column, data_type) in COLUMNS {
        for rows in LENGTHS {
            let with = observe(&plugin, &pulling(column), rows)?;
            let without = observe(&plugin, NOTHING, rows)?;
            pulls.push((column, data_type, rows, (with - without) / rows as f64, copy(data_type, rows)));
        }
    }
    let micro = Micro { calls, pulls, start: (cold, warm) };
    show(&micro);
    Ok(micro)
}

/// Parameters of a plugin that pulls nothing.
pub(crate) const NOTHING: &str = r#"{"pull":[]}"#;

/// Parameters of one that pulls this column.
pub(crate) fn pulling(column: &str) -> String {
    format!(r#"{{"pull":["{column}"]}}"#)
}

const COLUMNS: [(&str, &str); 5] =
    [("end-time", "s64"), ("peer", "u64"), ("peer-class", "u32"), ("peer-port", "u16"), ("protocol", "u8")];

/// Median nanoseconds of an observe call with batches of so many rows.
fn observe(plugin: &dyn Detector, parameters: &str, rows: usize) -> Result<f64> {
    let mut instance = plugin.instantiate(1, &Stop::default())?;
    let session = open(&mut *instance, parameters, None)?;
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let batch = Box::new(Rows(rows));
        let began = Instant::now();
        instance.observe(session, batch)?;
        times.push(began.elapsed().as_secs_f64() * 1e9);
    }
    Ok(median(times))
}

/// Median nanoseconds a row of copying such a column.
fn copy(data_type: &str, rows: usize) -> f64 {
    let width = match data_type {
        "u32" => 4,
        "u16" => 2,
        "u8" => 1,
        _ => 8,
    };
    let from = vec![7_u8; rows * width];
    let mut to = vec![0_u8; rows * width];
    let times = (0..TIMES).map(|_| {
        let began = Instant::now();
        black_box(&mut to).copy_from_slice(black_box(&from));
        began.elapsed().as_secs_f64() * 1e9
    });
    median(times.collect()) / rows as f64
}

pub(crate) fn open(instance: &mut dyn Instance, parameters: &str, state: Option<&[u8]>) -> Result<SessionId> {
    let device = DeviceFacts {
        pseudonym: 1,
        class: "unknown".to_owned(),
        manufacturer: String::new(),
        model: String::new(),
        firmware: String::new(),
        zone: 0,
    };
    match instance.open(&device, parameters, state)? {
        Opened::Session(session) => Ok(session),
        other => Err(format!("{other:?}").into()),
    }
}

/// So many flows, all alike.
pub(crate) struct Rows(pub(crate) usize);

impl FlowBatch for Rows {
    fn len(&self) -> usize {
        self.0
    }

    fn first_row(&self) -> u32 {
        0
    }

    fn column(&self, column: Column) -> Values {
        match column {
            Column::EndTime => Values::I64(vec![7; self.0]),
            Column::PeerClass => Values::U32(vec![7; self.0]),
            Column::PeerPort => Values::U16(vec![7; self.0]),
            Column::Protocol => Values::U8(vec![7; self.0]),
            _ => Values::U64(vec![7; self.0]),
        }
    }
}

/// The middle of values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn show(micro: &Micro) {
    println!("\nThe boundary, on one core");
    println!("  start: compiled {:.1} ms, from the cache {:.2} ms", micro.start.0, micro.start.1);
    for (what, (middle, high)) in &micro.calls {
        println!("  {what:14} {middle:8.1} µs, 99 % within {high:.1} µs");
    }
    println!("  a column pulled, in ns a row (beside copy_from_slice), by batch length");
    for (column, data_type) in COLUMNS {
        let of = micro.pulls.iter().filter(|(name, ..)| *name == column);
        let cells: Vec<_> = of.map(|(.., rows, pull, copy)| format!("{rows}: {pull:.2} ({copy:.2})")).collect();
        println!("  {column:11} {data_type:4} {}", cells.join("  "));
    }
}

/// The cache is trusted only where nobody else can write.
pub(crate) fn private(directory: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?)
}

/// A vector of bytes as the SDK stores state.
fn postcard_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(bytes.len() + 3);
    let mut length = bytes.len();
    while length >= 0x80 {
        encoded.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    encoded.push(length as u8);
    encoded.extend_from_slice(bytes);
    encoded
}
