//! The inventory, from CSV or Parquet.
//!
//! | column | holds |
//! |---|---|
//! | `device` (or `device_id`) | the hospital's name of the device; required |
//! | `ip`, `mac` | an address of it |
//! | `valid_from`, `valid_to` | from when and until before when the row is true: `2024-05-01`, `2024-05-01 07:30` (UTC) or with an offset, as RFC 3339; empty for always |
//! | `class` | device class such as `infusion-pump`; empty for `unknown` |
//! | `manufacturer`, `model`, `serial`, `udi_di`, `firmware`, `zone`, `location`, `owner`, `criticality` | facts |
//!
//! A device has as many rows as it has had addresses. Names of columns may be in any case, with spaces or hyphens for
//! underscores. In CSV, fields are parted by commas, or by semicolons as spreadsheets of some countries write them.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use arrow::{array::AsArray, compute::cast, datatypes::DataType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rustix::fs::OFlags;

use crate::{
    device::{Entry, Facts, UNKNOWN_CLASS, mac_text, parse_mac},
    error::{Context, Error, Result},
};

/// The columns, in the order in which they are written.
pub const COLUMNS: [&str; 15] = [
    "device",
    "ip",
    "mac",
    "valid_from",
    "valid_to",
    "class",
    "manufacturer",
    "model",
    "serial",
    "udi_di",
    "firmware",
    "zone",
    "location",
    "owner",
    "criticality",
];

/// Reads an inventory.
///
/// # Errors
/// The file cannot be read, a column is unknown, or a value is wrong: the error names the line, the value and the rule.
pub fn read_inventory(path: &Path) -> Result<Vec<Entry>> {
    let read = || -> Result<Vec<Entry>> {
        // Of a pipe there may be nobody at the other end.
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
        let mut file = opened.map_err(|error| {
            let remedy = "correct `inventory` in wardflow.toml, or take it out to do without";
            Error::usage("it cannot be opened").because(error).remedy(remedy)
        })?;
        if !file.metadata().context(|| "looking at it".into())?.is_file() {
            return Err(Error::usage("it is no regular file").remedy("name a file of CSV or Parquet"));
        }
        let mut magic = [0; 4];
        let is_parquet = file.read_exact(&mut magic).is_ok() && &magic == b"PAR1";
        file.rewind().context(|| "reading it".into())?;
        if !is_parquet {
            return read_inventory_csv(BufReader::new(file));
        }
        let entries = read_parquet(file)?;
        check_addresses(&entries)?;
        Ok(entries)
    };
    read().context(|| format!("reading the inventory {}", path.display()))
}

/// An address is one device at a time.
fn check_addresses(entries: &[Entry]) -> Result<()> {
    let mut bound: Vec<_> = entries.iter().filter_map(|entry| Some((entry.ip?, entry))).collect();
    bound.sort_by_key(|(ip, entry)| (*ip, entry.valid_from));
    for pair in bound.windows(2) {
        let [(ip, first), (other, second)] = pair else { continue };
        if ip == other && second.valid_from < first.valid_to && first.device_id != second.device_id {
            return Err(Error::usage(format!(
                "{ip} is {} and {} at one time; an address is one device at a time",
                first.device_id, second.device_id
            ))
            .remedy("give valid_from and valid_to where an address passes from one device to another"));
        }
    }
    Ok(())
}

/// Writes an inventory as CSV, which [`read_inventory`] reads as the same rows.
///
/// # Errors
/// The file cannot be written.
pub fn write_inventory_csv(entries: &[Entry], path: &Path) -> Result<()> {
    let write = || -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_path(path)?;
        writer.write_record(COLUMNS)?;
        for entry in entries {
            let Facts { class, manufacturer, model, serial, udi_di, firmware, zone, location, owner, criticality } =
                &entry.facts;
            let ip = entry.ip.map(|ip| ip.to_string()).unwrap_or_default();
            let mac = entry.mac.as_ref().map(mac_text).unwrap_or_default();
            let times = [time_text(entry.valid_from), time_text(entry.valid_to)];
            writer.write_record([
                &entry.device_id,
                &ip,
                &mac,
                &times[0],
                &times[1],
                class,
                manufacturer,
                model,
                serial,
                udi_di,
                firmware,
                zone,
                location,
                owner,
                criticality,
            ])?;
        }
        Ok(writer.flush()?)
    };
    write().context(|| format!("writing the inventory {}", path.display()))
}

/// Reads an inventory that is CSV.
///
/// # Errors
/// As [`read_inventory`].
pub fn read_inventory_csv(input: impl BufRead) -> Result<Vec<Entry>> {
    let entries = read_csv(input)?;
    check_addresses(&entries)?;
    Ok(entries)
}

