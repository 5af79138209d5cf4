//! The synthetic hospital as a workspace: its configuration, inventory, flows and truth.

use std::{collections::BTreeSet, fmt::Write, path::Path};

use wardflow_datasets::{Flow, Hospital, Infrastructure, Options, Role, Truth};

use crate::{
    archive::{Archive, ArchiveWriter, FlowRecord, write_inventory_csv},
    config::Config,
    detector::Stop,
    device::{Entry, Facts},
    error::{Context, Result},
};

/// File in the workspace that says what really happened.
pub const TRUTH: &str = "truth.csv";

/// File in the workspace that says in which hours it happened.
pub const TRUTH_HOURS: &str = "truth_hours.csv";

/// What the names of its flow files begin with.
const SOURCE: &str = "synthetic";

/// The `wardflow.toml` that fits it.
pub fn config(hospital: &Hospital) -> String {
    let mut text = String::from(
        "# A synthetic hospital, made by `wardflow demo`. Every key is described in the file that `wardflow init` writes.\n\n\
         inventory = \"inventory.csv\"\n",
    );
    let _ = writeln!(text, "timezone = {:?}", Options::default().timezone);
    for Infrastructure { role, cidr, hours, note } in hospital.infrastructure() {
        let _ = write!(text, "\n# {note}\n[[infrastructure]]\nrole = {:?}\ncidr = {cidr:?}\n", role_name(role));
        // A day of the week before the hours has no place in the configuration.
        if let Some(hours) = hours.and_then(|hours| hours.split_whitespace().last()) {
            let _ = writeln!(text, "hours = {hours:?}");
        }
    }
    text.push_str("\n[plugin.\"wardflow/infusion-pump\".peer_groups]\n");
    for group in hospital.peer_groups() {
        let _ = writeln!(text, "{} = {:?}", group.name, group.cidrs);
    }
    text
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Scanner => "scanner",
        Role::Nms => "network-management",
        Role::Backup => "backup",
        Role::Proxy => "proxy",
        Role::Nat => "nat",
        Role::RemoteService => "remote-service",
        Role::Dns => "name-server",
        Role::Ntp => "time-server",
        Role::Dhcp => "dhcp-server",
    }
}

