//! The keys of `wardflow.toml`, their defaults and their rules.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use ipnet::IpNet;
use jiff::tz::TimeZone;
use wardflow_manifest::{PeerRole, PluginId};

use super::{
    Config, GroupMembers, PluginSettings,
    document::{Document, Value},
};
use crate::{
    error::{Error, Result},
    limits::Limits,
    mapping::Mapping,
    nearest::nearest,
    zone::{AddressSpace, Hours, Infrastructure},
};

const KEYS: [&str; 12] = [
    "archive",
    "inventory",
    "plugins",
    "lake",
    "key",
    "internal",
    "timezone",
    "slice_hours",
    "approval",
    "limits",
    "infrastructure",
    "plugin",
];

const SLICE_HOURS: [u64; 8] = [1, 2, 3, 4, 6, 8, 12, 24];

const APPROVAL: [(bool, &str); 2] = [(false, "first-use"), (true, "required")];

const PLUGINS_ARE_ELSEWHERE: &str =
    "`plugins` is the directory that they are in; settings of one go into [plugin.\"vendor/name\"]";

const CIDR_RULE: &str = "an address or a CIDR such as \"10.20.0.0/16\" or \"fd00:20::/32\"";

/// Reads the text of a `wardflow.toml` that is at `path`; relative paths in it start at `root`.
pub(super) fn read(path: &Path, text: &str, root: PathBuf) -> Result<Config> {
    let document = Document { path, text };
    let entries = document.parse()?;
    let top = document.table(&entries);
    top.allow(&KEYS)?;
    let place = |key, default: &str| match top.get(key) {
        Some(value) => absolute(&root, value.text()?),
        None => absolute(&root, default),
    };
    let (archive, mapping) = match top.get("archive") {
        Some(value) => self::archive(&value, &root)?,
        None => (absolute(&root, "archive")?, None),
    };
    if archive == place("lake", "lake")? {
        let given = top.get("lake").or_else(|| top.get("archive"));
        let rule = "another place than the archive's: each would take the other's files for its own";
        return Err(given.map_or_else(|| Error::usage(rule), |value| value.error(rule)));
    }
    Ok(Config {
        archive,
        mapping,
        inventory: top.get("inventory").map(|value| Ok::<_, Error>(root.join(value.text()?))).transpose()?,
        plugins: place("plugins", "plugins").map_err(|error| error.remedy(PLUGINS_ARE_ELSEWHERE))?.into(),
        lake: place("lake", "lake")?,
        key: place("key", "pseudonym.key")?.into(),
        space: top.get("internal").map_or_else(|| Ok(AddressSpace::default()), |value| address_space(&value))?,
        timezone: top.get("timezone").map_or(Ok(TimeZone::UTC), |value| timezone(&value))?,
        infrastructure: top.get("infrastructure").map_or_else(|| Ok(Vec::new()), |value| infrastructure(&value))?,
        slice_hours: top.get("slice_hours").map_or(Ok(6), |value| slice_hours(&value))?,
        approval_required: top.get("approval").map_or(Ok(false), |value| value.one_of(&APPROVAL))?,
        limits: top.get("limits").map_or_else(|| Ok(Limits::default()), |value| limits(&value))?,
        plugin: top.get("plugin").map_or_else(|| Ok(BTreeMap::new()), |value| plugins(&value))?,
        root,
    })
}

/// The archive's place, and the mapping of its files: text, or a table of both.
fn archive(value: &Value<'_>, root: &Path) -> Result<(String, Option<Arc<Mapping>>)> {
    if !value.is_table() {
        return Ok((absolute(root, value.text()?)?, None));
    }
    let table = value.table()?;
    table.allow(&["url", "mapping"])?;
    let url = table.get("url").ok_or_else(|| {
        value
            .error("a path or URL, or a table with a `url`")
            .remedy("write archive = { url = \"...\", mapping = \"...\" }")
    })?;
    let mapping = table.get("mapping").map(|name| {
        let mapping = Mapping::find(name.text()?, root).map_err(|error| match error.remedy_text() {
            // What is wrong in the file is shown there.
            Some(remedy) if error.to_string().starts_with("there is no mapping") => {
                let rule = "the name of a mapping that comes along, or of a file with one";
                name.error(rule).remedy(remedy)
            }
            _ => error,
        });
        mapping.map(Arc::new)
    });
    Ok((absolute(root, url.text()?)?, mapping.transpose()?))
}