fn read_csv(mut input: impl BufRead) -> Result<Vec<Entry>> {
    let start = input.fill_buf().context(|| "reading it".into())?;
    let header = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let delimiter = if header.contains(&b';') && !header.contains(&b',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(input);
    let names = reader.headers().context(|| "reading its header".into())?.clone();
    let columns = Columns::find(names.iter())?;
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let remedy = "give every line as many values as the first has names; a value with a comma goes in quotes";
            Error::usage("a row cannot be read").because(error).remedy(remedy)
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let entry = columns.entry(|column| record.get(column));
        entries.push(entry.map_err(|error| error.at(&format!("line {line}")))?);
    }
    Ok(entries)
}

fn read_parquet(file: File) -> Result<Vec<Entry>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
    let mut entries = Vec::new();
    for batch in reader.context(|| "reading its footer".into())? {
        let batch = batch.context(|| "reading its rows".into())?;
        let schema = batch.schema();
        let columns = Columns::find(schema.fields().iter().map(|field| field.name().as_str()))?;
        let texts: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| cast(column, &DataType::Utf8))
            .collect::<Result<_, _>>()
            .context(|| "turning its columns into text".into())?;
        for row in 0..batch.num_rows() {
            let text = |column: usize| {
                let column = texts.get(column)?.as_string::<i32>();
                (!arrow::array::Array::is_null(column, row)).then(|| column.value(row).trim())
            };
            let entry = columns.entry(text);
            let number = entries.len() + 1;
            entries.push(entry.map_err(|error| error.at(&format!("row {number}")))?);
        }
    }
    Ok(entries)
}

/// Where each of [`COLUMNS`] is.
struct Columns([Option<usize>; COLUMNS.len()]);

impl Columns {
    fn find<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut columns = [None; COLUMNS.len()];
        for (place, name) in names.enumerate() {
            let plain = name.trim_start_matches('\u{feff}').trim().to_lowercase().replace([' ', '-'], "_");
            let plain = if plain == "device_id" { "device" } else { plain.as_str() };
            let Some(column) = COLUMNS.iter().position(|known| *known == plain) else {
                return Err(unknown_column(name, plain));
            };
            if columns[column].replace(place).is_some() {
                return Err(Error::usage(format!("it has the column {plain} twice")).remedy("remove one of them"));
            }
        }
        if columns[0].is_none() {
            return Err(Error::usage("it has no column device, the hospital's name of the device")
                .remedy(format!("begin the file with a line that names its columns, of: {}", COLUMNS.join(", "))));
        }
        Ok(Self(columns))
    }

    fn entry<'a>(&self, value: impl Fn(usize) -> Option<&'a str>) -> Result<Entry, Wrong> {
        let get = |column: usize| self.0[column].and_then(&value).unwrap_or_default();
        let fact = |column: usize| get(column).to_owned();
        let device_id = fact(0);
        if device_id.is_empty() {
            return Err(Wrong::new(0, "", "must not be empty"));
        }
        let ip = optional(1, get(1), "must be an IPv4 or IPv6 address", |text| text.parse().ok())?;
        let mac = optional(2, get(2), "must be a MAC address such as 00:1a:2b:3c:4d:5e", parse_mac)?;
        let time_rule = "must be a time such as 2024-05-01, 2024-05-01 07:30 or 2024-05-01T07:30:00+02:00";
        let valid_from = optional(3, get(3), time_rule, time)?.unwrap_or(i64::MIN);
        let valid_to = optional(4, get(4), time_rule, time)?.unwrap_or(i64::MAX);
        if valid_from >= valid_to {
            return Err(Wrong::new(4, get(4), "must be after valid_from"));
        }
        let class = Some(get(5)).filter(|class| !class.is_empty()).unwrap_or(UNKNOWN_CLASS).to_owned();
        let [manufacturer, model, serial, udi_di, firmware] = [6, 7, 8, 9, 10].map(fact);
        let [zone, location, owner, criticality] = [11, 12, 13, 14].map(fact);
        Ok(Entry {
            device_id,
            ip,
            mac,
            valid_from,
            valid_to,
            facts: Facts { class, manufacturer, model, serial, udi_di, firmware, zone, location, owner, criticality },
            source: "inventory".into(),
            confidence: 1.0,
        })
    }
}

/// A value that breaks a rule.
#[derive(Debug)]
struct Wrong {
    column: usize,
    value: String,
    rule: &'static str,
}

impl Wrong {
    fn new(column: usize, value: &str, rule: &'static str) -> Self {
        Self { column, value: value.to_owned(), rule }
    }

    fn at(self, place: &str) -> Error {
        let Self { column, value, rule } = self;
        let column = COLUMNS[column];
        Error::usage(format!("{place}: {column} is {value:?}; it {rule}"))
            .remedy(format!("correct {column} in {place}, or leave it empty if it is not known"))
    }
}

fn optional<T>(
    column: usize,
    text: &str,
    rule: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text).map(Some).ok_or_else(|| Wrong::new(column, text, rule))
}