/// Writes inventory, truth and flows into its workspace. Returns how many flows; `progress` is told as they are written.
///
/// # Errors
/// Something cannot be written.
pub async fn write(
    config: &Config,
    hospital: &Hospital,
    stop: &Stop,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<u64> {
    remove_unfinished(config)?;
    write_inventory(hospital, &config.root.join("inventory.csv"))?;
    write_truth(hospital.truth(), &config.root)?;
    write_flows(config, hospital, stop, progress).await
}

/// Removes the flows that a killed run left, perhaps of more days.
fn remove_unfinished(config: &Config) -> Result<()> {
    let doing = || format!("cannot remove what an earlier run left in {}", config.archive);
    let archive = glob::Pattern::escape(&config.root.join(&config.archive).display().to_string());
    for file in glob::glob(&format!("{archive}/date=*/{SOURCE}-*.parquet")).context(doing)? {
        std::fs::remove_file(file.context(doing)?).context(doing)?;
    }
    Ok(())
}

/// Writes the inventory alone.
///
/// # Errors
/// It cannot be written.
pub fn write_inventory(hospital: &Hospital, path: &Path) -> Result<()> {
    write_inventory_csv(&entries(hospital), path)
}

/// Writes the flows alone.
///
/// # Errors
/// Something cannot be written.
pub async fn write_flows(
    config: &Config,
    hospital: &Hospital,
    stop: &Stop,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<u64> {
    let archive = Archive::open(&config.archive, &config.root)?;
    let lock = archive.lock()?;
    let mut writer = ArchiveWriter::new(&lock, config.space.clone())?;
    let mut uid = String::new();
    let mut written = 0_u64;
    for flow in hospital.flows() {
        uid.clear();
        let _ = write!(uid, "S{:016x}", flow.uid);
        writer.push(&record(&flow, &uid))?;
        written += 1;
        if written.is_multiple_of(16_384) {
            progress(written);
            if stop.is_stopped() {
                return Ok(written);
            }
            tokio::task::yield_now().await;
        }
    }
    writer.finish(SOURCE).await?;
    progress(written);
    Ok(written)
}

/// A flow of it, with its id as text.
pub fn record<'a>(flow: &'a Flow, uid: &'a str) -> FlowRecord<'a> {
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

/// Its inventory.
pub fn entries(hospital: &Hospital) -> Vec<Entry> {
    let rows = hospital.inventory().iter().flat_map(|device| device.rows());
    rows.map(|row| Entry {
        device_id: row.device.id.clone(),
        ip: Some(row.ip),
        mac: Some(row.device.mac),
        valid_from: row.valid_from_us.unwrap_or(i64::MIN),
        valid_to: row.valid_to_us.unwrap_or(i64::MAX),
        facts: Facts {
            class: row.device.class.as_str().to_owned(),
            manufacturer: row.device.manufacturer.to_owned(),
            model: row.device.model.to_owned(),
            serial: row.device.serial.clone(),
            udi_di: row.device.udi_di.clone().unwrap_or_default(),
            firmware: row.firmware.to_owned(),
            zone: row.device.zone.to_owned(),
            location: row.device.location.to_owned(),
            owner: row.device.owner.to_owned(),
            criticality: row.device.criticality.as_str().to_owned(),
        },
        source: "inventory".to_owned(),
        confidence: 1.0,
    })
    .collect()
}

/// Writes what really happened, in [`TRUTH`] and [`TRUTH_HOURS`] of a directory.
///
/// # Errors
/// A file cannot be written.
pub fn write_truth(truth: &[Truth], directory: &Path) -> Result<()> {
    write_incidents(truth, &directory.join(TRUTH))?;
    write_hours(truth, &directory.join(TRUTH_HOURS))
}

/// One row a thing that an incident did. Several devices at the other end have a space between their ids.
fn write_incidents(truth: &[Truth], path: &Path) -> Result<()> {
    let doing = || format!("cannot write {}", path.display());
    let mut writer = csv::Writer::from_path(path).context(doing)?;
    let header = [
        "incident",
        "device_id",
        "first_seen",
        "last_seen",
        "peer_ip",
        "peer_port",
        "protocol",
        "flows",
        "description",
        "variant",
        "technique",
        "peer_device_id",
    ];
    writer.write_record(header).context(doing)?;
    for row in truth {
        writer
            .write_record([
                row.incident.as_str(),
                &row.device_id,
                &rfc_3339(row.first_us),
                &rfc_3339(row.last_us),
                &row.peer_ip.map(|ip| ip.to_string()).unwrap_or_default(),
                &row.peer_port.map(|port| port.to_string()).unwrap_or_default(),
                &row.protocol.map(|protocol| protocol.to_string()).unwrap_or_default(),
                &row.flows.to_string(),
                row.description,
                row.variant.as_str(),
                row.technique,
                &row.peer_device_ids.join(" "),
            ])
            .context(doing)?;
    }
    writer.flush().context(doing)
}

/// When it happened: one row for each hour in which an incident left something of a device, or silence.
fn write_hours(truth: &[Truth], path: &Path) -> Result<()> {
    let doing = || format!("cannot write {}", path.display());
    let mut writer = csv::Writer::from_path(path).context(doing)?;
    writer.write_record(["incident", "device_id", "hour"]).context(doing)?;
    let hours = truth
        .iter()
        .flat_map(|row| row.hours_us.iter().map(move |&hour_us| (row.incident, row.device_id.as_str(), hour_us)));
    let distinct: BTreeSet<_> = hours.collect();
    for (incident, device, hour_us) in distinct {
        writer.write_record([incident.as_str(), device, &rfc_3339(hour_us)]).context(doing)?;
    }
    writer.flush().context(doing)
}

fn rfc_3339(at_us: i64) -> String {
    jiff::Timestamp::from_microsecond(at_us).map_or_else(|_| at_us.to_string(), |at| at.to_string())
}
