//! The flows behind a finding as a test case for the plugin's maker: what goes back from the hospital.
//!
//! Nothing in it is the hospital's own. Addresses, MAC addresses, names, zones and device ids are others each time;
//! times are shifted by whole weeks, the same for all, so that hours and weekdays stay; ids of flows and sensors and VLANs
//! are left out. Three things stay, because the model rests on them: the facts of the watched device that the maker knows
//! (class, manufacturer, model, UDI-DI, firmware), the class of other devices, and addresses and names that the plugin's own
//! manifest lists. [`Capture::describe`] says what is in it, before anything is written.

mod mask;
mod shift;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, AsArray, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, TimestampMicrosecondType},
};
use csv::StringRecord;
use datafusion::prelude::SessionContext;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use wardflow_manifest::ConnState;

use self::mask::Mask;
pub(super) use self::mask::is_narrow;
use super::{
    flow_table::{self, Header},
    gap_table,
};
use crate::{
    archive::{FlowRecord, write_inventory_csv},
    catalog,
    detect::{Observed, Slice},
    detector::Gap,
    device::{Entry, Facts},
    error::{Context, Error, Result},
    flow::{COLUMNS, time_type},
    time::{DAY, HOUR},
    workspace::{Offered, PinStatus, Workspace},
};

const WEEK: i64 = 7 * DAY;

/// Flows at most: a person has to be able to look at them, and a maker to run them.
const MOST_FLOWS: usize = 2_000_000;

/// Flows as the plugin saw them, while they are asked for.
const SEEN: &str = "captured_flows";

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
    /// Services that occur, in the sensor's words.
    pub services: BTreeSet<String>,
    /// Parameters that the hospital set and that are in it, and the names of those that are not.
    pub parameters: (Vec<(String, Value)>, Vec<String>),
    /// Time zone.
    pub timezone: String,
    /// Roles of peers with their hours.
    pub roles: BTreeSet<String>,
    /// The device list: the watched device and those that it talked to.
    pub devices: Vec<Entry>,
    /// The plugin.
    pub plugin_file: PathBuf,
    /// `case.toml`.
    settings: String,
    gaps: Vec<Gap>,
    rows: Vec<StringRecord>,
}

/// Takes the flows of a finding's device from `days` before it was first seen until it was last seen.
///
/// # Errors
/// There is no such finding, its plugin is not there, or there are too many flows.
pub async fn capture(context: &SessionContext, workspace: &Workspace, finding_id: &str, days: u32) -> Result<Capture> {
    let (device, plugin, kind, first, last) = finding(context, finding_id).await?;
    let is_it = |offered: &&Offered| offered.manifest.as_ref().is_some_and(|manifest| manifest.id.as_str() == plugin);
    let offered = workspace.plugins.offered.iter().find(is_it).ok_or_else(|| {
        Error::usage(format!("the plugin {plugin} of that finding is not in {}", workspace.config.plugins.display()))
            .remedy("put its file back: the case needs its manifest")
    })?;
    // Its manifest says what may stay as it is, so it must be one that the hospital knows.
    let manifest = offered.manifest.as_ref().filter(|_| offered.status == PinStatus::Pinned).ok_or_else(|| {
        let why = offered.reason.clone().unwrap_or_else(|| offered.status.name().to_owned());
        Error::usage(format!("{} is not the plugin that was analysed: {why}", offered.file.display()))
            .remedy("put that file back, or have this one approved and analyse again")
    })?;
    let from = first.saturating_sub(i64::from(days) * DAY);
    let seen = catalog::single_flows(workspace)?;
    context.register_table(SEEN, seen).context(|| format!("registering the table {SEEN}"))?;
    let batches = flows(context, &device, from, last).await?;
    let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if count > MOST_FLOWS {
        return Err(Error::usage(format!(
            "the device has {count} flows in that time; a case has at most {MOST_FLOWS}"
        ))
        .remedy("ask for fewer --days"));
    }
    let mut mask = Mask::new(workspace, manifest, (from, last), &device)?;
    let rows = rows(&mut mask, &batches)?;
    let (Some(start), Some(end)) = (rows.iter().map(|(at, _)| *at).min(), rows.iter().map(|(at, _)| *at).max()) else {
        return Err(Error::failed("the archive has no flow of that device in that time any more"));
    };
    let gaps = gaps(context, workspace, (start - mask.shift(), end - mask.shift())).await?;
    context.deregister_table(SEEN).context(|| format!("putting away the table {SEEN}"))?;
    let stamp = |at: i64| Timestamp::from_microsecond(at).unwrap_or_default();
    let service = COLUMNS.iter().position(|column| column.name == "service").unwrap_or(usize::MAX);
    Ok(Capture {
        plugin: manifest.id.to_string(),
        kind,
        flows: rows.len() as u64,
        span: (stamp(start), stamp(end)),
        addresses: mask.addresses(),
        devices: mask.entries(&device, last),
        settings: mask.settings(manifest),
        gaps: gaps.into_iter().map(|gap| mask.gap(gap)).collect(),
        services: rows
            .iter()
            .filter_map(|(_, row)| row.get(service).filter(|text| !text.is_empty()))
            .map(str::to_owned)
            .collect(),
        parameters: mask.parameters(manifest),
        timezone: mask.timezone().to_owned(),
        roles: mask
            .roles()
            .into_iter()
            .map(|(_, role, hours)| format!("{role} {}", hours.unwrap_or_default()))
            .collect(),
        plugin_file: offered.file.clone(),
        kept: mask.kept(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    })
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
        "SELECT * FROM {SEEN} WHERE end_time BETWEEN TIMESTAMP '{}' AND TIMESTAMP '{}' AND \
         (device_of(src_ip, src_mac, end_time) = '{device}' OR device_of(dst_ip, dst_mac, end_time) = '{device}') \
         ORDER BY end_time, start_time, src_ip, dst_ip, src_port, dst_port",
        stamp(from),
        stamp(to)
    );
    context.sql(&query).await.context(doing)?.collect().await.context(doing)
}

