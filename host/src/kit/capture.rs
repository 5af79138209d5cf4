//! The flows behind a finding as a test case for the plugin's maker: what goes back from the hospital.
//!
//! Nothing in it is the hospital's own. Addresses, MAC addresses, names, zones and device ids are others each time;
//! times are shifted by whole weeks, the same for all, so that hours and weekdays stay; ids of flows and sensors and VLANs
//! are left out. Three things stay, because the model rests on them: the facts of the watched device that the maker knows
//! (class, manufacturer, model, UDI-DI, firmware), the class of other devices, and addresses and names that the plugin's own
//! manifest lists. [`Capture::describe`] says what is in it, before anything is written.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use arrow::{
    array::{Array, AsArray, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, TimestampMicrosecondType},
};
use csv::StringRecord;
use datafusion::prelude::SessionContext;
use ipnet::IpNet;
use jiff::Timestamp;
use wardflow_manifest::{Manifest, PeerRole};

use super::flow_table::{self, Header};
use crate::{
    archive::{FlowRecord, write_inventory_csv},
    detect::matches,
    device::{Entry, Facts},
    error::{Context, Error, Result},
    flow::time_type,
    workspace::Workspace,
    zone::IpScope,
};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const WEEK: i64 = 7 * DAY;

/// Flows at most: a person has to be able to look at them, and a maker to run them.
const MOST_FLOWS: usize = 2_000_000;

/// What the watched device is called: it is the first.
const WATCHED: &str = "device-1";

/// What was captured, already without anything of the hospital's own.
#[derive(Debug)]
pub struct Capture {
    /// The plugin's id.
    pub plugin: String,
    /// The finding's kind.
    pub kind: String,
    /// Flows.
    pub flows: u64,
    /// First and last end of a flow, shifted.
    pub span: (Timestamp, Timestamp),
    /// Addresses that stand for others.
    pub addresses: u64,
    /// Names and addresses that were kept, since the plugin's manifest lists them.
    pub kept: BTreeSet<String>,
    /// The device list: the watched device and those that it talked to.
    pub devices: Vec<Entry>,
    settings: String,
    rows: Vec<StringRecord>,
}

/// Takes the flows of a finding's device from `days` before it was first seen until it was last seen.
///
/// # Errors
/// There is no such finding, its plugin is not there, or there are too many flows.
pub async fn capture(context: &SessionContext, workspace: &Workspace, finding_id: &str, days: u32) -> Result<Capture> {
    let (device, plugin, kind, first, last) = finding(context, finding_id).await?;
    let offered = workspace.plugins.offered.iter().filter_map(|offered| offered.manifest.as_ref());
    let manifest = offered.clone().find(|manifest| manifest.id.as_str() == plugin).ok_or_else(|| {
        Error::usage(format!("the plugin {plugin} of that finding is not in {}", workspace.config.plugins.display()))
            .remedy("put its file back: the case needs its manifest")
    })?;
    let from = first.saturating_sub(i64::from(days) * DAY);
    let batches = flows(context, &device, from, last).await?;
    let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if count > MOST_FLOWS {
        return Err(Error::usage(format!(
            "the device has {count} flows in that time; a case has at most {MOST_FLOWS}"
        ))
        .remedy("ask for fewer --days"));
    }
    Mask::new(workspace, manifest)?.capture(&device, &kind, manifest, &batches, last)
}