/// A path made absolute; a URL as it is.
fn absolute(root: &Path, place: &str) -> Result<String> {
    if place.contains("://") {
        return Ok(place.to_owned());
    }
    let path = root.join(place);
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::usage(format!("the path {} is not UTF-8", path.display())))
}

fn address_space(value: &Value<'_>) -> Result<AddressSpace> {
    let cidrs = cidrs(value)?;
    if cidrs.is_empty() {
        return Err(value.error("a list of at least one CIDR").remedy("leave the key out for the private networks"));
    }
    Ok(AddressSpace::new(cidrs))
}

fn cidrs(value: &Value<'_>) -> Result<Vec<IpNet>> {
    value.list("a list of CIDRs")?.iter().map(cidr).collect()
}

/// A network, or an address as a network of one. Bits behind the prefix are refused: whether the network or the one
/// address is meant cannot be told.
fn cidr(value: &Value<'_>) -> Result<IpNet> {
    let text = value.text().map_err(|_| value.error(CIDR_RULE))?;
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(ip.into());
    }
    let net: IpNet = text.parse().map_err(|_| value.error(CIDR_RULE))?;
    if net.trunc() == net {
        return Ok(net);
    }
    let one = IpNet::from(net.addr());
    Err(value
        .error("a network without bits behind its prefix")
        .remedy(format!("did you mean the network \"{}\" or the address \"{one}\"?", net.trunc())))
}

fn timezone(value: &Value<'_>) -> Result<TimeZone> {
    let name = value.text()?;
    TimeZone::get(name).map_err(|_| {
        let known: Vec<_> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let error = value.error("an IANA time zone such as \"Europe/Berlin\" or \"UTC\"");
        let city = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let by_city = || known.iter().find(|zone| city(zone).eq_ignore_ascii_case(name)).map(String::as_str);
        match by_city().or_else(|| nearest(name, known.iter().map(String::as_str))) {
            Some(near) => error.remedy(format!("did you mean {near:?}?")),
            None => error,
        }
    })
}

fn slice_hours(value: &Value<'_>) -> Result<u32> {
    let hours = value.positive().ok().filter(|hours| SLICE_HOURS.contains(hours));
    let hours = hours.and_then(|hours| u32::try_from(hours).ok());
    hours.ok_or_else(|| value.error("a divisor of 24: 1, 2, 3, 4, 6, 8, 12 or 24"))
}

/// Reads `[limits]` through the fields of [`Limits`], whatever they are.
fn limits(value: &Value<'_>) -> Result<Limits> {
    let table = value.table()?;
    let default = serde_json::to_value(Limits::default()).unwrap_or_default();
    let mut limits = default.as_object().cloned().unwrap_or_default();
    let known: Vec<_> = limits.keys().cloned().collect();
    table.allow(&known.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut read = Limits::default();
    for (name, value) in table.entries() {
        let number = value.positive().map_err(|error| error.remedy("a limit cannot be switched off, only raised"))?;
        limits.insert(name.to_owned(), number.into());
        read = serde_json::from_value(limits.clone().into())
            .map_err(|_| value.error(&format!("a whole number from 1 to {}", u32::MAX)))?;
    }
    Ok(read)
}

fn infrastructure(value: &Value<'_>) -> Result<Vec<Infrastructure>> {
    let rule = "a list of tables, each under [[infrastructure]]";
    let entries = value.list(rule)?.into_iter().map(|entry| {
        let table = entry.table().map_err(|_| entry.error("a table under [[infrastructure]]"))?;
        table.allow(&["role", "cidr", "cidrs", "hours"])?;
        let role = table.get("role").ok_or_else(|| {
            let names: Vec<_> = PeerRole::DECLARED.iter().map(|(_, name)| *name).collect();
            entry.error("a table with a `role`").remedy(format!("a role is one of {}", names.join(", ")))
        })?;
        let role = role.one_of(&PeerRole::DECLARED)?;
        let mut networks = table.get("cidrs").map_or_else(|| Ok(Vec::new()), |value| cidrs(&value))?;
        if let Some(value) = table.get("cidr") {
            networks.push(cidr(&value)?);
        }
        if networks.is_empty() {
            return Err(entry.error("a table with a `cidr` or a list of `cidrs`"));
        }
        let hours = table.get("hours").map(|value| hours(&value)).transpose()?;
        Ok(networks.into_iter().map(move |cidr| Infrastructure { role, cidr, hours }).collect::<Vec<_>>())
    });
    Ok(entries.collect::<Result<Vec<_>>>()?.concat())
}

fn hours(value: &Value<'_>) -> Result<Hours> {
    let rule = "hours of the day such as \"22:00-05:00\"";
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        if !two_digits(hour) || !two_digits(minute) {
            return None;
        }
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
    };
    let text = value.text().map_err(|_| value.error(rule))?;
    let ends = text.split_once('-').and_then(|(start, end)| Some((minute(start)?, minute(end)?)));
    let (start, end) = ends.ok_or_else(|| value.error(rule))?;
    if start == end || start == 24 * 60 {
        return Err(value.error("hours with a different end").remedy("leave `hours` out for the whole day"));
    }
    Ok(Hours { start, end })
}