/// Stretches in which the sensors delivered nothing, of all slices that overlap a span.
async fn gaps(context: &SessionContext, workspace: &Workspace, (from, to): (i64, i64)) -> Result<Vec<Gap>> {
    let doing = || "reading when the sensors delivered nothing".to_owned();
    let length = i64::from(workspace.config.slice_hours) * HOUR;
    let (start, end) = (from.div_euclid(length) * length, (to.div_euclid(length) + 1) * length);
    let stamp = |at: i64| Timestamp::from_microsecond(at).unwrap_or_default();
    let query = format!(
        "SELECT DISTINCT date_trunc('minute', end_time) FROM {SEEN} WHERE end_time >= TIMESTAMP '{}' AND end_time < TIMESTAMP '{}'",
        stamp(start),
        stamp(end)
    );
    let mut minutes = Vec::new();
    for batch in context.sql(&query).await.context(doing)?.collect().await.context(doing)? {
        let column = cast(batch.column(0), &time_type()).context(doing)?;
        minutes.extend(column.as_primitive::<TimestampMicrosecondType>().values());
    }
    let mut gaps: Vec<Gap> = Vec::new();
    for start in (start..end).step_by(usize::try_from(length).unwrap_or(usize::MAX)) {
        let slice = Slice { start, end: start + length };
        let inside = minutes.iter().copied().filter(|at| slice.start <= *at && *at < slice.end);
        for gap in Observed::known(slice, 0, ([0; 2], 0), inside).gaps() {
            match gaps.last_mut() {
                Some(before) if before.end == gap.start => before.end = gap.end,
                _ => gaps.push(gap),
            }
        }
    }
    Ok(gaps)
}