async fn finding(context: &SessionContext, id: &str) -> Result<(String, String, String, i64, i64)> {
    let doing = || "looking for the finding".to_owned();
    if !id.chars().all(|letter| letter.is_ascii_hexdigit()) {
        return Err(Error::usage(format!("{id:?} is no finding's id")).remedy("ids are in the column finding_id"));
    }
    let query =
        format!("SELECT device_id, plugin, kind, first_seen, last_seen FROM findings WHERE finding_id = '{id}'");
    let batches = context.sql(&query).await.context(doing)?.collect().await.context(doing)?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Err(Error::usage(format!("there is no finding {id}"))
            .remedy("wardflow sql 'SELECT finding_id, device_id, title FROM findings'"));
    };
    let text = |at: usize| {
        let column = cast(batch.column(at), &DataType::Utf8).context(doing)?;
        Ok::<_, Error>(column.as_string::<i32>().value(0).to_owned())
    };
    let time = |at: usize| {
        let column = cast(batch.column(at), &time_type()).context(doing)?;
        Ok::<_, Error>(column.as_primitive::<TimestampMicrosecondType>().value(0))
    };
    Ok((text(0)?, text(1)?, text(2)?, time(3)?, time(4)?))
}

async fn flows(context: &SessionContext, device: &str, from: i64, to: i64) -> Result<Vec<RecordBatch>> {
    let doing = || "reading the device's flows".to_owned();
    let stamp = |at: i64| Timestamp::from_microsecond(at).unwrap_or_default();
    let device = device.replace('\'', "''");
    let query = format!(
        "SELECT * FROM flows WHERE end_time BETWEEN TIMESTAMP '{}' AND TIMESTAMP '{}' AND \
         (device_of(src_ip, src_mac, end_time) = '{device}' OR device_of(dst_ip, dst_mac, end_time) = '{device}') \
         ORDER BY end_time, start_time, src_ip, dst_ip, src_port, dst_port",
        stamp(from),
        stamp(to)
    );
    context.sql(&query).await.context(doing)?.collect().await.context(doing)
}

/// What stands for what.
struct Mask<'a> {
    workspace: &'a Workspace,
    /// Listed by the plugin's manifest, and so known to its maker.
    known_nets: Vec<IpNet>,
    known_names: Vec<String>,
    addresses: HashMap<IpAddr, IpAddr>,
    macs: HashMap<[u8; 6], [u8; 6]>,
    names: HashMap<String, String>,
    devices: BTreeMap<String, String>,
    zones: HashMap<String, String>,
    kept: BTreeSet<String>,
    /// Where numbering begins, so that a number says nothing about another capture.
    start: u32,
    shift: i64,
}

impl<'a> Mask<'a> {
    fn new(workspace: &'a Workspace, manifest: &Manifest) -> Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| Error::failed(format!("no random number: {error}")))?;
        let [a, b, c, d, years, ..] = random;
        let groups = &manifest.peer_groups;
        Ok(Self {
            workspace,
            known_nets: groups.iter().flat_map(|group| &group.cidrs).filter_map(|cidr| cidr.parse().ok()).collect(),
            known_names: groups.iter().flat_map(|group| &group.names).map(|name| name.to_ascii_lowercase()).collect(),
            addresses: HashMap::new(),
            macs: HashMap::new(),
            names: HashMap::new(),
            devices: BTreeMap::new(),
            zones: HashMap::new(),
            kept: BTreeSet::new(),
            start: u32::from_be_bytes([a, b, c, d]) % 50_000,
            // Of 52 weeks, so that the season and with it summer time stay about where they were.
            shift: -(52 * WEEK) * i64::from(3 + years % 8),
        })
    }

