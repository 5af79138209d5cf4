//! Flows as CSV, with the canonical columns by their names: what `wardflow sql 'SELECT * FROM flows' -o flows.csv` writes,
//! and what a person can write by hand.

use std::{fs::File, io::Write, net::IpAddr, path::Path, str::FromStr};

use csv::{ReaderBuilder, StringRecord, Trim};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use wardflow_manifest::ConnState;

use crate::{
    archive::{ArchiveWriter, FlowRecord},
    device::{mac_text, parse_parted_mac},
    error::{Context, Error, Result},
    flow::{COLUMNS, REQUIRED},
    nearest::nearest,
};

/// The columns that a file has, by their places in it.
pub(super) struct Header([Option<usize>; COLUMNS.len()]);

/// Reads a file of flows into an archive. Times are such as `2026-03-02T14:00:00.5Z`, or without `Z`, in UTC; text that
/// is empty is a value that is not there.
///
/// # Errors
/// The file cannot be read; a column is unknown, or one is missing that every flow has; a value breaks its column's rule.
/// The error names line, column, value and rule.
pub fn read(file: &Path, writer: &mut ArchiveWriter) -> Result<u64> {
    let shown = file.display();
    let doing = || format!("cannot read {shown}");
    let opened = File::open(file).map_err(|error| Error::usage(doing()).because(error))?;
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(opened);
    let header = Header::of(reader.headers().context(doing)?).map_err(|error| error.within(&shown.to_string()))?;
    let mut flows = 0;
    let mut row = StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut row) {
            Ok(false) => return Ok(flows),
            Ok(true) => {}
            Err(error) => return Err(Error::usage(doing()).because(error)),
        }
        let flow = header.flow(&row).map_err(|rule| Error::usage(format!("{shown}, line {line}: {rule}")))?;
        if let Some(state) = flow.conn_state.filter(|state| ConnState::from_zeek(state) == ConnState::Unknown) {
            let rule =
                broken("conn_state", state, "one of Zeek's words, such as SF or S0, or empty where it is unknown");
            return Err(Error::usage(format!("{shown}, line {line}: {rule}")));
        }
        writer.push(&flow)?;
        flows += 1;
    }
}

/// What is wrong with a header.
pub(super) struct Wrong {
    message: String,
    remedy: String,
}

impl Wrong {
    pub(super) fn within(self, file: &str) -> Error {
        Error::usage(format!("{file}: {}", self.message)).remedy(self.remedy)
    }
}

impl Header {
    pub(super) fn of(names: &StringRecord) -> Result<Self, Wrong> {
        let mut places = [None; COLUMNS.len()];
        // SQL's mark of what another sensor saw more fully is no part of a flow.
        for (place, name) in names.iter().enumerate().filter(|(_, name)| *name != "is_double") {
            let known = COLUMNS.iter().position(|column| column.name == name);
            let Some(column) = known else {
                let near = nearest(name, COLUMNS.iter().map(|column| column.name));
                let all: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
                let remedy = near.map_or_else(
                    || format!("flows have these columns: {}", all.join(", ")),
                    |near| format!("did you mean {near:?}?"),
                );
                return Err(Wrong { message: format!("{name:?} is no column of flows"), remedy });
            };
            if places[column].replace(place).is_some() {
                let message = format!("the column {name} is there twice");
                return Err(Wrong { message, remedy: "leave one of them".to_owned() });
            }
        }
        let missing: Vec<_> = COLUMNS
            .iter()
            .zip(places)
            .filter(|(column, place)| place.is_none() && REQUIRED.contains(&column.name))
            .map(|(column, _)| column.name)
            .collect();
        if missing.is_empty() {
            return Ok(Self(places));
        }
        let message = format!("the first line lacks {}", missing.join(", "));
        Err(Wrong { message, remedy: format!("every flow has {}", REQUIRED.join(", ")) })
    }

