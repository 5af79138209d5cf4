//! Zeek's logs that hold no flows: leases, sensor health, notices, and what hosts are.

use std::io::Read;

use super::{
    log::{Kind, Log, Step},
    logs::ZeekLog,
};
use crate::{
    archive::{
        aside::{Aside, HostFact, IdsEvent, Lease, SensorReport},
        reader::{Place, Reader, Record, Reject},
        values,
    },
    error::Result,
};

const FIELDS: usize = 16;

/// Pads a list of fields: no field has an empty name.
const fn fields<const N: usize>(names: [&'static str; N]) -> [&'static str; FIELDS] {
    let mut all = [""; FIELDS];
    let mut at = 0;
    while at < N {
        all[at] = names[at];
        at += 1;
    }
    all
}

static DHCP: Kind<FIELDS> = Kind {
    path: "dhcp",
    fields: fields([
        "ts",
        "_system_name",
        "mac",
        "assigned_addr",
        "assigned_ip",
        "lease_time",
        "host_name",
        "client_fqdn",
    ]),
    required: 1,
};
static CAPTURE_LOSS: Kind<FIELDS> =
    Kind { path: "capture_loss", fields: fields(["ts", "_system_name", "ts_delta", "percent_lost"]), required: 1 };
static STATS: Kind<FIELDS> =
    Kind { path: "stats", fields: fields(["ts", "_system_name", "pkts_proc", "pkts_dropped"]), required: 1 };
static NOTICE: Kind<FIELDS> = Kind {
    path: "notice",
    fields: fields([
        "ts",
        "_system_name",
        "note",
        "msg",
        "sub",
        "uid",
        "id.orig_h",
        "id.orig_p",
        "id.resp_h",
        "id.resp_p",
        "proto",
        "src",
        "dst",
        "p",
        "community_id",
    ]),
    required: 1,
};
static KNOWN_HOSTS: Kind<FIELDS> =
    Kind { path: "known_hosts", fields: fields(["ts", "_system_name", "host"]), required: 1 };
static KNOWN_SERVICES: Kind<FIELDS> = Kind {
    path: "known_services",
    fields: fields(["ts", "_system_name", "host", "port_num", "port_proto", "service"]),
    required: 1,
};
static KNOWN_DEVICES: Kind<FIELDS> =
    Kind { path: "known_devices", fields: fields(["ts", "_system_name", "mac", "dhcp_host_name"]), required: 1 };
static SOFTWARE: Kind<FIELDS> = Kind {
    path: "software",
    fields: fields(["ts", "_system_name", "host", "host_p", "name", "unparsed_version"]),
    required: 1,
};

const TS: usize = 0;
const SYSTEM_NAME: usize = 1;

/// How often Zeek writes `stats.log` unless it is told otherwise (`Stats::report_interval`), microseconds: the interval of
/// the first record of a file.
const STATS_INTERVAL: i64 = 5 * 60 * 1_000_000;

/// Reads one of these logs.
#[derive(Debug)]
pub(super) struct AsideLog<R> {
    log: Log<R, FIELDS>,
    which: ZeekLog,
    sensor: Option<String>,
    /// End of the interval of the last report.
    reported: Option<i64>,
}

impl<R: Read> AsideLog<R> {
    /// A reader of decompressed content; `sensor` stands in place of the field `_system_name`.
    pub(super) fn new(input: R, which: ZeekLog, sensor: Option<String>) -> Self {
        let kind = match which {
            ZeekLog::Dhcp => &DHCP,
            ZeekLog::CaptureLoss => &CAPTURE_LOSS,
            ZeekLog::Stats => &STATS,
            ZeekLog::Notice => &NOTICE,
            ZeekLog::KnownHosts => &KNOWN_HOSTS,
            ZeekLog::KnownServices => &KNOWN_SERVICES,
            ZeekLog::KnownDevices => &KNOWN_DEVICES,
            _ => &SOFTWARE,
        };
        Self { log: Log::new(input, kind), which, sensor, reported: None }
    }

    /// The row of a record; none where it has nothing to tell.
    fn row(&mut self) -> Result<Option<Aside>, String> {
        let time = self.log.required(TS, values::time, "a time in seconds since 1970, or in ISO 8601")?;
        let sensor = match &self.sensor {
            Some(sensor) => Some(sensor.clone()),
            None => self.owned(SYSTEM_NAME)?,
        };
        Ok(match self.which {
            ZeekLog::Dhcp => self.lease(time, sensor)?.map(Aside::Lease),
            ZeekLog::CaptureLoss => Some(Aside::SensorReport(self.capture_loss(time, sensor)?)),
            ZeekLog::Stats => Some(Aside::SensorReport(self.stats(time, sensor)?)),
            ZeekLog::Notice => Some(Aside::IdsEvent(self.notice(time, sensor)?)),
            _ => Some(Aside::HostFact(self.host_fact(time, sensor)?)),
        })
    }

    /// A request alone, or an answer without an address, is no lease.
    fn lease(&self, time: i64, sensor: Option<String>) -> Result<Option<Lease>, String> {
        let ip = match self.ip(3)? {
            Some(ip) => Some(ip),
            None => self.ip(4)?,
        };
        let (Some(ip), Some(mac)) = (ip, self.log.optional(2, values::mac, "a MAC address")?) else { return Ok(None) };
        // Versions before 2.6 write 0 where the server said nothing.
        let lasts = self.log.optional(5, values::micros, "a number of seconds")?.filter(|lasts| *lasts > 0);
        let host_name = match self.owned(6)? {
            Some(name) => Some(name),
            None => self.owned(7)?,
        };
        let valid_to = lasts.and_then(|lasts| time.checked_add(lasts));
        Ok(Some(Lease { valid_from: time, valid_to, ip, mac, host_name, sensor }))
    }

    fn capture_loss(&self, time: i64, sensor: Option<String>) -> Result<SensorReport, String> {
        let interval = self.log.required(2, values::micros, "a number of seconds")?;
        let lost = self.log.required(3, values::micros, "a percentage")? as f64 / 100e6;
        Ok(SensorReport {
            sensor,
            interval_start: time.saturating_sub(interval.max(0)),
            interval_end: time,
            packets: None,
            dropped: None,
            loss_ratio: Some(lost.clamp(0.0, 1.0)),
        })
    }

    fn stats(&mut self, time: i64, sensor: Option<String>) -> Result<SensorReport, String> {
        let packets = self.log.optional(2, values::number::<u64>, "a whole number")?;
        let dropped = self.log.optional(3, values::number::<u64>, "a whole number")?;
        let before = self.reported.replace(time).filter(|before| *before < time);
        Ok(SensorReport {
            sensor,
            interval_start: before.unwrap_or_else(|| time.saturating_sub(STATS_INTERVAL)),
            interval_end: time,
            packets,
            dropped,
            loss_ratio: SensorReport::ratio(packets, dropped),
        })
    }

    fn notice(&self, time: i64, sensor: Option<String>) -> Result<IdsEvent, String> {
        let port = "a port from 0 to 65535";
        let is_ipv6 = |ip: Option<std::net::IpAddr>| ip.is_some_and(|ip| ip.is_ipv6());
        let (src_ip, dst_ip) = (self.ip(6)?, self.ip(8)?);
        let protocol = self.log.optional(10, |text| values::protocol(text, is_ipv6(src_ip)), "a transport protocol")?;
        Ok(IdsEvent {
            time,
            sensor,
            origin: "zeek".to_owned(),
            src_ip: if src_ip.is_some() { src_ip } else { self.ip(11)? },
            src_port: self.log.optional(7, values::number, port)?,
            dst_ip: if dst_ip.is_some() { dst_ip } else { self.ip(12)? },
            dst_port: match self.log.optional(9, values::number, port)? {
                Some(port) => Some(port),
                None => self.log.optional(13, values::number, port)?,
            },
            protocol,
            signature: self.owned(2)?.unwrap_or_default(),
            category: self.owned(4)?,
            message: self.owned(3)?,
            flow_uid: self.owned(5)?,
            community_id: self.owned(14)?,
            ..IdsEvent::default()
        })
    }

    fn host_fact(&self, time: i64, sensor: Option<String>) -> Result<HostFact, String> {
        let fact = HostFact { time, sensor, ..HostFact::default() };
        let port = "a port from 0 to 65535";
        Ok(match self.which {
            ZeekLog::KnownHosts => HostFact { kind: "host".to_owned(), ip: self.ip(2)?, ..fact },
            ZeekLog::KnownServices => HostFact {
                kind: "service".to_owned(),
                ip: self.ip(2)?,
                port: self.log.optional(3, values::number, port)?,
                protocol: self.log.optional(4, |text| values::protocol(text, false), "a transport protocol")?,
                name: self.owned(5)?.map(|name| name.to_ascii_lowercase()),
                ..fact
            },
            ZeekLog::KnownDevices => HostFact {
                kind: "device".to_owned(),
                mac: self.log.optional(2, values::mac, "a MAC address")?,
                name: self.owned(3)?,
                ..fact
            },
            _ => HostFact {
                kind: "software".to_owned(),
                ip: self.ip(2)?,
                port: self.log.optional(3, values::number, port)?,
                name: self.owned(4)?,
                version: self.owned(5)?,
                ..fact
            },
        })
    }

    fn ip(&self, field: usize) -> Result<Option<std::net::IpAddr>, String> {
        self.log.optional(field, values::ip, "an IP address")
    }

    fn owned(&self, field: usize) -> Result<Option<String>, String> {
        Ok(self.log.text_of(field)?.map(str::to_owned))
    }
}

impl<R: Read> Reader for AsideLog<R> {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        let reason = match self.log.advance()? {
            Step::End => return Ok(None),
            Step::Malformed(reason) => reason,
            Step::Record => match self.row() {
                Ok(Some(row)) => return Ok(Some(Record::Aside(row))),
                Ok(None) => return Ok(Some(Record::Other(self.which.path()))),
                Err(reason) => reason,
            },
        };
        Ok(Some(Record::Reject(Reject { place: self.place(), reason, raw: self.log.text() })))
    }

    fn place(&self) -> Place {
        Place::Line(self.log.number())
    }

    fn raw(&self) -> &[u8] {
        self.log.text()
    }

    fn is_broken(&self) -> bool {
        self.log.is_broken()
    }
}

