//! Labels that people gave to the connections of a `conn.log`: what a network was, beside what a sensor saw of it.
//!
//! They stay outside of the archive, since what is to be found must not lie beside what it is found in. Zeek's own format and
//! JSON are read; the columns are `uid`, `label`, and `detailedlabel` or `detailed-label`, which IoT-23 parts by spaces
//! from the column before.

use std::{
    io::{BufRead, BufReader},
    path::Path,
};

use super::input::{cannot_read, read_file};
use crate::error::{Error, Result};

/// What somebody said of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The connection's `uid`.
    pub flow_uid: String,
    /// Such as `Malicious` or `Benign`.
    pub label: String,
    /// Such as `C&C`; empty where nothing more is said.
    pub detail: String,
}

/// What editors put before UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
const UID: &str = "uid";
const LABEL: &str = "label";
const DETAILS: [&str; 2] = ["detailedlabel", "detailed-label"];

const REMEDY: &str = "give a conn.log with the columns uid and label, or a table with the column incident";

/// Reads the labels of a log, plain or compressed, in the order of its lines. Lines that have no label are left out.
///
/// # Errors
/// The file cannot be read, has no column `uid` or `label`, a line that is none of its format, or no label.
pub fn read_labels(path: &Path) -> Result<Vec<Label>> {
    let unreadable = |error| cannot_read(path, error);
    let content = read_file(path).map_err(unreadable)?;
    let mut columns = Vec::new();
    let mut labels = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(content).split(b'\n')) {
        // Of other columns Zeek writes bytes as they came.
        let line = line.map_err(unreadable)?;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let line = String::from_utf8_lossy(line.strip_prefix(MARK).filter(|_| number == 1).unwrap_or(line));
        let wrong = |why: String| {
            Error::usage(format!("line {number} of {} has no label: {why}", path.display())).remedy(REMEDY)
        };
        if let Some(names) = line.strip_prefix("#fields") {
            columns = fields(names.trim_start()).map(str::to_owned).collect();
        } else if line.starts_with('{') {
            labels.extend(of_json(&line).map_err(wrong)?);
        } else if !line.starts_with('#') && !line.is_empty() {
            labels.extend(of_columns(&columns, &line).map_err(wrong)?);
        }
    }
    if labels.is_empty() {
        return Err(Error::usage(format!("{} labels no connection", path.display())).remedy(REMEDY));
    }
    Ok(labels)
}

/// The fields of a line, of which the last may be parted by several spaces.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split('\t').flat_map(|field| field.split("   "))
}

fn of_columns(columns: &[String], line: &str) -> Result<Option<Label>, String> {
    let place = |name: &str| columns.iter().position(|column| column == name);
    let [Some(uid), Some(label)] = [UID, LABEL].map(place) else {
        return Err(match columns {
            [] => "no #fields line is before it".to_owned(),
            _ => "#fields does not name both uid and label".to_owned(),
        });
    };
    let values: Vec<_> = fields(line).collect();
    if values.len() != columns.len() {
        return Err(format!("it has {} fields where #fields names {}", values.len(), columns.len()));
    }
    let detail = DETAILS.into_iter().find_map(place).map_or("", |place| values[place]);
    Ok(of_texts(values[uid], values[label], detail))
}

fn of_json(line: &str) -> Result<Option<Label>, String> {
    let object: serde_json::Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let text = |name: &str| object.get(name).and_then(serde_json::Value::as_str);
    let detail = DETAILS.into_iter().find_map(text).unwrap_or_default();
    match (text(UID), text(LABEL)) {
        (Some(uid), Some(label)) => Ok(of_texts(uid, label, detail)),
        _ => Err("it has not both uid and label".to_owned()),
    }
}

fn of_texts(uid: &str, label: &str, detail: &str) -> Option<Label> {
    let said = |text: &str| if matches!(text, "-" | "(empty)") { String::new() } else { text.to_owned() };
    let (flow_uid, label, detail) = (said(uid), said(label), said(detail));
    (!flow_uid.is_empty() && !label.is_empty()).then_some(Label { flow_uid, label, detail })
}

#[cfg(test)]
mod tests {
    use super::read_labels;

    #[track_caller]
    fn check(log: impl AsRef<[u8]>, expected: Result<&[[&str; 3]], &str>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), log).unwrap();
        let read = read_labels(file.path());
        match expected {
            Ok(labels) => {
                let read = read.unwrap();
                let read: Vec<_> = read.iter().map(|l| [l.flow_uid.as_str(), &l.label, &l.detail]).collect();
                assert_eq!(read, labels);
            }
            Err(why) => assert!(read.unwrap_err().to_string().contains(why), "{why}"),
        }
    }

    #[test]
    fn labels_are_read_as_they_are_written() {
        check("#fields\tuid\tlabel\tdetailedlabel\nC1\tMalicious\tCC\nC2\t-\t-\n", Ok(&[["C1", "Malicious", "CC"]]));
        let spaced =
            "#fields\tuid\tx   label   detailed-label\nC1\t-   Benign   -\nC2\t(empty)   Malicious   DDoS\n#close\n";
        check(spaced, Ok(&[["C1", "Benign", ""], ["C2", "Malicious", "DDoS"]]));
        check("\u{feff}{\"uid\":\"C1\",\"label\":\"Benign\"}\r\n", Ok(&[["C1", "Benign", ""]]));
        let bytes = b"#fields\tuid\tservice\tlabel\nC1\t\xff\xfe\tMalicious\n";
        check(bytes, Ok(&[["C1", "Malicious", ""]]));
    }

    #[test]
    fn what_has_no_labels_is_refused() {
        check("#fields\tuid\tts\nC1\t1\n", Err("line 2 of"));
        check("#fields\tuid\tlabel\nC1\n", Err("1 fields where #fields names 2"));
        check("{\"uid\":\"C1\"}\n", Err("not both uid and label"));
        check("", Err("labels no connection"));
    }
}