    pub(super) fn flow<'a>(&self, row: &'a StringRecord) -> Result<FlowRecord<'a>, String> {
        let text = |name: &str| -> Option<&'a str> {
            let column = COLUMNS.iter().position(|column| column.name == name)?;
            row.get(self.0[column]?).filter(|text| !text.is_empty())
        };
        let required = |name: &str| text(name).ok_or_else(|| format!("{name} is empty; every flow has one"));
        let time = |name: &str| time(name, required(name)?);
        let address = |name: &str| {
            let text = required(name)?;
            text.parse::<IpAddr>().map_err(|_| broken(name, text, "an IP address"))
        };
        let flow = FlowRecord {
            service: text("service"),
            src_bytes: number(text, "src_bytes")?,
            dst_bytes: number(text, "dst_bytes")?,
            src_packets: number(text, "src_packets")?,
            dst_packets: number(text, "dst_packets")?,
            conn_state: text("conn_state"),
            tcp_flags: number(text, "tcp_flags")?,
            src_mac: mac(text, "src_mac")?,
            dst_mac: mac(text, "dst_mac")?,
            vlan: number(text, "vlan")?,
            flow_uid: text("flow_uid"),
            community_id: text("community_id"),
            dst_name: text("dst_name"),
            sensor: text("sensor"),
            sampling_interval: number(text, "sampling_interval")?,
            observed_sides: number(text, "observed_sides")?,
            ..FlowRecord::new(
                (time("start_time")?, time("end_time")?),
                (address("src_ip")?, number(text, "src_port")?.unwrap_or(0)),
                (address("dst_ip")?, number(text, "dst_port")?.unwrap_or(0)),
                number(text, "protocol")?.ok_or("protocol is empty; every flow has one")?,
            )
        };
        match flow.start_time <= flow.end_time {
            true => Ok(flow),
            false => Err("start_time is after end_time".to_owned()),
        }
    }
}

fn broken(name: &str, text: &str, rule: &str) -> String {
    format!("{name} is {text:?}; it must be {rule}")
}

/// A time in UTC, with or without `Z`, microseconds.
pub(super) fn time(name: &str, text: &str) -> Result<i64, String> {
    let bare = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let parsed = text.parse::<Timestamp>().ok().or_else(bare);
    parsed.map(Timestamp::as_microsecond).ok_or_else(|| broken(name, text, "a time such as 2026-03-02T14:00:00.5Z"))
}

fn number<'a, T: FromStr + Bounded>(text: impl Fn(&str) -> Option<&'a str>, name: &str) -> Result<Option<T>, String> {
    let parsed = text(name).map(|text| text.parse().map_err(|_| broken(name, text, T::RULE)));
    parsed.transpose()
}

fn mac<'a>(text: impl Fn(&str) -> Option<&'a str>, name: &str) -> Result<Option<[u8; 6]>, String> {
    let Some(text) = text(name) else { return Ok(None) };
    let mac = parse_parted_mac(text.as_bytes());
    mac.map(Some).ok_or_else(|| broken(name, text, "a MAC address such as 02:00:00:00:00:1f"))
}

/// What a number of a type must be.
trait Bounded {
    const RULE: &'static str;
}

impl Bounded for u8 {
    const RULE: &'static str = "a whole number from 0 to 255";
}
impl Bounded for u16 {
    const RULE: &'static str = "a whole number from 0 to 65535";
}
impl Bounded for u32 {
    const RULE: &'static str = "a whole number from 0 to 4294967295";
}
impl Bounded for u64 {
    const RULE: &'static str = "a whole number from 0 to 18446744073709551615";
}

/// Writes rows that [`fields`] made, so that [`read`] reads them.
///
/// # Errors
/// Nothing can be written.
pub(super) fn write_rows(rows: &[StringRecord], to: impl Write) -> Result<()> {
    let doing = || "writing flows as CSV".to_owned();
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(COLUMNS.iter().map(|column| column.name)).context(doing)?;
    for row in rows {
        writer.write_record(row).context(doing)?;
    }
    writer.flush().context(doing)
}