    fn capture(
        mut self,
        device: &str,
        kind: &str,
        manifest: &Manifest,
        batches: &[RecordBatch],
        last: i64,
    ) -> Result<Capture> {
        self.devices.insert(device.to_owned(), WATCHED.to_owned());
        let mut rows = Vec::new();
        let mut ends: Option<(i64, i64)> = None;
        for batch in batches {
            let (header, texts) = texts(batch)?;
            for text in &texts {
                let flow =
                    header.flow(text).map_err(|rule| Error::failed(format!("a flow cannot be captured: {rule}")))?;
                let (name, ends_at) = (flow.dst_name.map(|name| self.name(name)), flow.end_time);
                let (src_ip, dst_ip) = (
                    self.address(flow.src_ip, flow.src_mac, ends_at),
                    self.address(flow.dst_ip, flow.dst_mac, ends_at),
                );
                let masked = FlowRecord {
                    start_time: flow.start_time + self.shift,
                    end_time: flow.end_time + self.shift,
                    src_ip,
                    dst_ip,
                    src_mac: flow.src_mac.map(|mac| self.mac(mac)),
                    dst_mac: flow.dst_mac.map(|mac| self.mac(mac)),
                    dst_name: name.as_deref(),
                    vlan: None,
                    flow_uid: None,
                    community_id: None,
                    sensor: None,
                    ..flow
                };
                let (first, last) = ends.unwrap_or((masked.end_time, masked.end_time));
                ends = Some((first.min(masked.end_time), last.max(masked.end_time)));
                rows.push(StringRecord::from(flow_table::fields(&masked).to_vec()));
            }
        }
        let Some((first, end)) = ends else {
            return Err(Error::failed("the archive has no flow of that device in that time any more"));
        };
        let stamp = |at: i64| Timestamp::from_microsecond(at).unwrap_or_default();
        let devices = self.entries(device, last);
        Ok(Capture {
            plugin: manifest.id.to_string(),
            kind: kind.to_owned(),
            flows: rows.len() as u64,
            span: (stamp(first), stamp(end)),
            addresses: self.addresses.len() as u64,
            settings: self.settings(manifest),
            kept: self.kept,
            devices,
            rows,
        })
    }

    fn next(&self, taken: usize) -> u32 {
        self.start + 1 + u32::try_from(taken).unwrap_or(u32::MAX / 2)
    }

