//! What an author expects a detector to find in a case: `expected.json`, a list of findings.
//!
//! An expected finding has the fields of [`Seen`], as many of them as matter: what it does not name may be anything.
//! Every finding must be expected, and every expected one found. Numbers agree to one part in a billion, so that a file
//! may be written by hand.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use serde_json::{Map, Value};

use super::seen::Seen;
use crate::error::{Context, Error, Result};

/// The file in a case.
pub const FILE: &str = "expected.json";

/// Fields that an expected finding may have.
const FIELDS: [&str; 15] = [
    "slice_start",
    "device_id",
    "kind",
    "severity",
    "score",
    "confidence",
    "first_seen",
    "last_seen",
    "peer_ip",
    "peer_port",
    "protocol",
    "flow_count",
    "summary",
    "cause_key",
    "observations",
];

/// Those of them that tell one cause from another.
const CAUSE: [&str; 6] = ["slice_start", "device_id", "kind", "peer_ip", "peer_port", "cause_key"];

/// A difference between what was expected and what was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// It was expected and not found.
    Missing(String),
    /// It was found and not expected.
    Unexpected(String),
    /// It was found otherwise: which finding, and by field what was expected and found.
    Otherwise(String, Vec<(String, String, String)>),
}

/// Reads the expectations of a case; absent if it has none yet.
///
/// # Errors
/// It is no list of findings.
pub fn read(directory: &Path) -> Result<Option<Vec<Map<String, Value>>>> {
    let file = directory.join(FILE);
    let wrong = |what: String| {
        Error::usage(format!("{}: {what}", file.display()))
            .remedy("it is a JSON list of findings; `wardflow plugin test --bless` writes what is found now")
    };
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong("it cannot be read".to_owned()).because(error)),
    };
    let list: Vec<Map<String, Value>> = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let unknown = list.iter().flat_map(Map::keys).find(|field| !FIELDS.contains(&field.as_str()));
    match unknown {
        Some(field) => Err(Error::usage(format!("{}: {field:?} is no field of a finding", file.display()))
            .remedy(format!("there are: {}", FIELDS.join(", ")))),
        None => Ok(Some(list)),
    }
}

/// Writes what was found as what is expected.
///
/// # Errors
/// The file cannot be written.
pub fn bless(directory: &Path, found: &[Seen]) -> Result<()> {
    let file = directory.join(FILE);
    let doing = || format!("cannot write {}", file.display());
    let mut text = serde_json::to_string_pretty(found).context(doing)?;
    text.push('\n');
    let mut unfinished = tempfile::NamedTempFile::new_in(directory).context(doing)?;
    unfinished.write_all(text.as_bytes()).context(doing)?;
    fs::set_permissions(unfinished.path(), fs::Permissions::from_mode(0o644)).context(doing)?;
    unfinished.persist(&file).context(doing).map(drop)
}

/// Compares, in the order of what was expected.
pub fn compare(expected: &[Map<String, Value>], found: &[Seen]) -> Vec<Difference> {
    let values: Vec<Map<String, Value>> = found.iter().map(fields).collect();
    let mut open: Vec<bool> = vec![true; found.len()];
    let mut left = Vec::new();
    for wanted in expected {
        let fits = (0..found.len()).find(|at| open[*at] && differences(wanted, &values[*at]).is_empty());
        match fits {
            Some(at) => open[at] = false,
            None => left.push(wanted),
        }
    }
    let mut told = Vec::new();
    for wanted in left {
        // The same cause, with other numbers?
        let same = (0..found.len()).find(|at| {
            let is_alike = |field: &str| {
                let found = || values[*at].get(field);
                wanted.get(field).is_none_or(|value| found().is_some_and(|found| agree(value, found)))
            };
            open[*at] && CAUSE.iter().all(|field| is_alike(field))
        });
        match same {
            Some(at) => {
                open[at] = false;
                told.push(Difference::Otherwise(found[at].line(), differences(wanted, &values[at])));
            }
            None => told.push(Difference::Missing(Value::Object(wanted.clone()).to_string())),
        }
    }
    told.extend(found.iter().zip(open).filter(|(_, open)| *open).map(|(seen, _)| Difference::Unexpected(seen.line())));
    told
}

fn fields(seen: &Seen) -> Map<String, Value> {
    match serde_json::to_value(seen) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn differences(wanted: &Map<String, Value>, found: &Map<String, Value>) -> Vec<(String, String, String)> {
    let differing = wanted.iter().filter(|(field, value)| !agree(value, found.get(*field).unwrap_or(&Value::Null)));
    let told = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    differing
        .map(|(field, value)| (field.clone(), told(value), told(found.get(field).unwrap_or(&Value::Null))))
        .collect()
}

fn agree(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Number(wanted), Value::Number(found)) => {
            let (wanted, found) = (wanted.as_f64().unwrap_or(f64::NAN), found.as_f64().unwrap_or(f64::NAN));
            (wanted - found).abs() <= 1e-9 * wanted.abs().max(found.abs())
        }
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().all(|(name, value)| found.get(name).is_some_and(|found| agree(value, found)))
        }
        (wanted, found) => wanted == found,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use serde_json::{Map, Value, json};

    use super::{Difference, bless, compare, read};
    use crate::kit::seen::Seen;

    fn seen(device: &str, score: f64) -> Seen {
        Seen {
            slice_start: Timestamp::UNIX_EPOCH,
            device_id: device.into(),
            kind: "loud".into(),
            severity: "low".into(),
            score,
            confidence: 1.0 / 3.0,
            first_seen: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
            peer_ip: None,
            peer_port: Some(443),
            protocol: None,
            flow_count: 3,
            summary: "three".into(),
            cause_key: String::new(),
            observations: BTreeMap::from([("interval".to_owned(), 0.1 + 0.2)]),
            finding_id: "id".into(),
        }
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn what_is_blessed_is_expected() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()).unwrap(), None);
        let found = [seen("a", 0.1), seen("b", f64::MIN_POSITIVE)];
        bless(directory.path(), &found).unwrap();
        assert_eq!(compare(&read(directory.path()).unwrap().unwrap(), &found), []);
    }

    #[test]
    fn differences_are_told() {
        let found = [seen("a", 0.5), seen("b", 0.5)];
        let check = |expected: Value, told: &[Difference]| {
            let expected: Vec<_> = expected.as_array().unwrap().iter().cloned().map(object).collect();
            assert_eq!(compare(&expected, &found), told);
        };
        check(json!([{ "device_id": "a", "observations": { "interval": 0.3 } }, { "device_id": "b" }]), &[]);
        let line = |at: usize| found[at].line();
        let score = ("score".to_owned(), "0.6".to_owned(), "0.5".to_owned());
        check(
            json!([{ "device_id": "a", "score": 0.6 }]),
            &[Difference::Otherwise(line(0), vec![score]), Difference::Unexpected(line(1))],
        );
        check(
            json!([{ "device_id": "c" }, { "device_id": "b" }]),
            &[Difference::Missing(r#"{"device_id":"c"}"#.to_owned()), Difference::Unexpected(line(0))],
        );
    }
}