#[cfg(test)]
mod tests {
    use super::{Aside, AsideLog, HostFact, IdsEvent, Lease, SensorReport, ZeekLog};
    use crate::archive::reader::{Reader, Record};

    fn rows(which: ZeekLog, log: &str) -> Vec<Aside> {
        let mut reader = AsideLog::new(log.as_bytes(), which, None);
        let mut rows = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            match record {
                Record::Aside(row) => rows.push(row),
                Record::Other(path) => assert_eq!(path, which.path()),
                other => panic!("{other:?}"),
            }
        }
        rows
    }

    #[test]
    fn leases_of_both_versions() {
        let lease = |valid_to, host_name: Option<&str>| {
            Aside::Lease(Lease {
                valid_from: 22_500_000,
                valid_to,
                ip: "10.0.2.15".parse().unwrap(),
                mac: [8, 0, 0x27, 0x7f, 9, 0xe1],
                host_name: host_name.map(str::to_owned),
                sensor: None,
            })
        };
        let new = r#"{"ts":22.5,"mac":"08:00:27:7f:09:e1","assigned_addr":"10.0.2.15","lease_time":60.0,"host_name":"pump"}
{"ts":23,"mac":"08:00:27:7f:09:e1","requested_addr":"10.0.2.15"}"#;
        assert_eq!(rows(ZeekLog::Dhcp, new), [lease(Some(82_500_000), Some("pump"))]);
        let old = "#path\tdhcp\n#fields\tts\tmac\tassigned_ip\tlease_time\n22.5\t08:00:27:7f:09:e1\t10.0.2.15\t0.0\n";
        assert_eq!(rows(ZeekLog::Dhcp, old), [lease(None, None)]);
    }

    #[test]
    fn sensors_say_how_they_fare() {
        let report = |start: i64, end: i64, packets, dropped, loss_ratio| {
            Aside::SensorReport(SensorReport {
                sensor: None,
                interval_start: start * 1_000_000,
                interval_end: end * 1_000_000,
                packets,
                dropped,
                loss_ratio,
            })
        };
        let loss = "#path\tcapture_loss\n#fields\tts\tts_delta\tpercent_lost\n1000\t900\t12.5\n";
        assert_eq!(rows(ZeekLog::CaptureLoss, loss), [report(100, 1_000, None, None, Some(0.125))]);
        let stats = "#path\tstats\n#fields\tts\tpkts_proc\tpkts_dropped\n1000\t10\t-\n1300\t60\t20\n";
        let expected = [report(700, 1_000, Some(10), None, None), report(1_000, 1_300, Some(60), Some(20), Some(0.25))];
        assert_eq!(rows(ZeekLog::Stats, stats), expected);
    }

    #[test]
    fn notices_and_what_hosts_are() {
        let notice = r#"{"ts":1,"note":"Scan::Port_Scan","msg":"m","sub":"s","src":"10.0.0.1","dst":"10.0.0.2","p":23,"proto":"tcp"}"#;
        let expected = IdsEvent {
            time: 1_000_000,
            origin: "zeek".into(),
            src_ip: "10.0.0.1".parse().ok(),
            dst_ip: "10.0.0.2".parse().ok(),
            dst_port: Some(23),
            protocol: Some(6),
            signature: "Scan::Port_Scan".into(),
            category: Some("s".into()),
            message: Some("m".into()),
            ..IdsEvent::default()
        };
        assert_eq!(rows(ZeekLog::Notice, notice), [Aside::IdsEvent(expected)]);
        let services =
            "#path\tknown_services\n#fields\tts\thost\tport_num\tport_proto\tservice\n1\t10.0.0.1\t80\ttcp\tHTTP\n";
        let expected = HostFact {
            time: 1_000_000,
            ip: "10.0.0.1".parse().ok(),
            port: Some(80),
            protocol: Some(6),
            kind: "service".into(),
            name: Some("http".into()),
            ..HostFact::default()
        };
        assert_eq!(rows(ZeekLog::KnownServices, services), [Aside::HostFact(expected)]);
        let mut bad = AsideLog::new(&b"{\"ts\":1,\"host\":\"x\"}"[..], ZeekLog::KnownHosts, None);
        let Some(Record::Reject(reject)) = bad.next().unwrap() else { panic!("it is read") };
        assert_eq!(reject.reason, "host is \"x\"; it must be an IP address");
    }
}
