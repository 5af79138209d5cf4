//! Incidents from labelled connections: what a label says of each, taken together by device.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use arrow::array::{Array, RecordBatch, StringArray};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::{
    found::{texts, times},
    truth::{Incident, Part},
};
use crate::{
    archive::{Label, read_labels},
    error::{Context, Error, Result},
    time::HOUR,
};

/// Words in labels of what is no incident, in lower case: those of the Stratosphere Laboratory's data sets and of CTU-13, such
/// as `flow=From-Normal-V42-Grill`.
const HARMLESS: [&str; 4] = ["benign", "background", "normal", "unknown"];

/// Words beside which those do not count.
const HARMFUL: [&str; 4] = ["malicious", "attack", "botnet", "not"];

/// What labels say of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labelled {
    /// One a label and device.
    pub incidents: Vec<Incident>,
    /// Labelled connections.
    pub labels: u64,
    /// Those of them that the archive does not have.
    pub missing: u64,
    /// Those of them that tell of an incident between ends of which none is internal.
    pub foreign: u64,
}

/// Flows, and which devices have them.
const FLOWS: &str = "
SELECT flow_uid, start_time, end_time, src_ip, dst_ip,
       device_of(src_ip, src_mac, end_time) AS src_device, device_of(dst_ip, dst_mac, end_time) AS dst_device
FROM flows WHERE flow_uid IS NOT NULL";

/// Reads a labelled log, and finds its connections in the archive by their `uid`. Those with a label other than benign,
/// background, normal or unknown are incidents of the device that began them, or to which they came from outside.
///
/// # Errors
/// The log cannot be read, says two things of one connection, the archive has none of its connections, or all that are
/// harmful are between strangers.
pub async fn read_labelled(context: &SessionContext, path: &Path) -> Result<Labelled> {
    let mut by_uid = by_uid(read_labels(path)?, path)?;
    let mut labelled = Labelled { labels: by_uid.len() as u64, ..Labelled::default() };
    let mut parts = BTreeMap::new();
    let doing = || "reading the flows that labels are of".to_owned();
    let mut flows = context.sql(FLOWS).await.context(doing)?.execute_stream().await.context(doing)?;
    while let Some(batch) = flows.next().await {
        labelled.foreign += gather(&batch.context(doing)?, &mut by_uid, &mut parts)?;
    }
    labelled.missing = by_uid.len() as u64;
    if labelled.missing == labelled.labels {
        let count = labelled.labels;
        return Err(Error::usage(format!(
            "none of the {count} labelled connections of {} is in the archive",
            path.display()
        ))
        .remedy("ingest the log that the labels are of; they are matched by its field uid"));
    }
    if parts.is_empty() && labelled.foreign > 0 {
        let count = labelled.foreign;
        return Err(Error::usage(format!(
            "none of the {count} connections that {} labels as harmful has an internal end",
            path.display()
        ))
        .remedy("say in wardflow.toml by `internal` which addresses are yours, and `wardflow analyze --rerun`"));
    }
    let mut incidents = BTreeMap::<String, Vec<Part>>::new();
    for ((name, ..), part) in parts {
        incidents.entry(name).or_default().push(part);
    }
    labelled.incidents = incidents.into_iter().map(|(name, parts)| Incident { name, parts }).collect();
    Ok(labelled)
}

fn by_uid(labels: Vec<Label>, path: &Path) -> Result<HashMap<String, Label>> {
    let mut by_uid = HashMap::<String, Label>::new();
    for label in labels {
        if let Some(before) = by_uid.insert(label.flow_uid.clone(), label.clone())
            && before != label
        {
            let say = |label: &Label| format!("{:?}", [label.label.as_str(), &label.detail].join(" ").trim());
            return Err(Error::usage(format!(
                "{} labels the connection {} as {} and as {}",
                path.display(),
                label.flow_uid,
                say(&before),
                say(&label)
            ))
            .remedy("leave one of them"));
        }
    }
    Ok(by_uid)
}

type Key = (String, String, Option<String>);

/// Whether a label, if it says anything, is of no incident.
fn is_harmless(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    let words = || label.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let has = |of: &[&str]| words().any(|word| of.contains(&word));
    words().next().is_none() || has(&HARMLESS) && !has(&HARMFUL)
}

/// Takes the flows that have a label. Returns how many of those that tell of an incident are of no device.
fn gather(flows: &RecordBatch, by_uid: &mut HashMap<String, Label>, parts: &mut BTreeMap<Key, Part>) -> Result<u64> {
    let mut foreign = 0;
    let uids = texts(flows, "flow_uid")?;
    let (starts, ends) = (times(flows, "start_time")?, times(flows, "end_time")?);
    let (src_ips, dst_ips) = (texts(flows, "src_ip")?, texts(flows, "dst_ip")?);
    let (src_devices, dst_devices) = (texts(flows, "src_device")?, texts(flows, "dst_device")?);
    for row in 0..flows.num_rows() {
        let Some(label) = by_uid.remove(uids.value(row)) else { continue };
        if is_harmless(&label.label) {
            continue;
        }
        let value = |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
        let (src, dst) = (value(&src_devices), value(&dst_devices));
        let (device_id, peer_device_id, peer) = match (src, dst) {
            (Some(src), dst) => (src, dst, value(&dst_ips)),
            (None, Some(dst)) => (dst, None, value(&src_ips)),
            (None, None) => {
                foreign += 1;
                continue;
            }
        };
        let name = format!("{} of {device_id}", [label.label.as_str(), &label.detail].join(" ").trim());
        let (start, end) = (starts.value(row), ends.value(row));
        let key = (name, device_id.clone(), peer_device_id.clone());
        let part = parts.entry(key).or_insert_with(|| Part {
            device_id,
            peer_device_ids: peer_device_id.into_iter().collect(),
            first: start,
            last: end,
            ..Part::default()
        });
        (part.first, part.last) = (part.first.min(start), part.last.max(end));
        part.hours.insert(end.div_euclid(HOUR));
        part.peers.extend(peer);
    }
    Ok(foreign)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{by_uid, is_harmless};
    use crate::archive::Label;

    #[test]
    fn a_connection_has_one_label() {
        let label = |uid: &str, label: &str| Label { flow_uid: uid.into(), label: label.into(), detail: String::new() };
        let read = |labels: &[Label]| by_uid(labels.to_vec(), Path::new("conn.log")).map(|labels| labels.len());
        assert_eq!(read(&[label("C1", "Benign"), label("C2", "Malicious"), label("C1", "Benign")]).unwrap(), 2);
        let error = read(&[label("C1", "Benign"), label("C1", "Malicious")]).unwrap_err().to_string();
        assert!(error.contains("C1 as \"Benign\" and as \"Malicious\""), "{error}");
    }

    #[test]
    fn labels_of_what_is_no_incident_are_known_in_every_set() {
        for label in ["Benign", "background", "flow=From-Normal-V42-Grill", "flow=To-Background-UDP-CVUT", "-", ""] {
            assert!(is_harmless(label), "{label}");
        }
        for label in ["Malicious", "flow=From-Botnet-V42-TCP-CC16", "Abnormal", "Malicious-Unknown", "Not-Normal"] {
            assert!(!is_harmless(label), "{label}");
        }
    }
}
