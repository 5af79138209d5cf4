//! The reader on inputs made by hand.

mod build;
mod captures;
mod ipfix;
mod odd;
mod v5;
mod v9;

use super::Netflow;
use crate::archive::{
    aside::Aside,
    reader::{Place, Reader, Record},
};

/// What a reader gave, in order and in words: flows and parts by the columns asked for.
pub(super) fn read(input: &[u8], sensor: Option<&str>) -> Vec<String> {
    read_with(input, sensor, |flow| format!("{:?} {:?}", flow.src_bytes, flow.dst_bytes))
}

pub(super) fn read_with(
    input: &[u8],
    sensor: Option<&str>,
    show: impl Fn(&crate::archive::record::FlowRecord<'_>) -> String,
) -> Vec<String> {
    let mut reader = Netflow::new(input, sensor.map(str::to_owned)).unwrap();
    let mut seen = Vec::new();
    loop {
        let text = match reader.next().unwrap() {
            None => return seen,
            Some(Record::Flow(flow)) => format!("flow {}", show(&flow)),
            Some(Record::Part(flow)) => format!("part {}", show(&flow)),
            Some(Record::Other(kind)) => kind.to_owned(),
            Some(Record::Aside(Aside::SensorReport(report))) => format!(
                "report {} {:?} {:?} {:?}",
                report.sensor.unwrap_or_default(),
                report.packets,
                report.dropped,
                report.loss_ratio
            ),
            Some(Record::Reject(reject)) => {
                let Place::Offset(place) = reject.place else { panic!("{:?}", reject.place) };
                format!("reject {place} {} raw {}", reject.reason, reject.raw.len())
            }
            Some(other) => format!("{other:?}"),
        };
        seen.push(text);
    }
}

/// What a reader gave but for the reports of sensors.
pub(super) fn without_reports(seen: Vec<String>) -> Vec<String> {
    seen.into_iter().filter(|text| !text.starts_with("report")).collect()
}

/// The parts and flows of an input of one, in full.
pub(super) fn only_flow(input: &[u8], sensor: Option<&str>) -> String {
    let seen = read_with(input, sensor, |flow| format!("{flow:?}"));
    let flows: Vec<_> = seen.iter().filter(|text| text.starts_with("flow") || text.starts_with("part")).collect();
    assert_eq!(flows.len(), 1, "{seen:?}");
    flows[0].clone()
}

/// Checks that a record in full has these columns.
pub(super) fn assert_has(record: &str, columns: &[&str]) {
    for column in columns {
        assert!(record.contains(&format!(" {column}")), "{column} is not in {record}");
    }
}