    /// Another address of the same family and scope. What everyone has, such as multicast, stays.
    fn address(&mut self, ip: IpAddr, mac: Option<[u8; 6]>, at: i64) -> IpAddr {
        if let Some(masked) = self.addresses.get(&ip) {
            return *masked;
        }
        let world = &self.workspace.world;
        if self.known_nets.iter().any(|net| net.contains(&ip)) {
            self.kept.insert(ip.to_string());
            return ip;
        }
        let number = self.next(self.addresses.len());
        let masked: IpAddr = match (world.space.scope(ip), ip) {
            (IpScope::Internal, IpAddr::V4(_)) => {
                // No address that ends in 0 or 255: those mean something.
                Ipv4Addr::from((10 << 24) + (number / 250) * 256 + number % 250 + 1).into()
            }
            (IpScope::External, IpAddr::V4(_)) => {
                Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + number % (1 << 17)).into()
            }
            (IpScope::Internal, IpAddr::V6(_)) => Ipv6Addr::from((0xfd00_u128 << 112) + u128::from(number)).into(),
            (IpScope::External, IpAddr::V6(_)) => Ipv6Addr::from((0x2001_0db8_u128 << 96) + u128::from(number)).into(),
            (IpScope::Broadcast, IpAddr::V4(v4)) if v4 != Ipv4Addr::BROADCAST => Ipv4Addr::new(10, 0, 0, 255).into(),
            _ => return ip,
        };
        self.addresses.insert(ip, masked);
        let id = world.inventory.bindings_of_ip(ip).find(|entry| entry.valid_from <= at && at < entry.valid_to);
        let id = id.or_else(|| mac.and_then(|mac| world.inventory.bindings_of_mac(mac).next()));
        if let Some(id) = id.map(|entry| entry.device_id.clone()) {
            self.device(&id);
        }
        masked
    }

    fn mac(&mut self, mac: [u8; 6]) -> [u8; 6] {
        let [_, a, b, c] = self.next(self.macs.len()).to_be_bytes();
        // Locally administered (IEEE 802).
        *self.macs.entry(mac).or_insert([2, 0, 0, a, b, c])
    }

    fn name(&mut self, name: &str) -> String {
        let lower = name.to_ascii_lowercase();
        if self.known_names.iter().any(|known| matches(known, &lower)) {
            self.kept.insert(lower.clone());
            return lower;
        }
        let number = self.names.len() + 1;
        self.names.entry(lower).or_insert_with(|| format!("name-{number}.example")).clone()
    }

    fn device(&mut self, id: &str) -> String {
        let number = self.devices.len() + 1;
        self.devices.entry(id.to_owned()).or_insert_with(|| format!("device-{number}")).clone()
    }

    fn zone(&mut self, zone: &str) -> String {
        if zone.is_empty() {
            return String::new();
        }
        let number = self.zones.len() + 1;
        self.zones.entry(zone.to_owned()).or_insert_with(|| format!("zone-{number}")).clone()
    }

    /// The device list, by the addresses that occur.
    fn entries(&mut self, watched: &str, at: i64) -> Vec<Entry> {
        let world = &self.workspace.world;
        let mut entries = Vec::new();
        for (id, masked) in self.devices.clone() {
            let Some(facts) = world.inventory.facts(&id, at).cloned() else { continue };
            let zone = self.zone(&facts.zone);
            let facts = match id == watched {
                true => Facts {
                    class: facts.class,
                    manufacturer: facts.manufacturer,
                    model: facts.model,
                    udi_di: facts.udi_di,
                    firmware: facts.firmware,
                    zone,
                    ..Facts::default()
                },
                false => Facts { class: facts.class, zone, ..Facts::default() },
            };
            let own = world.inventory.entries().iter().filter(|entry| entry.device_id == id);
            for entry in own {
                let shifted = |at: i64| if at == i64::MIN || at == i64::MAX { at } else { at + self.shift };
                let ip = entry.ip.and_then(|ip| self.addresses.get(&ip.to_canonical()).copied());
                let mac = entry.mac.and_then(|mac| self.macs.get(&mac).copied());
                if ip.is_none() && mac.is_none() {
                    continue;
                }
                entries.push(Entry {
                    device_id: masked.clone(),
                    ip,
                    mac,
                    valid_from: shifted(entry.valid_from),
                    valid_to: shifted(entry.valid_to),
                    facts: facts.clone(),
                    source: "capture".to_owned(),
                    confidence: entry.confidence,
                });
            }
        }
        entries.sort_by(|a, b| (&a.device_id, a.valid_from, a.ip).cmp(&(&b.device_id, b.valid_from, b.ip)));
        entries.dedup();
        entries
    }

    /// The settings that the plugin had, with the addresses that stand for the hospital's.
    fn settings(&self, manifest: &Manifest) -> String {
        let config = &self.workspace.config;
        let mut text = String::from("# Captured from a hospital, with other addresses and times.\n");
        let zone = config.timezone.iana_name().unwrap_or("UTC");
        let _ = writeln!(text, "timezone = {zone:?}\nslice_hours = {}", config.slice_hours);
        let mut roles = BTreeSet::new();
        for item in &config.infrastructure {
            let Some((_, role)) = PeerRole::DECLARED.iter().find(|(role, _)| *role == item.role) else { continue };
            let members = self.addresses.iter().filter(|(ip, _)| item.cidr.contains(*ip));
            let hours = item.hours.map(|hours| {
                let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
                format!("{}-{}", clock(hours.start), clock(hours.end))
            });
            roles.extend(members.map(|(_, masked)| (*masked, *role, hours.clone())));
        }
        for (ip, role, hours) in roles {
            let _ = write!(text, "\n[[infrastructure]]\nrole = {role:?}\ncidr = \"{ip}\"\n");
            if let Some(hours) = hours {
                let _ = writeln!(text, "hours = {hours:?}");
            }
        }
        let id = manifest.id.as_str();
        let Some(settings) = config.plugin.get(id) else { return text };
        if !settings.parameters.is_empty() {
            let _ = writeln!(text, "\n[plugin.{id:?}.parameters]");
            for (name, value) in &settings.parameters {
                let _ = writeln!(text, "{name} = {value}");
            }
        }
        let _ = writeln!(text, "\n[plugin.{id:?}.peer_groups]");
        for (group, members) in &settings.peer_groups {
            let is_member = |ip: &IpAddr| members.cidrs.iter().any(|net| net.contains(ip));
            let masked: BTreeSet<_> =
                self.addresses.iter().filter(|(ip, _)| is_member(ip)).map(|(_, masked)| masked.to_string()).collect();
            let named = self.names.iter().filter(|(name, _)| members.names.iter().any(|known| matches(known, name)));
            let all: Vec<_> = masked.into_iter().chain(named.map(|(_, masked)| masked.clone())).collect();
            let _ = writeln!(text, "{group} = {all:?}");
        }
        text
    }
}

