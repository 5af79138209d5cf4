//! Flows that are made to try a plugin, whatever it is for: an ordinary hospital's, hostile ones, very many. Every device
//! is in the plugin's scope, and the same plugin gets the same flows each time.

use std::{iter, net::IpAddr, path::Path, str::FromStr};

use wardflow_datasets::{Hospital, Options};
use wardflow_manifest::{Manifest, Scope};

use super::bed::{Bed, Made};
use crate::{
    archive::FlowRecord,
    device::{Entry, Facts, UNKNOWN_CLASS},
    error::{Error, Result},
    synthetic,
    time::{HOUR, SECOND},
};

/// Flows to try a plugin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A synthetic hospital of 40 devices over two days, incidents included.
    Ordinary,
    /// One device for three weeks and longer than the plugin learns: the same every day, and something else at the end.
    Weeks,
    /// Values at the ends of their ranges, values that are not there, equal times, every protocol, 20,000 peers.
    Hostile,
    /// 400,000 flows of one device in one slice, to 4,000 peers.
    Huge,
}

/// Midnight on Monday, 2 March 2026, UTC, in microseconds.
const START: i64 = 1_772_409_600_000_000;

impl Input {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ordinary, Self::Weeks, Self::Hostile, Self::Huge];

    /// For a person.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "an ordinary hospital's flows",
            Self::Weeks => "a device's weeks",
            Self::Hostile => "hostile flows",
            Self::Huge => "very many flows",
        }
    }

    /// In one word, as [`FromStr`] reads it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Weeks => "weeks",
            Self::Hostile => "hostile",
            Self::Huge => "huge",
        }
    }

    /// As a workspace.
    ///
    /// # Errors
    /// Nothing can be written to the directory for temporary files.
    pub async fn workspace(self, manifest: &Manifest) -> Result<Made> {
        let mut bed = Bed::new(Path::new("the kit's settings"), "")?;
        match self {
            Self::Ordinary => {
                let options = Options { devices: 40, days: 2, ..Options::default() };
                return hospital(options, |entries| cast(entries, &manifest.scope)).await;
            }
            Self::Weeks => {
                bed.devices(&devices(manifest, 1))?;
                bed.flows(weeks(days(manifest))).await?;
            }
            Self::Hostile => {
                bed.devices(&devices(manifest, 4))?;
                bed.flows(hostile()).await?;
            }
            Self::Huge => {
                bed.devices(&devices(manifest, 1))?;
                bed.flows(huge()).await?;
            }
        }
        bed.open().await
    }
}

impl FromStr for Input {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::word).join(", ");
        Self::ALL.into_iter().find(|input| input.word() == word).ok_or_else(|| format!("it is one of {known}"))
    }
}

/// Days that a plugin is watched for: three weeks, or ten days more than it says that it learns.
pub(super) fn days(manifest: &Manifest) -> u32 {
    (manifest.least_learning_hours.div_ceil(24) + 10).clamp(21, 90)
}

/// A synthetic hospital, its devices changed before they are listed.
///
/// # Errors
/// The options are out of range, or nothing can be written.
pub(super) async fn hospital(options: Options, change: impl FnOnce(&mut [Entry])) -> Result<Made> {
    let hospital = Hospital::new(options).map_err(|error| Error::usage(error.to_string()))?;
    let mut bed = Bed::new(Path::new("the kit's settings"), "")?;
    let mut entries = synthetic::entries(&hospital);
    change(&mut entries);
    bed.devices(&entries)?;
    bed.hospital(&hospital).await?;
    bed.open().await
}

/// Devices in a plugin's scope, at 10.0.0.1 and on.
fn devices(manifest: &Manifest, count: u8) -> Vec<Entry> {
    let device = |number: u8| {
        let mut facts = Facts { class: UNKNOWN_CLASS.to_owned(), ..Facts::default() };
        put_in_scope(&mut facts, &manifest.scope);
        Entry {
            device_id: format!("device-{number}"),
            ip: Some(IpAddr::from([10, 0, 0, number])),
            mac: None,
            valid_from: i64::MIN,
            valid_to: i64::MAX,
            facts,
            source: "inventory".to_owned(),
            confidence: 1.0,
        }
    };
    (1..=count).map(device).collect()
}

/// Puts those devices into a scope whose class it names; all of them where none is of such a class.
fn cast(entries: &mut [Entry], scope: &Scope) {
    let is_meant = |entry: &Entry| scope.device_classes.contains(&entry.facts.class);
    let has_any = entries.iter().any(is_meant);
    entries
        .iter_mut()
        .filter(|entry| !has_any || is_meant(entry))
        .for_each(|entry| put_in_scope(&mut entry.facts, scope));
}

