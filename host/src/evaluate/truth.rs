//! The truth: what really happened, as somebody who knows wrote it down.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    net::IpAddr,
    ops::Range,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    archive::{cannot_read, read_file},
    error::{Error, Result},
    time::HOUR,
};

/// Something that happened and that a finding should tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// No two have the same name.
    pub name: String,
    /// What it consisted of, at least one.
    pub parts: Vec<Part>,
}

/// What one device did, or what was done to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The device that a finding should name.
    pub device_id: String,
    /// The devices at the other end, if they are some: a finding may name those instead.
    pub peer_device_ids: BTreeSet<String>,
    /// Start of the first flow, microseconds UTC.
    pub first: i64,
    /// End of the last one.
    pub last: i64,
    /// Addresses of the other ends; empty where there were many.
    pub peers: BTreeSet<String>,
    /// Hours since 1970 in which it shows; empty for all from first to last.
    pub hours: BTreeSet<i64>,
}

impl Part {
    /// The hours in which it shows, of those from one to before another.
    pub(super) fn hours_within(&self, hours: Range<i64>) -> BTreeSet<i64> {
        if !self.hours.is_empty() {
            return self.hours.range(hours).copied().collect();
        }
        let (first, last) = (self.first.div_euclid(HOUR), self.last.div_euclid(HOUR));
        (first.max(hours.start)..(last + 1).min(hours.end)).collect()
    }
}

impl Incident {
    /// Start of its first flow.
    pub fn first(&self) -> i64 {
        self.parts.iter().map(|part| part.first).min().unwrap_or_default()
    }

    /// End of its last flow.
    pub fn last(&self) -> i64 {
        self.parts.iter().map(|part| part.last).max().unwrap_or_default()
    }

    /// Those that a finding may name.
    pub fn devices(&self) -> BTreeSet<&str> {
        let devices = self.parts.iter().flat_map(|part| std::iter::once(&part.device_id).chain(&part.peer_device_ids));
        devices.map(String::as_str).collect()
    }
}

/// A row of a table of the truth. Rows with the same `incident` are parts of one.
#[derive(Debug, Deserialize)]
struct Row {
    incident: String,
    device_id: String,
    first_seen: Timestamp,
    last_seen: Timestamp,
    #[serde(default)]
    peer_ip: String,
    #[serde(default)]
    peer_device_id: String,
}

/// A row of the table of hours.
#[derive(Debug, Deserialize)]
struct Hour {
    incident: String,
    device_id: String,
    hour: Timestamp,
}

/// What spreadsheets put before UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes of a first line that is looked at.
const MOST_HEADER: u64 = 64 << 10;

/// What a table of the truth must have, for its error.
const COLUMNS: &str = "it needs the columns incident, device_id, first_seen, last_seen (such as 2026-03-02T10:30:00Z); peer_ip and \
     peer_device_id say more";

/// What a table of hours must have, for its error.
const HOUR_COLUMNS: &str = "it needs the columns incident, device_id, hour (such as 2026-03-02T10:00:00Z) of the truth \
                            beside it";

/// How the table of hours may be compressed, by its name.
const ENDINGS: [&str; 5] = ["", ".gz", ".zst", ".bz2", ".xz"];

