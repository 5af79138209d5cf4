//! What is mutated: the flows of a synthetic hospital as each sensor tells of them, the logs of the tests, and the
//! beginnings of real ones where there are any.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use wardflow::archive::{Archive, Format, HOURS_KEY, SENSORS_KEY};
use wardflow_datasets::{
    Flow, Hospital, Options,
    export::{self, Eve, Ipfix, Log, Records, Vpc, Zeek},
};

use super::{Source, read};
use crate::Result;

#[path = "../../../bench/src/ingest/argus.rs"]
mod argus;
#[path = "../../../bench/src/ingest/packets.rs"]
mod packets;

/// Flows of a seed. In a small file damage hits what matters more often.
const FLOWS: usize = 40;

/// Bytes of a real log.
const HEAD: u64 = 16 * 1024;

/// Real logs of a format.
const MOST_REAL: usize = 12;

/// A sound file.
#[derive(Clone, Debug)]
pub(super) struct Seed {
    /// Below a case's directory.
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
    /// Whether it stays beside one that is damaged.
    pub(super) is_beside: bool,
}

impl Seed {
    fn new(path: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: content.into(), is_beside: false }
    }
}

/// The seeds of a source.
///
/// # Errors
/// One cannot be made.
pub(super) fn seeds(source: Source, data: Option<&Path>, scratch: &Path) -> Result<Vec<Seed>> {
    let day = Options { devices: 30, days: 1, flows: Some(5_000), ..Options::default() };
    let hospital = Hospital::new(day)?;
    let flows: Vec<Flow> = hospital.flows().take(FLOWS).collect();
    let mut seeds = match source {
        Source::Zeek => zeek(&flows)?,
        Source::Eve => vec![eve(&flows)?],
        Source::Netflow => vec![ipfix(&flows)?],
        Source::Argus => {
            let mut text = Vec::new();
            argus::write(flows.iter().cloned(), &mut text)?;
            vec![Seed::new("flows.binetflow", text)]
        }
        Source::Pcap => vec![Seed::new("packets.pcap", capture(&flows)?)],
        Source::Csv => vec![vpc(&flows)?],
        Source::Nfdump => vec![Seed::new("nfcapd.1", nfcapd(&flows, scratch)?)],
        Source::NfdumpRecords => Vec::new(),
        Source::Parquet => return flow_files(&flows, scratch),
    };
    if let (Some(data), Some(format)) = (data, source.format()) {
        seeds.extend(real(data, format)?);
    }
    if source == Source::NfdumpRecords {
        seeds.push(Seed::new("nfcapd.1", nfcapd(&flows, scratch)?));
        for seed in &mut seeds {
            seed.content = rewritten(&seed.content, scratch)?;
        }
    }
    Ok(seeds)
}

fn zeek(flows: &[Flow]) -> Result<Vec<Seed>> {
    let began = flows.first().map_or(0, |flow| flow.start_us);
    let made = |log: Log, format: export::Format, path: &str| -> Result<Seed> {
        let mut zeek = Zeek::new(Vec::new(), log, format, began)?;
        flows.iter().try_for_each(|flow| zeek.write(flow))?;
        Ok(Seed::new(path, zeek.finish()?))
    };
    let mut seeds = vec![
        made(Log::Conn, export::Format::Tsv, "text/conn.log")?,
        made(Log::Conn, export::Format::Json, "json/conn.log")?,
    ];
    let tested = [
        ("conn.log", include_str!("../../../data/zeek/conn.log")),
        ("dns.log", include_str!("../../../data/zeek/dns.log")),
        ("ssl.log", include_str!("../../../data/zeek/ssl.log")),
    ];
    seeds.extend(tested.map(|(path, text)| Seed { is_beside: true, ..Seed::new(path, text) }));
    Ok(seeds)
}

fn eve(flows: &[Flow]) -> Result<Seed> {
    let mut eve = Eve::new(Vec::new());
    flows.iter().try_for_each(|flow| eve.write(flow))?;
    Ok(Seed::new("eve.json", eve.finish()?))
}

fn ipfix(flows: &[Flow]) -> Result<Seed> {
    let mut messages = Ipfix::new(Vec::new(), Records::Halves { active_timeout_s: 60 }, 1, 5);
    flows.iter().try_for_each(|flow| messages.write(flow))?;
    Ok(Seed::new("flows.ipfix", messages.finish()?))
}