fn unknown_column(name: &str, plain: &str) -> Error {
    let nearest =
        COLUMNS.iter().max_by(|a, b| strsim::jaro_winkler(a, plain).total_cmp(&strsim::jaro_winkler(b, plain)));
    let nearest = nearest.copied().unwrap_or_default();
    Error::usage(format!("it has an unknown column {name:?}; the nearest known one is {nearest}"))
        .remedy(format!("rename or remove it; known are: {}", COLUMNS.join(", ")))
}

fn time(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_microsecond());
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

fn time_text(time: i64) -> String {
    match time {
        i64::MIN | i64::MAX => String::new(),
        time => jiff::Timestamp::from_microsecond(time).map(|time| time.to_string()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{check_addresses, read_csv, read_inventory, write_inventory_csv};

    const GOOD: &str = "Device ID,IP,mac,Valid-From,valid_to,class,firmware\n\
        pump-1,10.0.0.7,00-1A-2B-3C-4D-5E,2024-05-01,2024-05-01T12:00:00+02:00,infusion-pump,2.1\n\
        pump-1,fd00::7,,2024-05-01 10:00,,infusion-pump,2.2\n\
        \"shelf, spare\",,,,,,\n";

    #[test]
    fn reads_csv() {
        let entries = read_csv(GOOD.as_bytes()).unwrap();
        let day = 1_714_521_600_000_000;
        let hours = |hours: i64| day + hours * 3_600_000_000;
        let times: Vec<_> = entries.iter().map(|entry| (entry.valid_from, entry.valid_to)).collect();
        assert_eq!(times, [(day, hours(10)), (hours(10), i64::MAX), (i64::MIN, i64::MAX)]);
        assert_eq!(entries[0].mac, Some([0, 0x1a, 0x2b, 0x3c, 0x4d, 0x5e]));
        assert_eq!(entries[1].ip.unwrap().to_string(), "fd00::7");
        assert_eq!((entries[2].device_id.as_str(), entries[2].facts.class.as_str()), ("shelf, spare", "unknown"));
        let semicolons = read_csv("\u{feff}device;ip\na;10.0.0.1\n".as_bytes()).unwrap();
        assert_eq!(semicolons[0].ip.unwrap().to_string(), "10.0.0.1");
    }

    #[test]
    fn writes_what_it_reads() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("inventory.csv");
        let entries = read_csv(GOOD.as_bytes()).unwrap();
        write_inventory_csv(&entries, &path).unwrap();
        assert_eq!(read_inventory(&path).unwrap(), entries);
    }

    #[test]
    fn reads_parquet() {
        use std::sync::Arc;

        use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};

        let device: ArrayRef = Arc::new(StringArray::from(vec!["pump-1", "pump-2"]));
        let ip: ArrayRef = Arc::new(StringArray::from(vec![Some("10.0.0.7"), None]));
        let from: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1_500_000, 0]).with_timezone("UTC"));
        let batch = RecordBatch::try_from_iter([("device_id", device), ("ip", ip), ("valid_from", from)]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("inventory.parquet");
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let entries = read_inventory(&path).unwrap();
        let seen: Vec<_> = entries.iter().map(|e| (e.device_id.as_str(), e.ip.is_some(), e.valid_from)).collect();
        assert_eq!(seen, [("pump-1", true, 1_500_000), ("pump-2", false, 0)]);
    }

    #[test]
    fn refuses_bad_rows() {
        fn check(csv: &str, message: &str) {
            let error = read_csv(csv.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(error.remedy_text().is_some());
        }
        check("device,firmwear\n", "it has an unknown column \"firmwear\"; the nearest known one is firmware");
        check("ip\n10.0.0.1\n", "it has no column device, the hospital's name of the device");
        check("device,IP,ip\n", "it has the column ip twice");
        check("device,ip\na,10.0.0.1\nb,10.0.0\n", "line 3: ip is \"10.0.0\"; it must be an IPv4 or IPv6 address");
        let inventory = [read_csv("device,ip,valid_to\na,10.0.0.1,2024-05-01\nb,10.0.0.1,\n".as_bytes()).unwrap()];
        let error = check_addresses(&inventory.concat()).unwrap_err();
        assert_eq!(error.to_string(), "10.0.0.1 is a and b at one time; an address is one device at a time");
        check("device,mac\na,00:1a\n", "line 2: mac is \"00:1a\"; it must be a MAC address such as 00:1a:2b:3c:4d:5e");
        check("device,ip\n,10.0.0.1\n", "line 2: device is \"\"; it must not be empty");
        check(
            "device,valid_from,valid_to\na,2024-05-02,2024-05-01\n",
            "line 2: valid_to is \"2024-05-01\"; it must be after valid_from",
        );
        check(
            "device,valid_from\na,1.5.2024\n",
            "line 2: valid_from is \"1.5.2024\"; it must be a time such as 2024-05-01, 2024-05-01 07:30 or \
             2024-05-01T07:30:00+02:00",
        );
    }
}