/// Changes what a scope asks about, and nothing else.
pub(super) fn put_in_scope(facts: &mut Facts, scope: &Scope) {
    let set = |fact: &mut String, allowed: &[String]| {
        if let Some(first) = allowed.first().filter(|_| !allowed.contains(fact)) {
            fact.clone_from(first);
        }
    };
    set(&mut facts.class, &scope.device_classes);
    set(&mut facts.manufacturer, &scope.manufacturers);
    set(&mut facts.model, &scope.models);
    set(&mut facts.udi_di, &scope.udi_di);
    let fits = |version: &str| scope.firmware.is_empty() || scope.firmware.iter().any(|range| range.contains(version));
    if !fits(&facts.firmware) {
        let bounds = scope.firmware.iter().flat_map(|range| {
            let text = String::from(range.clone());
            let versions = text.split(',').map(|bound| bound.trim_matches(|c: char| "<>= ".contains(c)).to_owned());
            versions.collect::<Vec<_>>()
        });
        let candidates = bounds.flat_map(|bound| [bound.clone(), format!("{bound}.1"), format!("{bound}.0")]);
        let candidates: Vec<_> = candidates.chain(iter::once("0".to_owned())).collect();
        if let Some(version) = candidates.into_iter().find(|version| fits(version)) {
            facts.firmware = version;
        }
    }
}

/// A flow that a device begins.
fn flow(device: u8, end: i64, peer: [u8; 4], port: u16, protocol: u8) -> FlowRecord<'static> {
    FlowRecord::new(
        (end - SECOND, end),
        (IpAddr::from([10, 0, 0, device]), 50_000),
        (IpAddr::from(peer), port),
        protocol,
    )
}

fn hostile() -> impl Iterator<Item = FlowRecord<'static>> {
    // More flows at one time than a batch holds.
    let equal = (0..9_000_u32).map(|number| {
        let [.., c, d] = number.to_be_bytes();
        flow(1, START + HOUR, [203, 0, c, d], 443, 6)
    });
    let peers = (0..20_000_u32).map(|number| {
        let [.., b, c, d] = number.to_be_bytes();
        flow(2, START + HOUR + i64::from(number) * SECOND / 2, [100, b, c, d], (number % 65_536) as u16, 17)
    });
    let protocols = (0..=u8::MAX).map(|protocol| {
        let port = if protocol % 2 == 0 { 0 } else { u16::MAX };
        flow(3, START + 7 * HOUR + i64::from(protocol), [198, 51, 100, 1], port, protocol)
    });
    let ends = [0, 1, u64::MAX - 1, u64::MAX / 2, 1 << 53, (1 << 53) + 1];
    let amounts = ends.into_iter().enumerate().map(|(number, value)| FlowRecord {
        src_bytes: Some(value),
        dst_bytes: Some(u64::MAX - 1 - value.min(u64::MAX - 1)),
        src_packets: Some(value),
        dst_packets: None,
        conn_state: Some("SF"),
        tcp_flags: Some(u16::MAX),
        service: Some("a-service-that-nobody-has-heard-of"),
        vlan: Some(4_095),
        ..flow(3, START + 8 * HOUR + number as i64, [198, 51, 100, 2], 1, 6)
    });
    // A flow that lasted for a year, one of no duration at the first and one at the last microsecond of a slice.
    let long =
        FlowRecord { start_time: START - 365 * 24 * HOUR, ..flow(4, START + 9 * HOUR, [198, 51, 100, 3], 22, 6) };
    let edges = [START + 12 * HOUR, START + 18 * HOUR - 1]
        .map(|at| FlowRecord { start_time: at, ..flow(4, at, [198, 51, 100, 3], 22, 6) });
    let wide = ["2001:db8::1", "ff02::fb", "::", "fe80::1", "255.255.255.255", "224.0.0.251", "0.0.0.0", "10.0.0.4"];
    let wide = wide.into_iter().enumerate().flat_map(|(number, peer)| {
        let peer: IpAddr = peer.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let device = IpAddr::from([10, 0, 0, 4]);
        let at = START + 10 * HOUR + number as i64;
        [((device, 5), (peer, 53)), ((peer, 53), (device, 5))].map(|(src, dst)| FlowRecord::new((at, at), src, dst, 17))
    });
    // Two days of silence, and one flow more.
    let late = iter::once(flow(1, START + 60 * HOUR, [203, 0, 0, 1], 443, 6));
    equal.chain(peers).chain(protocols).chain(amounts).chain([long]).chain(edges).chain(wide).chain(late)
}

