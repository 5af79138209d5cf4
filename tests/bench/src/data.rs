//! The data: one synthetic day, laid out in several ways.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use clap::ValueEnum;
use datafusion::{
    dataframe::DataFrameWriteOptions,
    prelude::{ParquetReadOptions, SessionContext},
};
use serde::Serialize;
use wardflow::{
    archive::{Archive, ArchiveWriter},
    synthetic,
    zone::AddressSpace,
};
use wardflow_datasets::{Flow, Hospital, Options};

use crate::{Result, devices, zeek};

/// What is read: the same flows, laid out or changed in several ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layout {
    /// Any Parquet in order of time: one file, text addresses, zstd, as a writer without knowledge leaves it.
    Ordered,
    /// As `wardflow ingest` lays it out.
    Ingested,
    /// Ingested, and half of the flows that devices begin are of one device.
    Heavy,
    /// Ingested, and every device is 72: some 100,000.
    Many,
    /// Ingested, five days instead of one, each of as many flows.
    Week,
    /// Ingested, ninety days, each of a tenth of the flows.
    Nights,
    /// A Zeek `conn.log` of a tenth of the flows.
    Zeek,
}

impl Layout {
    /// In the order in which they can be made: what is in order of time is made of what was ingested.
    const ALL: [Self; 7] =
        [Self::Ingested, Self::Ordered, Self::Heavy, Self::Many, Self::Week, Self::Nights, Self::Zeek];

    /// Name of the directory.
    pub(crate) const fn directory(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Ingested => "ingested",
            Self::Heavy => "heavy",
            Self::Many => "many",
            Self::Week => "week",
            Self::Nights => "nights",
            Self::Zeek => "zeek",
        }
    }

    /// The initiator that a flow has here, of a device that has this place in the list.
    fn initiator(self, flow: &Flow, place: Option<usize>, first: IpAddr) -> IpAddr {
        match (self, place) {
            (Self::Heavy, Some(_)) if flow.uid.is_multiple_of(2) => first,
            (Self::Many, Some(place)) => split(place, flow.uid % SPLIT),
            _ => flow.src_ip,
        }
    }
}

/// Devices that one becomes where there are many.
const SPLIT: u64 = 72;

/// An address of its own for a part of a device.
fn split(place: usize, part: u64) -> IpAddr {
    let number = u32::try_from(place as u64 * SPLIT + part).unwrap_or_default();
    Ipv4Addr::from_bits(Ipv4Addr::new(172, 16, 0, 0).to_bits() + number).into()
}

/// Makes what is not there yet.
#[tokio::main]
pub(crate) async fn make(out: &Path, flows: u64, layouts: &BTreeSet<Layout>) -> Result<()> {
    for layout in Layout::ALL.into_iter().filter(|layout| layouts.contains(layout)) {
        let directory = out.join(layout.directory());
        let done = directory.join("flows");
        if fs::read_to_string(&done).is_ok_and(|text| text == flows.to_string()) {
            continue;
        }
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        let (days, of_day) = match layout {
            Layout::Week => (5, flows),
            Layout::Nights => (90, flows / 10),
            _ => (1, flows),
        };
        // Without incidents: a scan would push services out of the plugin's bounded map, which the peers do not have.
        let flows_in_all = Some(of_day * u64::from(days));
        let options =
            Options { devices: 1_000, days, flows: flows_in_all, incidents: Vec::new(), ..Options::default() };
        let hospital = Hospital::new(options)?;
        eprintln!("making {}: {of_day} flows a day, {days} days", layout.directory());
        let devices = devices::of(&hospital);
        let inventory = match layout {
            Layout::Many => {
                let parts = |place| (0..SPLIT).map(move |part| split(place, part));
                (0..devices.len()).flat_map(parts).collect()
            }
            _ => devices.clone(),
        };
        devices::write(&directory, &inventory)?;
        match layout {
            Layout::Ordered => order(out).await?,
            Layout::Zeek => zeek::write(&directory.join("conn.log"), hospital.flows().take(flows as usize / 10))?,
            _ => ingest(&hospital, layout, &devices, out).await?,
        }
        fs::write(done, flows.to_string())?;
    }
    Ok(())
}

async fn ingest(hospital: &Hospital, layout: Layout, devices: &[IpAddr], out: &Path) -> Result<()> {
    let archive = Archive::open(layout.directory(), out)?;
    let lock = archive.lock()?;
    let mut writer = ArchiveWriter::new(&lock, AddressSpace::default())?;
    let places: BTreeMap<_, _> = devices.iter().enumerate().map(|(place, ip)| (*ip, place)).collect();
    let first = *devices.first().ok_or("a hospital without devices")?;
    let mut uid = String::new();
    for mut flow in hospital.flows() {
        flow.src_ip = layout.initiator(&flow, places.get(&flow.src_ip).copied(), first);
        uid.clear();
        write!(uid, "S{:016x}", flow.uid)?;
        writer.push(&synthetic::record(&flow, &uid))?;
    }
    writer.finish("synthetic").await?;
    Ok(())
}

async fn order(out: &Path) -> Result<()> {
    let context = SessionContext::new();
    let text = |layout: Layout| out.join(layout.directory()).display().to_string();
    let options = ParquetReadOptions::default().table_partition_cols(Vec::new());
    context.register_parquet("flows", text(Layout::Ingested), options).await?;
    let sorted = context.sql("SELECT * EXCLUDE (date) FROM flows ORDER BY end_time").await;
    let sorted = match sorted {
        Ok(sorted) => sorted,
        Err(_) => context.sql("SELECT * FROM flows ORDER BY end_time").await?,
    };
    let mut parquet = context.copied_table_options().parquet;
    parquet.global.compression = Some("zstd(3)".to_owned());
    parquet.global.max_row_group_size = 1 << 18;
    let file = format!("{}/flows.parquet", text(Layout::Ordered));
    let single = DataFrameWriteOptions::new().with_single_file_output(true);
    sorted.write_parquet(&file, single, Some(parquet)).await?;
    Ok(())
}
