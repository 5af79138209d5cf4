//! What another version says of itself otherwise: what a hospital grants it and is told by it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use wardflow_manifest::Manifest;

/// Keys by which the entries of a manifest's lists are told apart.
const NAMES: [&str; 6] = ["name", "kind", "group", "initiator", "protocol", "port"];

/// A difference between two manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Term {
    /// Where in the manifest, such as `columns` or `findings loud severity`.
    pub place: String,
    /// What the old one says; absent if it says nothing.
    pub old: Option<String>,
    /// What the new one says.
    pub new: Option<String>,
}

/// Where two manifests differ, in order of place; version and id aside.
pub fn changes(old: &Manifest, new: &Manifest) -> Vec<Term> {
    let (old, new) = (said(old), said(new));
    let mut terms = Vec::new();
    for place in old.keys().chain(new.keys().filter(|place| !old.contains_key(*place))) {
        let (was, is) = (old.get(place), new.get(place));
        if was != is {
            // Of a list, the place holds what is said.
            let (place, value) = place.split_once('\0').map_or((place.as_str(), None), |(place, it)| (place, Some(it)));
            let text = |text: Option<&String>| text.map(|text| value.map_or_else(|| text.clone(), str::to_owned));
            terms.push(Term { place: place.to_owned(), old: text(was), new: text(is) });
        }
    }
    terms.sort_by(|a, b| a.place.cmp(&b.place));
    terms
}

fn said(manifest: &Manifest) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    let value = serde_json::to_value(manifest).unwrap_or_default();
    for (key, value) in value.as_object().into_iter().flatten() {
        if !["id", "version"].contains(&key.as_str()) {
            gather(key, value, &mut said);
        }
    }
    said
}

fn gather(place: &str, value: &Value, said: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| gather(&format!("{place} {key}"), value, said))
        }
        Value::Array(items) => items.iter().for_each(|item| match item {
            Value::Object(entries) => {
                let names = NAMES.iter().filter_map(|name| entries.get(*name)).map(text).collect::<Vec<_>>();
                let place = format!("{place} {}", names.join(" "));
                // An entry without anything else is there all the same.
                said.insert(place.clone(), "there".to_owned());
                let rest = entries.iter().filter(|(key, _)| !NAMES.contains(&key.as_str()));
                rest.for_each(|(key, value)| gather(&format!("{place} {key}"), value, said));
            }
            item => _ = said.insert(format!("{place}\0{}", text(item)), String::new()),
        }),
        value => _ = said.insert(place.to_owned(), text(value)),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use wardflow_manifest::Manifest;

    use super::{Term, changes};

    const MANIFEST: &str = r#"
id = "acme/pump"
version = "1.0.0"
contract = "0.1.0"
publisher = "Acme"
intended_use = "A test."
columns = ["peer", "end-time"]
[[peer_groups]]
name = "cloud"
cidrs = ["198.51.100.0/24"]
[[expected_flows]]
group = "cloud"
initiator = "device"
protocol = "tcp"
port = 443
[[findings]]
kind = "loud"
title = "Loud"
severity = "low"
shows = "Flows."
first_action = "Ask."
"#;

    #[test]
    fn says_what_is_asked_for_and_told_otherwise() {
        let manifest = |text: &str| Manifest::from_toml(text).unwrap();
        let old = manifest(MANIFEST);
        assert_eq!(changes(&old, &manifest(&MANIFEST.replace("1.0.0", "2.0.0"))), []);
        let new = MANIFEST
            .replace("\"end-time\"]", "\"bytes-sent\"]\nmemory_mib = 32")
            .replace("198.51.100.0/24", "203.0.113.0/24")
            .replace("port = 443", "port = 8443")
            .replace("\"low\"", "\"high\"");
        let term = |place: &str, old: Option<&str>, new: Option<&str>| Term {
            place: place.to_owned(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        };
        assert_eq!(
            changes(&old, &manifest(&new)),
            [
                term("columns", Some("end-time"), None),
                term("columns", None, Some("bytes-sent")),
                term("expected_flows cloud device tcp 443", Some("there"), None),
                term("expected_flows cloud device tcp 8443", None, Some("there")),
                term("findings loud severity", Some("low"), Some("high")),
                term("memory_mib", Some("16"), Some("32")),
                term("peer_groups cloud cidrs", Some("198.51.100.0/24"), None),
                term("peer_groups cloud cidrs", None, Some("203.0.113.0/24")),
            ]
        );
    }
}
