//! What sources tell beside flows: who had which address, how the sensors fared, what an IDS saw, what hosts are. A table
//! of each, one Parquet file a source.

use std::{net::IpAddr, sync::Arc};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Serialize, Serializer};

use crate::flow::time_type;

/// A row of one of the tables.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each holds the row of that name")]
pub enum Aside {
    Lease(Lease),
    SensorReport(SensorReport),
    IdsEvent(IdsEvent),
    HostFact(HostFact),
}

/// A table beside the flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the rows of that name")]
pub enum AsideTable {
    Leases,
    SensorReports,
    IdsEvents,
    HostFacts,
}

/// An address that a DHCP server gave a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lease {
    /// When it was given, microseconds UTC.
    pub valid_from: i64,
    /// Until when, unless it is renewed; absent where the server did not say.
    pub valid_to: Option<i64>,
    /// The address.
    pub ip: IpAddr,
    /// The device's MAC address.
    #[serde(serialize_with = "mac")]
    pub mac: [u8; 6],
    /// What the device calls itself.
    pub host_name: Option<String>,
    /// The sensor that saw it.
    pub sensor: Option<String>,
}

/// What a sensor says of itself for an interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SensorReport {
    /// The sensor; absent if the source names none.
    pub sensor: Option<String>,
    /// Start of the interval, microseconds UTC.
    pub interval_start: i64,
    /// Its end, exclusive.
    pub interval_end: i64,
    /// Packets that it processed.
    pub packets: Option<u64>,
    /// Packets that it dropped.
    pub dropped: Option<u64>,
    /// Share of the traffic that it missed, in [0, 1]: of packets that it dropped, or of TCP acknowledgements whose data
    /// it never saw.
    pub loss_ratio: Option<f64>,
}

/// What an IDS, or a policy script of Zeek's, remarked.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it; addresses, ports and ids are those of the flow")]
pub struct IdsEvent {
    pub time: i64,
    pub sensor: Option<String>,
    /// `suricata` or `zeek`.
    pub origin: String,
    pub src_ip: Option<IpAddr>,
    pub src_port: Option<u16>,
    pub dst_ip: Option<IpAddr>,
    pub dst_port: Option<u16>,
    pub protocol: Option<u8>,
    /// Suricata's signature number.
    pub signature_id: Option<u64>,
    /// The signature's text, or Zeek's name of the notice.
    pub signature: String,
    pub category: Option<String>,
    /// Suricata's: 1 is highest.
    pub severity: Option<u8>,
    pub action: Option<String>,
    pub message: Option<String>,
    pub flow_uid: Option<String>,
    pub community_id: Option<String>,
}

/// What a sensor learned of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct HostFact {
    pub time: i64,
    pub sensor: Option<String>,
    pub ip: Option<IpAddr>,
    #[serde(serialize_with = "optional_mac")]
    pub mac: Option<[u8; 6]>,
    pub port: Option<u16>,
    pub protocol: Option<u8>,
    /// `host`, `service`, `software` or `device`.
    pub kind: String,
    /// The software or service, or what the device calls itself.
    pub name: Option<String>,
    pub version: Option<String>,
}

impl SensorReport {
    /// The share of packets that were dropped.
    pub(super) fn ratio(packets: Option<u64>, dropped: Option<u64>) -> Option<f64> {
        let (packets, dropped) = (packets?, dropped?);
        (packets + dropped > 0).then(|| dropped as f64 / (packets + dropped) as f64)
    }
}

impl Aside {
    /// The table that it is a row of.
    pub const fn table(&self) -> AsideTable {
        match self {
            Self::Lease(_) => AsideTable::Leases,
            Self::SensorReport(_) => AsideTable::SensorReports,
            Self::IdsEvent(_) => AsideTable::IdsEvents,
            Self::HostFact(_) => AsideTable::HostFacts,
        }
    }
}

impl Serialize for Aside {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Lease(row) => row.serialize(serializer),
            Self::SensorReport(row) => row.serialize(serializer),
            Self::IdsEvent(row) => row.serialize(serializer),
            Self::HostFact(row) => row.serialize(serializer),
        }
    }
}

impl AsideTable {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Leases, Self::SensorReports, Self::IdsEvents, Self::HostFacts];

    /// Its name in SQL, and of its directory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leases => "leases",
            Self::SensorReports => "sensor_reports",
            Self::IdsEvents => "ids_events",
            Self::HostFacts => "host_facts",
        }
    }

    /// Its columns.
    pub fn schema(self) -> SchemaRef {
        use DataType::{Float64, UInt8, UInt16, UInt64, Utf8};
        let time = time_type;
        let columns = match self {
            Self::Leases => vec![
                ("valid_from", time()),
                ("valid_to", time()),
                ("ip", Utf8),
                ("mac", Utf8),
                ("host_name", Utf8),
                ("sensor", Utf8),
            ],
            Self::SensorReports => vec![
                ("sensor", Utf8),
                ("interval_start", time()),
                ("interval_end", time()),
                ("packets", UInt64),
                ("dropped", UInt64),
                ("loss_ratio", Float64),
            ],
            Self::IdsEvents => vec![
                ("time", time()),
                ("sensor", Utf8),
                ("origin", Utf8),
                ("src_ip", Utf8),
                ("src_port", UInt16),
                ("dst_ip", Utf8),
                ("dst_port", UInt16),
                ("protocol", UInt8),
                ("signature_id", UInt64),
                ("signature", Utf8),
                ("category", Utf8),
                ("severity", UInt8),
                ("action", Utf8),
                ("message", Utf8),
                ("flow_uid", Utf8),
                ("community_id", Utf8),
            ],
            Self::HostFacts => vec![
                ("time", time()),
                ("sensor", Utf8),
                ("ip", Utf8),
                ("mac", Utf8),
                ("port", UInt16),
                ("protocol", UInt8),
                ("kind", Utf8),
                ("name", Utf8),
                ("version", Utf8),
            ],
        };
        Arc::new(Schema::new(
            columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect::<Vec<_>>(),
        ))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn mac<S: Serializer>(mac: &[u8; 6], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&super::record::mac_text(mac))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn optional_mac<S: Serializer>(mac: &Option<[u8; 6]>, serializer: S) -> Result<S::Ok, S::Error> {
    match mac {
        Some(mac) => serializer.serialize_some(&super::record::mac_text(mac)),
        None => serializer.serialize_none(),
    }
}