/// A batch's rows as text, with the places of their columns.
fn texts(batch: &RecordBatch) -> Result<(Header, Vec<StringRecord>)> {
    let doing = || "reading flows".to_owned();
    let schema = batch.schema();
    let names: StringRecord = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let header = Header::of(&names).map_err(|wrong| wrong.within("flows"))?;
    let columns: Vec<_> =
        batch.columns().iter().map(|column| cast(column, &DataType::Utf8).context(doing)).collect::<Result<_>>()?;
    let columns: Vec<_> = columns.iter().map(|column| column.as_string::<i32>()).collect();
    let value =
        |column: &StringArray, at: usize| if column.is_valid(at) { column.value(at).to_owned() } else { String::new() };
    let row = |at: usize| columns.iter().map(|column| value(column, at)).collect();
    Ok((header, (0..batch.num_rows()).map(row).collect()))
}

impl Capture {
    /// What is in it, line by line, for the person who decides.
    pub fn describe(&self) -> Vec<String> {
        let kept: Vec<_> = self.kept.iter().map(String::as_str).collect();
        let watched = self.devices.iter().find(|entry| entry.device_id == WATCHED).map(|entry| &entry.facts);
        let watched = watched.map_or_else(
            || "a device that is in no device list".to_owned(),
            |facts| format!("{} {} {} {}", facts.class, facts.manufacturer, facts.model, facts.firmware),
        );
        vec![
            format!("for the maker of {}, a finding of kind {}", self.plugin, self.kind),
            format!("flows: {}, from {} to {} (shifted by whole weeks)", self.flows, self.span.0, self.span.1),
            format!("watched device: {}", watched.split_whitespace().collect::<Vec<_>>().join(" ")),
            format!("addresses: {}, each of them another than the hospital's", self.addresses),
            format!(
                "kept, since the plugin's own manifest lists them: {}",
                if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") }
            ),
            "kept: ports, protocols, services, amounts, connection states, hours and weekdays, device classes"
                .to_owned(),
            "left out: ids of flows, sensors, VLANs, serial numbers, locations, owners".to_owned(),
        ]
    }

    /// The first flows, as they will be written.
    pub fn sample(&self, rows: usize) -> impl Iterator<Item = String> {
        self.rows.iter().take(rows).map(|row| row.iter().collect::<Vec<_>>().join(","))
    }

    /// Writes it as a test case, into a directory that must not be there yet.
    ///
    /// # Errors
    /// The directory is there, or cannot be written.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let doing = || format!("cannot write {}", directory.display());
        if directory.exists() {
            return Err(
                Error::usage(format!("{} is there already", directory.display())).remedy("name another directory")
            );
        }
        fs::create_dir_all(directory).context(doing)?;
        let written = || -> Result<()> {
            fs::write(directory.join("case.toml"), &self.settings).context(doing)?;
            if !self.devices.is_empty() {
                write_inventory_csv(&self.devices, &directory.join("devices.csv"))?;
            }
            let file = fs::File::create_new(directory.join("flows.csv")).context(doing)?;
            flow_table::write_rows(&self.rows, file)
        };
        written().inspect_err(|_| _ = fs::remove_dir_all(directory))
    }
}