/// A status every ten minutes, a name looked up with each, a transfer every night, from the same hours to the same peers;
/// in the last three days a new peer that is sent much, many peers looked for, a stranger who asks for a service of the
/// device, and twelve silent hours.
fn weeks(days: u32) -> impl Iterator<Item = FlowRecord<'static>> {
    let sized = |flow: FlowRecord<'static>, sent: u64, received: u64| FlowRecord {
        src_bytes: Some(sent),
        dst_bytes: Some(received),
        src_packets: Some(sent / 1_000 + 3),
        dst_packets: Some(received / 1_000 + 3),
        conn_state: Some("SF"),
        ..flow
    };
    let mut flows = Vec::new();
    for day in 0..i64::from(days) {
        let midnight = START + 24 * HOUR * day;
        let is_late = day >= i64::from(days) - 3;
        for step in 0..144_i64 {
            // Some seconds to and fro, the same in every run.
            let at = midnight + step * 600 * SECOND + (step * 7_919 + day * 104_729) % 90 * SECOND;
            if is_late && day == i64::from(days) - 1 && (48..120).contains(&step) {
                continue;
            }
            let sent = 900 + (step * 31 + day * 17).unsigned_abs() % 200;
            flows.push(sized(flow(1, at, [10, 0, 9, 1], 53, 17), 60, 120));
            flows.push(sized(flow(1, at + SECOND, [10, 0, 9, 2], 8_443, 6), sent, 400));
        }
        flows.push(sized(
            flow(1, midnight + 2 * HOUR + day * 61 * SECOND, [203, 0, 113, 5], 443, 6),
            4_000_000,
            20_000,
        ));
        if is_late {
            let hourly = (0..24).map(|hour| midnight + hour * HOUR + 17 * SECOND);
            flows.extend(hourly.map(|at| sized(flow(1, at, [198, 51, 100, 77], 4_444, 6), 30_000_000, 1_000)));
            let [device, stranger] = [[10, 0, 0, 1], [10, 0, 200, 9]].map(IpAddr::from);
            let asked = (0..20).map(|minute| midnight + 4 * HOUR + minute * 60 * SECOND + 31 * SECOND);
            let asked = asked.map(|at| FlowRecord::new((at, at), (stranger, 50_123), (device, 23), 6));
            flows.extend(asked.map(|flow| sized(flow, 800, 90_000)));
        }
        if day == i64::from(days) - 2 {
            flows.extend((0..300_i64).map(|peer| {
                let [.., c, d] = u32::try_from(256 + peer).unwrap_or(0).to_be_bytes();
                FlowRecord {
                    conn_state: Some("S0"),
                    ..flow(1, midnight + 3 * HOUR + peer * SECOND / 5, [10, 0, c, d], 445, 6)
                }
            }));
        }
    }
    flows.sort_by_key(|flow| flow.end_time);
    flows.into_iter()
}

fn huge() -> impl Iterator<Item = FlowRecord<'static>> {
    (0..400_000_u32).map(|number| {
        let [.., c, d] = (number % 4_000).to_be_bytes();
        let sizes = (u64::from(number % 1_500), u64::from(number % 9_000));
        FlowRecord {
            src_bytes: Some(sizes.0),
            dst_bytes: Some(sizes.1),
            src_packets: Some(3),
            dst_packets: Some(4),
            conn_state: Some(if number % 11 == 0 { "S0" } else { "SF" }),
            service: Some("ssl"),
            ..flow(1, START + HOUR + i64::from(number) * 40_000, [203, 0, c, d], 443, 6)
        }
    })
}

#[cfg(test)]
mod tests {
    use wardflow_manifest::Manifest;

    use super::{Input, devices};
    use crate::archive::slices;

    fn manifest(scope: &str) -> Manifest {
        let text = format!(
            "id = \"a/b\"\nversion = \"1.0.0\"\ncontract = \"0.1.0\"\npublisher = \"A\"\nintended_use = \"A test.\"\n\
             columns = [\"peer\"]\n[scope]\n{scope}\n[[findings]]\nkind = \"loud\"\ntitle = \"Loud\"\nseverity = \"low\"\n\
             shows = \"Flows.\"\nfirst_action = \"Ask.\"\n"
        );
        Manifest::from_toml(&text).unwrap()
    }

    #[test]
    fn devices_are_in_scope() {
        for scope in [
            "",
            "device_classes = [\"infusion-pump\"]\nmanufacturers = [\"Acme\"]\nmodels = [\"X\", \"Y\"]",
            "firmware = [\">=2.1, <3\"]",
            "firmware = [\">2.1, <3\"]",
            "firmware = [\"<1\"]",
        ] {
            let manifest = manifest(scope);
            let facts = &devices(&manifest, 1)[0].facts;
            let contains = manifest.scope.contains(
                &facts.class,
                &facts.manufacturer,
                &facts.model,
                &facts.udi_di,
                &facts.firmware,
            );
            assert!(contains, "{scope}: {facts:?}");
        }
    }

    #[tokio::test]
    async fn flows_are_as_many_as_they_are_said_to_be() {
        let manifest = manifest("");
        for (input, least) in [(Input::Weeks, 6_000), (Input::Hostile, 29_000), (Input::Huge, 400_000)] {
            let made = input.workspace(&manifest).await.unwrap();
            let slices = slices(&made.workspace.listing.files, 6);
            let rows: u64 = slices.iter().map(|slice| slice.rows).sum();
            assert!(rows >= least, "{input:?} has {rows}");
            assert!(input != Input::Huge || slices.iter().filter(|slice| slice.rows > 0).count() == 1);
        }
    }
}