/// The flows as rows of a table, masked, each with its end.
fn rows(mask: &mut Mask<'_>, batches: &[RecordBatch]) -> Result<Vec<(i64, StringRecord)>> {
    let mut rows = Vec::new();
    for batch in batches {
        let (header, texts) = texts(batch)?;
        for text in &texts {
            let flow = header.flow(text);
            let flow = flow.map_err(|rule| Error::failed(format!("a flow cannot be captured: {rule}")))?;
            let (name, end) = (flow.dst_name.map(|name| mask.name(name)), flow.end_time);
            let masked = FlowRecord {
                start_time: flow.start_time + mask.shift(),
                end_time: end + mask.shift(),
                src_ip: mask.address(flow.src_ip, flow.src_mac, end),
                dst_ip: mask.address(flow.dst_ip, flow.dst_mac, end),
                src_mac: flow.src_mac.map(|mac| mask.mac(mac)),
                dst_mac: flow.dst_mac.map(|mac| mask.mac(mac)),
                dst_name: name.as_deref(),
                vlan: None,
                flow_uid: None,
                community_id: None,
                sensor: None,
                conn_state: flow.conn_state.filter(|state| ConnState::from_zeek(state) != ConnState::Unknown),
                ..flow
            };
            rows.push((masked.end_time, StringRecord::from(flow_table::fields(&masked).to_vec())));
        }
    }
    Ok(rows)
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
        let watched = self.devices.iter().find(|entry| entry.device_id == WATCHED).map(|entry| &entry.facts);
        let watched = watched.map_or_else(
            || "a device that is in no device list".to_owned(),
            |facts| {
                let Facts { class, manufacturer, model, udi_di, firmware, .. } = facts;
                format!("{class} {manufacturer} {model} {udi_di} {firmware}")
            },
        );
        let list = |texts: &mut dyn Iterator<Item = &str>| {
            let texts: Vec<_> = texts.collect();
            if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
        };
        let (set, left) = &self.parameters;
        let classes: BTreeSet<_> = self.devices.iter().map(|entry| entry.facts.class.as_str()).collect();
        let mut lines = vec![
            format!("for the maker of {}, a finding of kind {}", self.plugin, self.kind),
            format!("flows: {}, from {} to {} (shifted by whole weeks)", self.flows, self.span.0, self.span.1),
            format!("time zone: {}", self.timezone),
            format!("watched device: {}", watched.split_whitespace().collect::<Vec<_>>().join(" ")),
            format!("classes of devices: {}", list(&mut classes.into_iter())),
            format!("roles of its peers: {}", list(&mut self.roles.iter().map(|role| role.trim()))),
            format!("services: {}", list(&mut self.services.iter().map(String::as_str))),
            format!("addresses: {}, each of them another than the hospital's", self.addresses),
            format!(
                "kept, since the plugin's own manifest lists them: {}",
                list(&mut self.kept.iter().map(String::as_str))
            ),
        ];
        lines.extend(set.iter().map(|(name, value)| format!("parameter: {name} = {value}")));
        if !left.is_empty() {
            lines.push(format!(
                "parameters left out, since they may name something of the hospital: {}",
                left.join(", ")
            ));
        }
        lines.push(
            "kept: ports, protocols, amounts, connection states, hours and weekdays, gaps of the sensors".to_owned(),
        );
        lines.push("left out: ids of flows, sensors, VLANs, serial numbers, locations, owners".to_owned());
        lines
    }

    /// The first flows, as they will be written.
    pub fn sample(&self, rows: usize) -> impl Iterator<Item = String> {
        self.rows.iter().take(rows).map(|row| {
            let mut writer = csv::Writer::from_writer(Vec::new());
            let written = writer.write_record(row).ok().and_then(|()| writer.into_inner().ok());
            String::from_utf8_lossy(&written.unwrap_or_default()).trim_end().to_owned()
        })
    }

    /// Writes it as a test case that takes its place once it is finished.
    ///
    /// # Errors
    /// The place is taken, or nothing can be written beside it.
    pub fn write(&self, place: &Path) -> Result<Unfinished> {
        let doing = || format!("cannot write {}", place.display());
        if place.exists() {
            return Err(Error::usage(format!("{} is there already", place.display())).remedy("name another directory"));
        }
        let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent).context(doing)?;
        let directory = tempfile::Builder::new().prefix(".wardflow-capture-").tempdir_in(parent).context(doing)?;
        let at = directory.path();
        fs::write(at.join("case.toml"), &self.settings).context(doing)?;
        if !self.devices.is_empty() {
            write_inventory_csv(&self.devices, &at.join("devices.csv"))?;
        }
        gap_table::write(at, &self.gaps)?;
        let file = fs::File::create_new(at.join("flows.csv")).context(doing)?;
        flow_table::write_rows(&self.rows, file)?;
        Ok(Unfinished { directory, place: place.to_owned() })
    }
}

/// A case that is not in its place yet, and goes with this.
#[derive(Debug)]
pub struct Unfinished {
    directory: TempDir,
    place: PathBuf,
}

impl Unfinished {
    /// Where it is meanwhile.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Puts it into its place.
    ///
    /// # Errors
    /// The place was taken meanwhile.
    pub fn finish(self) -> Result<()> {
        fs::rename(self.directory.path(), &self.place).context(|| format!("cannot write {}", self.place.display()))
    }
}
