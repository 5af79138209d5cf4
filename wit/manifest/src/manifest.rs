use std::{collections::BTreeSet, net::IpAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CONTRACT_VERSIONS, Column, FirmwareRange, ManifestError, PluginId, id::is_label, is_unprintable};

/// What a plugin is, watches, sees and reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's only name; a host refuses two plugins with one id.
    pub id: PluginId,
    /// Version of the plugin.
    pub version: semver::Version,
    /// Version of the contract that the plugin was built against.
    pub contract: semver::Version,
    /// Who answers for the model.
    pub publisher: String,
    /// Where to report a weakness of the plugin: a mail address or a URL.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub security_contact: String,
    /// What the model is for, and what it is not for.
    pub intended_use: String,
    /// Last day on which the publisher supports this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_end: Option<jiff::civil::Date>,
    /// Which devices get a session. Absent: every device.
    #[serde(default)]
    pub scope: Scope,
    /// The columns that the guest may pull. It is given no other.
    pub columns: BTreeSet<Column>,
    /// What records must carry for the model to be meaningful; otherwise the plugin is `unsuited`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub requires: BTreeSet<Requirement>,
    /// Groups of peers that the model tells apart, matched by the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peer_groups: Vec<PeerGroup>,
    /// What the model may report.
    pub findings: Vec<FindingKind>,
    /// Declared behaviour of the device, which learning never widens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected_flows: Vec<ExpectedFlow>,
    /// JSON Schema of an object: the parameters that the hospital may set, with their defaults.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
    /// Time of a device's traffic that the model learns from before it judges, in hours: what it says to the hospital. The host
    /// does not hold it to that.
    #[serde(default)]
    pub least_learning_hours: u32,
    /// Version of the saved state. State of another version is not handed over.
    #[serde(default = "one")]
    pub state_version: u32,
    /// Linear memory that an instance needs for the devices of one shard, in MiB.
    #[serde(default = "default_memory_mib")]
    pub memory_mib: u32,
}

/// Which devices a plugin watches: those that match every list that is not empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Device classes, such as `infusion-pump`, compared without regard to case.
    pub device_classes: Vec<String>,
    /// Manufacturers, compared without regard to case.
    pub manufacturers: Vec<String>,
    /// Models, compared without regard to case.
    pub models: Vec<String>,
    /// UDI device identifiers (GS1 GTIN, HIBCC or ICCBBA, as in the inventory), compared without regard to case.
    pub udi_di: Vec<String>,
    /// Firmware ranges, of which one must contain the device's firmware.
    pub firmware: Vec<FirmwareRange>,
}

/// What records must carry for a model to mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requirement {
    /// Flows were observed in both directions.
    BothSides,
    /// Every packet was counted, none sampled.
    Unsampled,
    /// The device's address is its own, not that of a NAT or a proxy.
    OwnAddress,
}

/// A group of peers. A peer belongs to it if its address is in a CIDR or its name matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerGroup {
    /// The name by which the hospital maps it and `expected_flows` refer to it.
    pub name: String,
    /// What belongs into it, for the hospital that maps it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// CIDRs that hold in every hospital, such as a vendor's cloud.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<String>,
    /// DNS or SNI names; `*.` in front matches any subdomain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// A kind of finding, with the texts that a person needs to act on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingKind {
    /// The id in the plugin.
    pub kind: String,
    /// What the flows show, in a few words.
    pub title: String,
    /// Severity unless the finding says otherwise.
    pub severity: Severity,
    /// What the flows show, in a sentence or two.
    pub shows: String,
    /// What may have caused it, benign causes too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub possible_causes: Vec<String>,
    /// ATT&CK technique (Enterprise or ICS), such as `T1071` or `T0885`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub technique: Option<String>,
    /// What to do first.
    pub first_action: String,
    /// What not to do while a patient is connected.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub not_while_connected: String,
}