fn plugins(value: &Value<'_>) -> Result<BTreeMap<String, PluginSettings>> {
    let table = value.table()?;
    let settings = table.entries().map(|(id, value)| {
        id.parse::<PluginId>().map_err(|error| {
            table
                .key_error(id, "plugin id")
                .remedy("write [plugin.\"vendor/name\"], with the quotes; `wardflow plugin list` prints the ids")
                .because(error)
        })?;
        Ok((id.to_owned(), plugin(&value)?))
    });
    settings.collect()
}

fn plugin(value: &Value<'_>) -> Result<PluginSettings> {
    let table = value.table()?;
    table.allow(&["disabled", "parameters", "peer_groups"])?;
    let parameters = match table.get("parameters") {
        Some(value) => {
            let entries = value.table()?;
            let pairs = entries.entries().map(|(name, value)| Ok((name.to_owned(), value.json()?)));
            pairs.collect::<Result<_>>()?
        }
        None => serde_json::Map::new(),
    };
    let peer_groups = match table.get("peer_groups") {
        Some(value) => {
            let entries = value.table()?;
            let groups = entries.entries().map(|(name, value)| Ok((name.to_owned(), members(&value)?)));
            groups.collect::<Result<_>>()?
        }
        None => BTreeMap::new(),
    };
    let disabled = table.get("disabled").map_or(Ok(false), |value| value.flag())?;
    Ok(PluginSettings { disabled, parameters, peer_groups })
}

/// Members of a peer group: a table of `cidrs` and `names`, or one list of both.
fn members(value: &Value<'_>) -> Result<GroupMembers> {
    let mut members = GroupMembers::default();
    if value.is_table() {
        let table = value.table()?;
        table.allow(&["cidrs", "names"])?;
        if let Some(value) = table.get("cidrs") {
            members.cidrs = cidrs(&value)?;
        }
        if let Some(value) = table.get("names") {
            members.names = value.list("a list of names")?.iter().map(host_name).collect::<Result<_>>()?;
        }
    } else {
        for item in value.list("a list of CIDRs and names, or a table of `cidrs` and `names`")? {
            let looks_like_address =
                |text: &str| text.contains(['/', ':']) || text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            if item.text().is_ok_and(looks_like_address) {
                members.cidrs.push(cidr(&item)?);
            } else {
                members.names.push(host_name(&item)?);
            }
        }
    }
    if members == GroupMembers::default() {
        return Err(value.error("at least one CIDR or name").remedy("leave the group out if it has no members here"));
    }
    Ok(members)
}

fn host_name(value: &Value<'_>) -> Result<String> {
    let name = value.text().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let plain = name.strip_prefix("*.").unwrap_or(&name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() <= 253 && plain.split('.').all(is_label) {
        Ok(name)
    } else {
        Err(value.error("a DNS name such as \"pumps.example.org\" or \"*.example.org\""))
    }
}
