//! The synthetic hospital as a workspace: its configuration, its inventory, its flows, and the truth about them.

use std::fmt::Write;

use wardflow::{
    archive::{ArchiveWriter, FlowRecord, write_inventory_csv},
    config::Config,
    detector::Stop,
    device::{Entry, Facts},
    error::{Context, Error, Result},
};
use wardflow_datasets::{Device, Flow, Hospital, Incident, Options, Role, Truth};

use super::super::workspace;
use crate::{args::Demo, print::Progress};

/// Name of the archive's files.
const SOURCE: &str = "demo";
const INVENTORY: &str = "inventory.csv";
/// What really happened, beside the archive and not in it.
const TRUTH: &str = "truth.csv";

/// A synthetic hospital, not written yet.
#[derive(Debug)]
pub(super) struct Plan {
    hospital: Hospital,
    timezone: String,
}

/// The hospital that was asked for.
///
/// # Errors
/// A number is out of range, or an incident is unknown.
pub(super) fn plan(args: &Demo) -> Result<Plan> {
    let default = Options::default();
    let incidents = match args.incident.as_slice() {
        [] => default.incidents.clone(),
        [none] if none == "none" => Vec::new(),
        names => names.iter().map(|name| name.parse::<Incident>()).collect::<Result<_, _>>().map_err(refuse)?,
    };
    let options = Options {
        devices: args.devices.unwrap_or(default.devices),
        days: args.days.unwrap_or(default.days),
        seed: args.seed,
        flows: args.flows,
        incidents,
        ..default
    };
    let timezone = options.timezone.clone();
    Ok(Plan { hospital: Hospital::new(options).map_err(refuse)?, timezone })
}

impl Plan {
    /// About how many flows it has.
    pub(super) fn flows(&self) -> u64 {
        self.hospital.expected_flows()
    }

    /// The `wardflow.toml` that fits it.
    pub(super) fn config(&self) -> String {
        let mut text = format!(
            "# A synthetic hospital. What really happened in it is in {TRUTH}.\n\ninventory = {INVENTORY:?}\ntimezone = \
             {:?}\n",
            self.timezone
        );
        let mut line = |line: String| writeln!(text, "{line}").unwrap_or_default();
        for infrastructure in self.hospital.infrastructure() {
            line(format!("\n# {}", infrastructure.note));
            line("[[infrastructure]]".to_owned());
            line(format!("role = {:?}", role(infrastructure.role)));
            line(format!("cidr = {:?}", infrastructure.cidr));
            // Such as `Sat 22:00-02:00`; hours here are those of every day.
            if let Some(hours) = infrastructure.hours.and_then(|hours| hours.split_whitespace().last()) {
                line(format!("hours = {hours:?}"));
            }
        }
        line("\n[plugin.\"wardflow/infusion-pump\".peer_groups]".to_owned());
        for group in self.hospital.peer_groups() {
            line(format!("{} = {:?}", group.name, group.cidrs));
        }
        text
    }

    /// Writes inventory, truth and flows into the workspace. Returns how many flows. A stop leaves no flows.
    ///
    /// # Errors
    /// Something cannot be written.
    pub(super) async fn write(&self, config: &Config, stop: &Stop, progress: &Progress) -> Result<u64> {
        let entries: Vec<_> = self.hospital.inventory().iter().flat_map(entries).collect();
        write_inventory_csv(&entries, &config.root.join(INVENTORY))?;
        let mut truth = csv::Writer::from_path(config.root.join(TRUTH)).context(writing_truth)?;
        self.hospital.truth().iter().try_for_each(|row: &Truth| truth.serialize(row)).context(writing_truth)?;
        truth.flush().context(writing_truth)?;

        let lock = workspace::archive(config)?.lock()?;
        let mut writer = ArchiveWriter::new(&lock, SOURCE, config.space.clone())?;
        let all = tokio::task::block_in_place(|| push(&self.hospital, &mut writer, stop, progress))?;
        if !all {
            return Ok(0);
        }
        Ok(writer.finish().await?.rows)
    }
}