/// OCSF `severity_id` 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "OCSF's own words")]
pub enum Severity {
    Informational = 1,
    Low = 2,
    Medium = 3,
    High = 4,
    Critical = 5,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// OCSF's word in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// One flow that the maker declares as normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFlow {
    /// A declared peer group.
    pub group: String,
    /// Who opens the connection.
    pub initiator: Initiator,
    /// Transport protocol.
    pub protocol: Transport,
    /// Port of the end that did not initiate.
    pub port: u16,
    /// Most payload bytes a day, both directions together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_a_day: Option<u64>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
}

/// Who opens a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Initiator {
    Device,
    Peer,
}

/// Transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Transport {
    Tcp,
    Udp,
}

impl Manifest {
    /// Reads and checks an author's `plugin.toml`.
    ///
    /// # Errors
    /// The text is not TOML, has an unknown or missing key, or a field breaks its rule.
    pub fn from_toml(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text).map_err(|error| ManifestError::shape(&error.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Reads and checks the JSON of a component's section.
    ///
    /// # Errors
    /// As [`Manifest::from_toml`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| ManifestError::shape(&error.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The JSON of the component's section; the same manifest gives the same bytes.
    ///
    /// # Errors
    /// None for a manifest that was read by this crate.
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        serde_json::to_vec(self).map_err(|error| ManifestError::Shape(error.to_string()))
    }

    /// The declared kind of that id.
    pub fn kind(&self, kind: &str) -> Option<&FindingKind> {
        self.findings.iter().find(|declared| declared.kind == kind)
    }

    /// The position, from 1, of a peer group; the code in column `peer-group`.
    pub fn group_code(&self, name: &str) -> Option<u16> {
        let position = self.peer_groups.iter().position(|group| group.name == name)?;
        u16::try_from(position + 1).ok()
    }

    fn check(&self) -> Result<(), ManifestError> {
        self.check_texts()?;
        self.check_groups()?;
        self.check_kinds()?;
        let contract = self.contract.to_string();
        if !CONTRACT_VERSIONS.contains(&contract.as_str()) {
            let spoken = CONTRACT_VERSIONS.join(", ");
            return Err(ManifestError::rule("contract", contract, format!("a version that is spoken here: {spoken}")));
        }
        if self.columns.is_empty() {
            return Err(ManifestError::rule("columns", "empty", "at least one column of the contract"));
        }
        let is_object_schema = self.parameters.get("type").and_then(Value::as_str) == Some("object");
        if !is_object_schema {
            return Err(ManifestError::rule(
                "parameters",
                self.parameters.to_string(),
                "a JSON Schema with type = \"object\"",
            ));
        }
        if let Some(keyword) = unknown_keyword(&self.parameters) {
            return Err(ManifestError::rule(
                "parameters",
                format!("a schema with `{keyword}`"),
                format!("a JSON Schema of these keywords: {}", KEYWORDS.join(", ")),
            ));
        }
        if self.state_version == 0 || self.memory_mib == 0 {
            return Err(ManifestError::rule("state_version or memory_mib", "0", "at least 1"));
        }
        Ok(())
    }

    fn check_texts(&self) -> Result<(), ManifestError> {
        let mut texts = vec![
            ("publisher".to_owned(), &self.publisher, 1, 128),
            ("intended_use".to_owned(), &self.intended_use, 1, 2_000),
            ("security_contact".to_owned(), &self.security_contact, 0, 256),
        ];
        for (i, finding) in self.findings.iter().enumerate() {
            texts.push((format!("findings[{i}].title"), &finding.title, 1, 120));
            texts.push((format!("findings[{i}].shows"), &finding.shows, 1, 1_000));
            texts.push((format!("findings[{i}].first_action"), &finding.first_action, 1, 1_000));
            texts.push((format!("findings[{i}].not_while_connected"), &finding.not_while_connected, 0, 1_000));
            for (k, cause) in finding.possible_causes.iter().enumerate() {
                texts.push((format!("findings[{i}].possible_causes[{k}]"), cause, 1, 500));
            }
        }
        for (field, text, least, most) in texts {
            if text.len() < least || text.len() > most {
                return Err(ManifestError::rule(
                    field,
                    format!("{} bytes long", text.len()),
                    format!("{least} to {most} bytes"),
                ));
            }
            if let Some(bad) = text.chars().find(|c| is_unprintable(*c)) {
                return Err(ManifestError::rule(
                    field,
                    format!("text with {bad:?}"),
                    "without control or direction characters",
                ));
            }
        }
        Ok(())
    }

    fn check_groups(&self) -> Result<(), ManifestError> {
        let names: Vec<_> = self.peer_groups.iter().map(|group| group.name.as_str()).collect();
        check_labels("peer_groups", "name", &names)?;
        for (i, group) in self.peer_groups.iter().enumerate() {
            if let Some(cidr) = group.cidrs.iter().find(|cidr| !is_cidr(cidr)) {
                let field = format!("peer_groups[{i}].cidrs");
                return Err(ManifestError::rule(
                    field,
                    format!("{cidr:?}"),
                    "an address or a CIDR such as 198.51.100.0/24",
                ));
            }
        }
        for (i, flow) in self.expected_flows.iter().enumerate() {
            if !names.contains(&flow.group.as_str()) {
                let rule = format!("the name of a declared peer group: {}", names.join(", "));
                return Err(ManifestError::rule(
                    format!("expected_flows[{i}].group"),
                    format!("{:?}", flow.group),
                    rule,
                ));
            }
        }
        Ok(())
    }

    fn check_kinds(&self) -> Result<(), ManifestError> {
        if self.findings.is_empty() {
            return Err(ManifestError::rule("findings", "empty", "at least one kind of finding"));
        }
        let kinds: Vec<_> = self.findings.iter().map(|finding| finding.kind.as_str()).collect();
        check_labels("findings", "kind", &kinds)?;
        for (i, finding) in self.findings.iter().enumerate() {
            if finding.technique.as_deref().is_some_and(|technique| !is_technique(technique)) {
                let value = format!("{:?}", finding.technique.as_deref().unwrap_or_default());
                return Err(ManifestError::rule(
                    format!("findings[{i}].technique"),
                    value,
                    "an ATT&CK technique such as T1071 or T1071.004",
                ));
            }
        }
        Ok(())
    }
}

impl Scope {
    /// Whether a device of these facts gets a session. Facts that the inventory does not have are empty.
    pub fn contains(&self, class: &str, manufacturer: &str, model: &str, udi_di: &str, firmware: &str) -> bool {
        let holds =
            |list: &[String], value: &str| list.is_empty() || list.iter().any(|item| item.eq_ignore_ascii_case(value));
        holds(&self.device_classes, class)
            && holds(&self.manufacturers, manufacturer)
            && holds(&self.models, model)
            && holds(&self.udi_di, udi_di)
            && (self.firmware.is_empty() || self.firmware.iter().any(|range| range.contains(firmware)))
    }
}

/// Labels in a list: well-formed and each only once.
fn check_labels(list: &str, key: &str, names: &[&str]) -> Result<(), ManifestError> {
    for (i, name) in names.iter().enumerate() {
        let field = || format!("{list}[{i}].{key}");
        if !is_label(name) {
            return Err(ManifestError::rule(
                field(),
                format!("{name:?}"),
                "1 to 64 of a-z, 0-9 and '-', beginning with a letter",
            ));
        }
        if names[..i].contains(name) {
            return Err(ManifestError::rule(field(), format!("{name:?} again"), "named only once"));
        }
    }
    Ok(())
}

/// `T` and four digits, and perhaps a dot and three more.
fn is_technique(text: &str) -> bool {
    let digits = |part: &str, count| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix('T').is_some_and(|rest| match rest.split_once('.') {
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
        None => digits(rest, 4),
    })
}

/// An address, alone or with the length of a prefix.
fn is_cidr(text: &str) -> bool {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let is_length = |most: u8| prefix.is_none_or(|prefix| prefix.parse::<u8>().is_ok_and(|length| length <= most));
    address.parse::<IpAddr>().is_ok_and(|address| is_length(if address.is_ipv4() { 32 } else { 128 }))
}

/// Keywords that a schema of parameters may have: those that say what a value is, each checked in time that its size bounds.
/// References, combinations and patterns are not among them: a few lines of those keep a validator busy for ever.
const KEYWORDS: [&str; 20] = [
    "additionalProperties",
    "const",
    "default",
    "description",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "multipleOf",
    "properties",
    "required",
    "title",
    "type",
];

/// A keyword of a schema, or of one in it, that is not among [`KEYWORDS`].
fn unknown_keyword(schema: &Value) -> Option<&str> {
    let schema = schema.as_object()?;
    let here = schema.keys().map(String::as_str).find(|keyword| !KEYWORDS.contains(keyword));
    let below = schema.iter().find_map(|(keyword, value)| match keyword.as_str() {
        "properties" => value.as_object()?.values().find_map(unknown_keyword),
        "items" | "additionalProperties" => unknown_keyword(value),
        _ => None,
    });
    here.or(below)
}

fn no_parameters() -> Value {
    serde_json::json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

const fn one() -> u32 {
    1
}

const fn default_memory_mib() -> u32 {
    16
}

#[cfg(test)]
mod tests {
    use super::Manifest;

    const GOOD: &str = r#"
id = "example/quiet"
version = "1.0.0"
contract = "0.1.0"
publisher = "Example"
intended_use = "A test."
columns = ["end-time", "peer"]

[[findings]]
kind = "loud"
title = "Device talks more than usual"
severity = "low"
shows = "More flows a minute than ever before."
first_action = "Ask."
"#;

    fn check(from: &str, to: &str, expected: &str) {
        assert!(GOOD.contains(from), "{from}");
        let error = Manifest::from_toml(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\nlacks {expected:?}");
    }

    #[test]
    fn survives_the_way_through_json() {
        let manifest = Manifest::from_toml(GOOD).unwrap();
        assert_eq!(Manifest::from_json(&manifest.to_json().unwrap()).unwrap(), manifest);
    }

    #[test]
    fn says_the_rule_the_value_and_the_remedy() {
        check("publisher", "publishr", "did you mean `publisher`?");
        check("\"peer\"", "\"pear\"", "did you mean `peer`?");
        check("example/quiet", "../quiet", "vendor/name");
        check("example/quiet", "exаmple/quiet", "a-z, 0-9 and '-'");
        check("contract = \"0.1.0\"", "contract = \"9.0.0\"", "spoken here: 0.1.0");
        check("severity = \"low\"", "severity = \"lov\"", "did you mean `low`?");
        check("Device talks", "Device\u{202e} talks", "direction characters");
        check("kind = \"loud\"", "kind = \"Loud\"", "`findings[0].kind` is \"Loud\"");
        check("severity = \"low\"", "severity = \"low\"\ntechnique = \"1071\"", "T1071.004");
        check("columns = [\"end-time\", \"peer\"]", "columns = []", "at least one column");
        check("first_action = \"Ask.\"", "", "missing field `first_action`");
        check(
            "[[findings]]",
            "[[peer_groups]]\nname = \"x\"\ncidrs = [\"1.2.3.4/33\"]\n[[findings]]",
            "is \"1.2.3.4/33\"",
        );
        check(
            "[[findings]]",
            "[[expected_flows]]\ngroup = \"x\"\ninitiator = \"device\"\nprotocol = \"tcp\"\nport = 1\n[[findings]]",
            "declared peer group",
        );
    }
}