/// Whether a file is a table of the truth, by its first line.
///
/// # Errors
/// It cannot be read.
pub(super) fn is_table(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let read = read_file(path).and_then(|content| content.take(MOST_HEADER).read_to_end(&mut start));
    read.map_err(|error| cannot_read(path, error))?;
    if start.is_empty() {
        return Err(Error::usage(format!("{} is empty", path.display())).remedy(COLUMNS));
    }
    let start = start.strip_prefix(MARK).unwrap_or(&start);
    let line = String::from_utf8_lossy(start.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let columns: Vec<_> = line.split([',', ';', '\t']).map(|column| column.trim().trim_matches('"')).collect();
    // One of Zeek's logs names its columns otherwise.
    if columns.contains(&"incident") && !line.contains(',') {
        return Err(Error::usage(format!("the columns of {} are not parted by commas", path.display())).remedy(COLUMNS));
    }
    Ok(columns.contains(&"incident"))
}

/// Addresses parted by blanks, as they are written in findings.
fn addresses(text: &str, path: &Path) -> Result<BTreeSet<String>> {
    let parse = |text: &str| {
        let address = text.parse::<IpAddr>().map(|ip| ip.to_canonical().to_string());
        address.map_err(|_| {
            Error::usage(format!("peer_ip {text:?} in {} is no address", path.display()))
                .remedy("give addresses parted by blanks, or leave it empty")
        })
    };
    text.split_whitespace().map(parse).collect()
}

/// Reads a table of the truth: CSV with the columns `incident`, `device_id`, `first_seen`, `last_seen` (RFC 3339), and, where
/// there is something to say, `peer_ip` and `peer_device_id`, several parted by blanks. The hours in which an incident shows
/// are in `NAME_hours.csv` beside `NAME.csv` (`incident`, `device_id`, `hour`), where it has some; else they are all from first
/// to last. Either may be compressed. A table without rows is of a time in which nothing happened.
///
/// # Errors
/// A file cannot be read, or a row is none.
pub fn read_truth(path: &Path) -> Result<Vec<Incident>> {
    let mut incidents = BTreeMap::<String, Vec<Part>>::new();
    let refused = |why: String| Error::usage(format!("{}: {why}", path.display())).remedy(COLUMNS);
    for row in rows::<Row>(path, COLUMNS)? {
        let Row { incident, device_id, first_seen, last_seen, peer_ip, peer_device_id } = row;
        if incident.is_empty() {
            return Err(refused(format!("an incident of {device_id:?} has no name")));
        }
        if last_seen < first_seen {
            return Err(refused(format!("{incident} ends before it begins")));
        }
        let part = Part {
            device_id,
            peer_device_ids: peer_device_id.split_whitespace().map(str::to_owned).collect(),
            first: first_seen.as_microsecond(),
            last: last_seen.as_microsecond(),
            peers: addresses(&peer_ip, path)?,
            hours: BTreeSet::new(),
        };
        incidents.entry(incident).or_default().push(part);
    }
    if let Some(beside) = hours_beside(path) {
        lay_hours(&beside, &mut incidents)?;
    }
    Ok(incidents.into_iter().map(|(name, parts)| Incident { name, parts }).collect())
}

/// The table of hours of a table, if there is one.
fn hours_beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split_once(".csv").map_or(&*name, |(stem, _)| stem);
    let named = ENDINGS.map(|ending| path.with_file_name(format!("{stem}_hours.csv{ending}")));
    named.into_iter().find(|path| path.exists())
}

/// Gives each part the hours that a table says of it: those of its time.
fn lay_hours(path: &Path, incidents: &mut BTreeMap<String, Vec<Part>>) -> Result<()> {
    let hours: Vec<Hour> = rows(path, HOUR_COLUMNS)?;
    if hours.is_empty() && !incidents.is_empty() {
        return Err(Error::usage(format!("{} has no hours", path.display())).remedy(HOUR_COLUMNS));
    }
    for Hour { incident, device_id, hour: at } in hours {
        let hour = at.as_microsecond().div_euclid(HOUR);
        let mut is_of_one = false;
        for part in incidents.get_mut(&incident).into_iter().flatten().filter(|part| part.device_id == device_id) {
            if (part.first.div_euclid(HOUR)..=part.last.div_euclid(HOUR)).contains(&hour) {
                part.hours.insert(hour);
                is_of_one = true;
            }
        }
        if !is_of_one {
            let what = format!("{incident:?} of {device_id:?} is not in the truth beside it at {at}");
            return Err(Error::usage(format!("{}: {what}", path.display())).remedy(HOUR_COLUMNS));
        }
    }
    Ok(())
}