fn vpc(flows: &[Flow]) -> Result<Seed> {
    let mut vpc = Vpc::new(Vec::new())?;
    flows.iter().try_for_each(|flow| vpc.write(flow))?;
    Ok(Seed::new("vpc.log", vpc.finish()?))
}

fn capture(flows: &[Flow]) -> Result<Vec<u8>> {
    let mut capture = Vec::new();
    packets::write(flows.iter().cloned(), &mut capture)?;
    Ok(capture)
}

/// What `nfpcapd` makes of the flows' packets.
fn nfcapd(flows: &[Flow], scratch: &Path) -> Result<Vec<u8>> {
    let (packets, directory) = (scratch.join("packets"), scratch.join("nfcapd"));
    fs::write(&packets, capture(flows)?)?;
    fs::create_dir_all(&directory)?;
    let options = ["-e", "60,30", "-t", "86400", "-o", "fat"];
    run(Command::new("nfpcapd").args(options).arg("-w").arg(&directory).arg("-r").arg(packets))?;
    let files = fs::read_dir(&directory)?.collect::<std::io::Result<Vec<_>>>()?;
    let file = files.first().ok_or("nfpcapd wrote nothing")?.path();
    Ok(fs::read(file)?)
}

/// What `nfdump` writes of a file.
fn rewritten(content: &[u8], scratch: &Path) -> Result<Vec<u8>> {
    let (given, written) = (scratch.join("given"), scratch.join("written"));
    fs::write(&given, content)?;
    run(real_nfdump().arg("-q").arg("-r").arg(given).arg("-w").arg(&written))?;
    Ok(fs::read(written)?)
}

/// The program itself, where another stands before it on the path.
fn real_nfdump() -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).skip(1).map(|directory| directory.join("nfdump"));
    Command::new(others.into_iter().find(|program| program.is_file()).unwrap_or_else(|| "nfdump".into()))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

/// Flow files as `ingest` writes them.
fn flow_files(flows: &[Flow], scratch: &Path) -> Result<Vec<Seed>> {
    let place = scratch.join("seed");
    for seed in zeek(flows)?.into_iter().take(1).chain([eve(flows)?]) {
        let path = place.join("in").join(&seed.path);
        fs::create_dir_all(path.parent().unwrap_or(&place))?;
        fs::write(path, seed.content)?;
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(read::ingested(&place, Format::Zeek, false))?;
    let files = runtime.block_on(async { Archive::open("archive", &place)?.list().await })?.files;
    let root = place.join("archive");
    let seed = |path: PathBuf| -> Result<Seed> {
        Ok(Seed { content: fs::read(&path)?, path: path.strip_prefix(&root)?.to_owned(), is_beside: false })
    };
    let mut seeds = Vec::new();
    for file in files {
        let whole = seed(PathBuf::from(format!("/{}", file.object.location)))?;
        let (older, foreign) = (without(&whole, &CHECKSUMS), without(&whole, &KEYS));
        seeds.extend([whole, older, foreign]);
    }
    Ok(seeds)
}

/// Under which a footer holds checksums: damage passes them seldom, so that what decodes pages sees little of it.
const CHECKSUMS: [&str; 2] = ["wardflow.blocks", "wardflow.tail"];

/// All that a file of another program has not.
const KEYS: [&str; 4] = ["wardflow.blocks", "wardflow.tail", HOURS_KEY, SENSORS_KEY];

/// The same file with other keys in its footer, as long.
fn without(seed: &Seed, keys: &[&str]) -> Seed {
    let mut seed = seed.clone();
    for key in keys {
        let found: Vec<_> = memchr::memmem::find_iter(&seed.content, key).collect();
        found.into_iter().for_each(|at| seed.content[at] = b'-');
    }
    seed
}

/// The beginnings of real logs of a format.
fn real(data: &Path, format: Format) -> Result<Vec<Seed>> {
    let mut files = Vec::new();
    walk(data, &mut files)?;
    files.sort();
    let mut seeds = Vec::new();
    for file in files {
        let mut head = Vec::new();
        File::open(&file)?.take(HEAD).read_to_end(&mut head)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if seeds.len() < MOST_REAL && Format::of(&head, &name, false).is_ok_and(|told| told == format) {
            seeds.push(Seed::new(&format!("real-{}/{name}", seeds.len()), head));
        }
    }
    Ok(seeds)
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}