/// Pushes the flows. Returns whether it was let to the end.
fn push(hospital: &Hospital, writer: &mut ArchiveWriter, stop: &Stop, progress: &Progress) -> Result<bool> {
    const EVERY: u64 = 10_000;
    let mut uid = String::new();
    let mut count = 0;
    for flow in hospital.flows() {
        uid.clear();
        write!(uid, "C{:016x}", flow.uid).unwrap_or_default();
        writer.push(&record(&flow, &uid))?;
        count += 1;
        if count % EVERY == 0 {
            progress.advance(EVERY, EVERY);
            if stop.is_stopped() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn record<'a>(flow: &'a Flow, uid: &'a str) -> FlowRecord<'a> {
    let (times, src, dst) = ((flow.start_us, flow.end_us), (flow.src_ip, flow.src_port), (flow.dst_ip, flow.dst_port));
    FlowRecord {
        service: Some(flow.service).filter(|service| !service.is_empty()),
        src_bytes: Some(flow.src_bytes),
        dst_bytes: Some(flow.dst_bytes),
        src_packets: Some(flow.src_packets),
        dst_packets: Some(flow.dst_packets),
        conn_state: Some(flow.conn_state.as_str()),
        tcp_flags: Some(flow.tcp_flags.into()),
        src_mac: flow.src_mac,
        dst_mac: flow.dst_mac,
        vlan: flow.vlan,
        flow_uid: Some(uid),
        dst_name: flow.dst_name.as_deref(),
        sensor: Some(flow.sensor),
        sampling_interval: Some(1),
        observed_sides: Some(2),
        ..FlowRecord::new(times, src, dst, flow.protocol)
    }
}

fn entries(device: &Device) -> impl Iterator<Item = Entry> {
    device.rows().map(|row| Entry {
        device_id: device.id.clone(),
        ip: Some(row.ip),
        mac: Some(device.mac),
        valid_from: row.valid_from_us.unwrap_or(i64::MIN),
        valid_to: row.valid_to_us.unwrap_or(i64::MAX),
        facts: Facts {
            class: device.class.to_string(),
            manufacturer: device.manufacturer.to_owned(),
            model: device.model.to_owned(),
            serial: device.serial.clone(),
            udi_di: device.udi_di.clone().unwrap_or_default(),
            firmware: row.firmware.to_owned(),
            zone: device.zone.to_owned(),
            location: device.location.to_owned(),
            owner: device.owner.to_owned(),
            criticality: device.criticality.to_string(),
        },
        source: "inventory".to_owned(),
        confidence: 1.0,
    })
}

/// The role's name in the configuration.
fn role(role: Role) -> &'static str {
    match role {
        Role::Scanner => "scanner",
        Role::Nms => "network-management",
        Role::Backup => "backup",
        Role::Proxy => "proxy",
        Role::RemoteService => "remote-service",
        Role::Dns => "name-server",
        Role::Ntp => "time-server",
        Role::Dhcp => "dhcp-server",
    }
}

fn refuse(error: wardflow_datasets::Error) -> Error {
    Error::usage(error.to_string())
}

fn writing_truth() -> String {
    format!("cannot write {TRUTH}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wardflow::config::{Config, FILE};

    use super::plan;
    use crate::args::Demo;

    fn demo(incident: &[&str]) -> Demo {
        Demo {
            dir: "demo".into(),
            devices: Some(30),
            days: Some(1),
            seed: 1,
            flows: Some(5_000),
            incident: incident.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn its_configuration_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let hospital = plan(&demo(&["none"])).unwrap();
        fs::write(dir.path().join(FILE), hospital.config()).unwrap();
        let config = Config::read(dir.path()).unwrap();
        assert!(!config.infrastructure.is_empty() && config.inventory.is_some());
        assert_eq!(config.plugin["wardflow/infusion-pump"].peer_groups.len(), 4);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let error = plan(&demo(&["becon"])).unwrap_err().to_string();
        assert!(error.contains("becon") && error.contains("dns-tunnel"), "{error}");
        let error = plan(&Demo { devices: Some(1), ..demo(&[]) }).unwrap_err().to_string();
        assert_eq!(error, "devices must be from 30 to 50000, but is 1: choose a value in that range");
    }
}