fn rows<R: serde::de::DeserializeOwned>(path: &Path, remedy: &str) -> Result<Vec<R>> {
    let mut table = Vec::new();
    let read = read_file(path).and_then(|mut content| content.read_to_end(&mut table));
    read.map_err(|error| cannot_read(path, error))?;
    let mut reader = csv::Reader::from_reader(table.strip_prefix(MARK).unwrap_or(&table));
    let rows = reader.deserialize().collect::<Result<Vec<R>, _>>();
    rows.map_err(|error| Error::usage(format!("cannot read {}", path.display())).because(error).remedy(remedy))
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use flate2::{Compression, write::GzEncoder};

    use super::{is_table, read_truth};

    #[test]
    fn rows_of_one_incident_are_its_parts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("truth.csv");
        let table = "incident,device_id,first_seen,last_seen,peer_ip\n\
                     scan,pump,2026-03-02T10:30:00Z,2026-03-02T12:10:00Z,\n\
                     scan,pump,2026-03-02T14:00:00Z,2026-03-02T14:01:00Z,10.0.0.1\n";
        fs::write(&path, table).unwrap();
        assert!(is_table(&path).unwrap());
        let hours = |incidents: &[super::Incident]| -> Vec<usize> {
            incidents[0].parts.iter().map(|part| part.hours_within(0..i64::MAX).len()).collect()
        };
        let all = read_truth(&path).unwrap();
        assert_eq!((all.len(), hours(&all)), (1, vec![3, 1]));
        assert_eq!(all[0].parts[1].peers.first().map(String::as_str), Some("10.0.0.1"));
        let beside = "incident,device_id,hour\nscan,pump,2026-03-02T11:00:00Z\nscan,pump,2026-03-02T14:00:00Z\n";
        fs::write(directory.path().join("truth_hours.csv"), beside).unwrap();
        assert_eq!(hours(&read_truth(&path).unwrap()), [1, 1]);
        fs::write(directory.path().join("truth_hours.csv"), "").unwrap();
        assert!(read_truth(&path).unwrap_err().to_string().contains("has no hours"));
        for wrong in ["scan,pump,2026-03-02T13:00:00Z", "scan,monitor,2026-03-02T11:00:00Z"] {
            fs::write(directory.path().join("truth_hours.csv"), format!("{beside}{wrong}\n")).unwrap();
            let error = read_truth(&path).unwrap_err().to_string();
            assert!(error.contains("is not in the truth beside it at 2026-03-02T1"), "{error}");
        }
    }

    #[test]
    fn a_table_may_come_from_a_spreadsheet_and_be_compressed() {
        let directory = tempfile::tempdir().unwrap();
        let table = "\u{feff}\"incident\",\"device_id\",\"first_seen\",\"last_seen\"\r\n\
                     \"scan\",\"pump\",\"2026-03-02T10:30:00Z\",\"2026-03-02T12:10:00Z\"\r\n";
        let plain = directory.path().join("truth.csv");
        fs::write(&plain, table).unwrap();
        let compressed = directory.path().join("truth.csv.gz");
        let mut encoder = GzEncoder::new(fs::File::create(&compressed).unwrap(), Compression::fast());
        encoder.write_all(table.as_bytes()).unwrap();
        encoder.finish().unwrap();
        for path in [&plain, &compressed] {
            assert!(is_table(path).unwrap(), "{}", path.display());
            let incidents = read_truth(path).unwrap();
            assert_eq!((incidents[0].name.as_str(), incidents[0].parts[0].device_id.as_str()), ("scan", "pump"));
            assert!(incidents[0].parts[0].hours.is_empty());
        }
        let hours =
            GzEncoder::new(fs::File::create(directory.path().join("truth_hours.csv.gz")).unwrap(), Compression::fast());
        { hours }.write_all(b"incident,device_id,hour\nscan,pump,2026-03-02T11:00:00Z\n").unwrap();
        assert_eq!(read_truth(&compressed).unwrap()[0].parts[0].hours.len(), 1);
        let bytes = fs::read(&compressed).unwrap();
        fs::write(&compressed, &bytes[..bytes.len() - 9]).unwrap();
        assert!(read_truth(&compressed).unwrap_err().remedy_text().unwrap().contains("cut off"));
        let empty = directory.path().join("empty.csv");
        fs::write(&empty, "").unwrap();
        assert!(is_table(&empty).unwrap_err().to_string().contains("is empty"));
        let semicolons = directory.path().join("semicolons.csv");
        fs::write(&semicolons, table.replace(',', ";")).unwrap();
        let error = is_table(&semicolons).unwrap_err().to_string();
        assert!(error.contains("are not parted by commas"), "{error}");
    }

    #[test]
    fn what_is_no_truth_is_refused() {
        let check = |table: &str, expected: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), table).unwrap();
            let error = read_truth(file.path()).unwrap_err();
            assert!(format!("{error:?}").contains(expected), "{error:?}");
        };
        check("incident,device_id\nscan,pump\n", "missing field `first_seen`");
        let columns = "incident,device_id,first_seen,last_seen\n";
        check(&format!("{columns},p,2026-03-02T00:00:00Z,2026-03-03T00:00:00Z\n"), "has no name");
        check(&format!("{columns}scan,p,2026-03-02T00:00:00,2026-03-03T00:00:00\n"), "such as 2026-03-02T10:30:00Z");
        let backwards = "incident,device_id,first_seen,last_seen\nscan,p,2026-03-03T00:00:00Z,2026-03-02T00:00:00Z\n";
        check(backwards, "ends before it begins");
        let listed = "incident,device_id,first_seen,last_seen,peer_ip\n\
                      scan,p,2026-03-02T00:00:00Z,2026-03-03T00:00:00Z,\"10.0.0.1,10.0.0.2\"\n";
        check(listed, "is no address");
    }
}
