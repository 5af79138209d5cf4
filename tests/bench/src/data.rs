//! The data: one synthetic day, laid out in two ways.

use std::{collections::BTreeSet, fmt::Write as _, fs, net::IpAddr, path::Path};

use clap::ValueEnum;
use datafusion::{
    dataframe::DataFrameWriteOptions,
    prelude::{ParquetReadOptions, SessionContext},
};
use serde::Serialize;
use wardflow::{
    archive::{Archive, ArchiveWriter, FlowRecord},
    device::{Entry, Facts, Inventory},
    zone::AddressSpace,
};
use wardflow_datasets::{DeviceClass, Flow, Hospital, Options};

use crate::Result;

/// How the flows lie in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layout {
    /// Any Parquet in order of time: one file, text addresses, zstd, as a writer without knowledge leaves it.
    Ordered,
    /// As `wardflow ingest` lays it out.
    Ingested,
}

impl Layout {
    /// Name of the archive's directory.
    pub(crate) const fn directory(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Ingested => "ingested",
        }
    }
}

/// Makes what is not there yet.
#[tokio::main]
pub(crate) async fn make(out: &Path, flows: u64) -> Result<()> {
    let done = out.join("flows");
    if fs::read_to_string(&done).is_ok_and(|text| text == flows.to_string()) {
        return Ok(());
    }
    for layout in [Layout::Ordered, Layout::Ingested] {
        let directory = out.join(layout.directory());
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
    }
    eprintln!("making {flows} flows of 1,000 devices");
    let hospital = Hospital::new(Options { devices: 1_000, days: 1, flows: Some(flows), ..Options::default() })?;
    fs::write(out.join(DEVICES), devices(&hospital))?;
    ingest(&hospital, out).await?;
    eprintln!("putting them in order of time");
    order(out).await?;
    Ok(fs::write(done, flows.to_string())?)
}

/// File with the addresses of the devices, that all arms look at.
const DEVICES: &str = "devices.csv";

/// The class of those devices, which the benchmark's plugins have in scope.
const CLASS: &str = "benchmark";

/// Addresses of what is no server, a line each. Each address is a device here, whoever has it at what time.
fn devices(hospital: &Hospital) -> String {
    use DeviceClass::{
        ImagingModality, InfusionPump, InsulinPumpGateway, LabAnalyser, PatientMonitor, Printer, Ventilator,
        WearableHeartMonitorGateway, Workstation,
    };
    let is_device = |class| {
        matches!(
            class,
            InfusionPump
                | PatientMonitor
                | ImagingModality
                | LabAnalyser
                | Ventilator
                | WearableHeartMonitorGateway
                | InsulinPumpGateway
                | Workstation
                | Printer
        )
    };
    let devices = hospital.inventory().iter().filter(|device| is_device(device.class));
    let addresses: BTreeSet<IpAddr> = devices.flat_map(|device| device.rows()).map(|row| row.ip).collect();
    addresses.iter().fold("ip\n".to_owned(), |text, ip| text + &ip.to_string() + "\n")
}

/// The devices as an inventory.
pub(crate) fn inventory(out: &Path) -> Result<Inventory> {
    let text = fs::read_to_string(out.join(DEVICES))?;
    let entry = |line: &str| -> Result<Entry> {
        Ok(Entry {
            device_id: line.to_owned(),
            ip: Some(line.parse()?),
            mac: None,
            valid_from: i64::MIN,
            valid_to: i64::MAX,
            facts: Facts { class: CLASS.to_owned(), ..Facts::default() },
            source: "inventory".to_owned(),
            confidence: 1.0,
        })
    };
    Ok(Inventory::new(text.lines().skip(1).map(entry).collect::<Result<_>>()?))
}

async fn ingest(hospital: &Hospital, out: &Path) -> Result<()> {
    let archive = Archive::open(Layout::Ingested.directory(), out)?;
    let lock = archive.lock()?;
    let mut writer = ArchiveWriter::new(&lock, "synthetic", AddressSpace::default())?;
    let mut uid = String::new();
    for flow in hospital.flows() {
        uid.clear();
        write!(uid, "S{:016x}", flow.uid)?;
        writer.push(&record(&flow, &uid))?;
    }
    writer.finish().await?;
    Ok(())
}

fn record<'a>(flow: &'a Flow, uid: &'a str) -> FlowRecord<'a> {
    FlowRecord {
        service: Some(flow.service).filter(|service| !service.is_empty()),
        src_bytes: Some(flow.src_bytes),
        dst_bytes: Some(flow.dst_bytes),
        src_packets: Some(flow.src_packets),
        dst_packets: Some(flow.dst_packets),
        conn_state: Some(flow.conn_state.as_str()),
        tcp_flags: Some(u16::from(flow.tcp_flags)),
        src_mac: flow.src_mac,
        dst_mac: flow.dst_mac,
        vlan: flow.vlan,
        flow_uid: Some(uid),
        dst_name: flow.dst_name.as_deref(),
        sensor: Some(flow.sensor),
        sampling_interval: Some(1),
        observed_sides: Some(2),
        ..FlowRecord::new(
            (flow.start_us, flow.end_us),
            (flow.src_ip, flow.src_port),
            (flow.dst_ip, flow.dst_port),
            flow.protocol,
        )
    }
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