/// A flow as a row, empty where it has no value.
pub(super) fn fields(flow: &FlowRecord<'_>) -> [String; COLUMNS.len()] {
    let time = |at: i64| Timestamp::from_microsecond(at).map_or_else(|_| String::new(), |at| at.to_string());
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let mac = |mac: Option<[u8; 6]>| mac.as_ref().map(mac_text).unwrap_or_default();
    [
        time(flow.start_time),
        time(flow.end_time),
        flow.src_ip.to_string(),
        flow.dst_ip.to_string(),
        flow.src_port.to_string(),
        flow.dst_port.to_string(),
        flow.protocol.to_string(),
        text(flow.service),
        number(flow.src_bytes),
        number(flow.dst_bytes),
        number(flow.src_packets),
        number(flow.dst_packets),
        text(flow.conn_state),
        number(flow.tcp_flags.map(Into::into)),
        mac(flow.src_mac),
        mac(flow.dst_mac),
        number(flow.vlan.map(Into::into)),
        text(flow.flow_uid),
        text(flow.community_id),
        text(flow.dst_name),
        text(flow.sensor),
        number(flow.sampling_interval.map(Into::into)),
        number(flow.observed_sides.map(Into::into)),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Header, fields, write_rows};
    use crate::archive::FlowRecord;
    use csv::StringRecord;

    #[test]
    fn what_is_written_is_read() {
        let ip = |text: &str| text.parse().unwrap();
        let plain = FlowRecord::new(
            (1_772_409_600_000_001, 1_772_409_600_500_000),
            (ip("10.0.0.1"), 1),
            (ip("fe80::1"), 65_535),
            17,
        );
        let full = FlowRecord {
            service: Some("dns"),
            src_bytes: Some(u64::MAX),
            src_mac: Some([2, 0, 0, 0, 0, 31]),
            dst_name: Some("a, \"b\""),
            observed_sides: Some(2),
            ..plain
        };
        let mut text = Vec::new();
        write_rows(&[plain, full].map(|flow| StringRecord::from(fields(&flow).to_vec())), &mut text).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let header = Header::of(reader.headers().unwrap()).map_err(|wrong| wrong.message).unwrap();
        let rows: Vec<StringRecord> = reader.records().map(Result::unwrap).collect();
        let read: Vec<_> = rows.iter().map(|row| header.flow(row).unwrap()).collect();
        assert_eq!(read, [plain, full]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let ip = |text: &str| text.parse().unwrap();
        let row = fields(&FlowRecord::new((0, 5), (ip("10.0.0.1"), 1), (ip("10.0.0.2"), 2), 6));
        let names: Vec<_> = crate::flow::COLUMNS.iter().map(|column| column.name).collect();
        let header = |names: &[&str]| Header::of(&StringRecord::from(names.to_vec()));
        let whole = header(&names).map_err(|wrong| wrong.message).unwrap();
        let check = |column: &str, value: &str, expected: &str| {
            let mut row = row.clone();
            row[names.iter().position(|name| *name == column).unwrap()] = value.to_owned();
            assert_eq!(whole.flow(&StringRecord::from(row.to_vec())).unwrap_err(), expected);
        };
        check("dst_port", "70000", "dst_port is \"70000\"; it must be a whole number from 0 to 65535");
        check("src_ip", "pump", "src_ip is \"pump\"; it must be an IP address");
        check("protocol", "", "protocol is empty; every flow has one");
        check("end_time", "yesterday", "end_time is \"yesterday\"; it must be a time such as 2026-03-02T14:00:00.5Z");
        check("end_time", "1969-12-31T00:00:00", "start_time is after end_time");
        check("src_mac", "02:00", "src_mac is \"02:00\"; it must be a MAC address such as 02:00:00:00:00:1f");
        let wrong = |names: &[&str]| header(names).err().map(|wrong| (wrong.message, wrong.remedy)).unwrap();
        let (message, remedy) = wrong(&["start_tme"]);
        assert_eq!(
            (message.as_str(), remedy.as_str()),
            ("\"start_tme\" is no column of flows", "did you mean \"start_time\"?")
        );
        assert_eq!(wrong(&names[1..]).0, "the first line lacks start_time");
        assert_eq!(wrong(&["vlan", "vlan"]).0, "the column vlan is there twice");
    }
}
