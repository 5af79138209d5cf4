//! `wardflow plugin`: what plugins are, see, expect and report. None of their code runs.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde::Serialize;
use wardflow::{
    config::{self, Config},
    error::{Context, Error, Result},
    limits::Limits,
    nearest::nearest,
    sandbox::{Inspection, Pin, Pins, inspect},
};
use wardflow_manifest::{ExpectedFlow, FindingKind, Initiator, Manifest, Transport};

use super::{Outcome, workspace};
use crate::{
    args::Plugin,
    print::{Look, Printer, count},
};

/// A plugin of the workspace.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    /// Absent if the file could not be read.
    pub(super) id: Option<String>,
    pub(super) version: Option<String>,
    pub(super) publisher: Option<String>,
    /// Named only if it was refused.
    pub(super) file: Option<PathBuf>,
    pub(super) status: PinStatus,
    /// Why it will not run, if it will not.
    pub(super) reason: Option<String>,
}

/// Whether a plugin will run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PinStatus {
    /// Its bytes are those in plugins.lock.
    Pinned,
    /// It is not in plugins.lock yet.
    New,
    /// Its bytes are others than those in plugins.lock.
    Changed,
    /// It is disabled in wardflow.toml.
    Disabled,
    /// It is no plugin, or none that can run here.
    Refused,
}

/// What a component says of itself.
#[derive(Debug, Serialize)]
pub(super) struct Inspected {
    pub(super) file: PathBuf,
    /// BLAKE3 of its bytes, in hex.
    pub(super) digest: String,
    pub(super) bytes: u64,
    pub(super) manifest: Manifest,
}

/// What was pinned.
#[derive(Debug, Serialize)]
pub(super) struct Approved {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) digest: String,
    /// The digest that was pinned before, if it was another.
    pub(super) before: Option<String>,
}

/// Lists, inspects or approves.
///
/// # Errors
/// There is no workspace, the file is no plugin, or the id is unknown.
pub(super) fn run(dir: &Path, command: Plugin, printer: &Printer) -> Result<Outcome> {
    match command {
        Plugin::List => show_list(&Config::read(dir)?, printer),
        Plugin::Inspect { file } => {
            let inspected = read(dir, &file)?;
            if printer.json { printer.object(&inspected) } else { show(&inspected, printer) }?;
            Ok(Outcome::Done)
        }
        Plugin::Approve { id } => {
            let approved = approve(&Config::read(dir)?, &id)?;
            if printer.json {
                printer.object(&approved)?;
            } else {
                let Approved { id, version, digest, before } = approved;
                printer.line(Look::Good, &format!("{id} {version} is pinned: {digest}"))?;
                if let Some(before) = before {
                    printer.line(Look::Plain, &format!("before, it was {before}"))?;
                }
            }
            Ok(Outcome::Done)
        }
    }
}

/// The plugins of a workspace.
///
/// # Errors
/// The directory or plugins.lock cannot be read.
pub(super) fn list(config: &Config) -> Result<Vec<Listed>> {
    let (plugins, refused) = workspace::sandbox(config)?.load_dir(&config.plugins)?;
    let pins = Pins::read(&workspace::pins(config))?;
    let loaded = plugins.iter().map(|plugin| {
        let is_disabled = config.plugin.get(plugin.id().as_str()).is_some_and(|settings| settings.disabled);
        let unapproved = || config.approval_required.then(|| "it waits for `wardflow plugin approve`".to_owned());
        let (status, reason) = match pins.check(plugin) {
            _ if is_disabled => (PinStatus::Disabled, None),
            Pin::Pinned { approved: true } => (PinStatus::Pinned, None),
            Pin::Pinned { approved: false } => (PinStatus::Pinned, unapproved()),
            Pin::New => (PinStatus::New, unapproved()),
            Pin::Changed { was } => (PinStatus::Changed, Some(format!("plugins.lock has {was} for this version"))),
        };
        Listed {
            id: Some(plugin.id().to_string()),
            version: Some(plugin.version()),
            publisher: Some(plugin.inspection().manifest.publisher.clone()),
            file: None,
            status,
            reason,
        }
    });
    let refused = refused.iter().map(|refused| Listed {
        id: None,
        version: None,
        publisher: None,
        file: Some(refused.file.clone()),
        status: PinStatus::Refused,
        reason: Some(refused.reason.to_string()),
    });
    Ok(loaded.chain(refused).collect())
}

/// Reads what a component says of itself. It need not be in a workspace; the limits are those of one if it is.
fn read(dir: &Path, file: &Path) -> Result<Inspected> {
    let limits = if dir.join(config::FILE).exists() { Config::read(dir)?.limits } else { Limits::default() };
    let doing = || format!("cannot inspect {}", file.display());
    let mut bytes = Vec::new();
    let most = (u64::from(limits.component_mib) << 20) + 1;
    File::open(file).and_then(|open| open.take(most).read_to_end(&mut bytes)).context(doing)?;
    let Inspection { manifest, digest, size, .. } = inspect(&bytes, &limits).context(doing)?;
    Ok(Inspected { file: file.to_owned(), digest, bytes: size as u64, manifest })
}

fn approve(config: &Config, id: &str) -> Result<Approved> {
    let (plugins, _) = workspace::sandbox(config)?.load_dir(&config.plugins)?;
    let Some(plugin) = plugins.iter().find(|plugin| plugin.id().as_str() == id) else {
        let near = nearest(id, plugins.iter().map(|plugin| plugin.id().as_str()));
        let remedy = near.map(|near| format!("did you mean {near}?"));
        return Err(Error::usage(format!("there is no plugin {id:?} in {}", config.plugins.display()))
            .remedy(remedy.unwrap_or_else(|| "`wardflow plugin list` lists them".to_owned())));
    };
    let file = workspace::pins(config);
    let mut pins = Pins::read(&file)?;
    let before = match pins.check(plugin) {
        Pin::Changed { was } => Some(was),
        Pin::New | Pin::Pinned { .. } => None,
    };
    pins.approve(plugin);
    pins.write(&file)?;
    let digest = plugin.inspection().digest.clone();
    Ok(Approved { id: id.to_owned(), version: plugin.version(), digest, before })
}

fn show_list(config: &Config, printer: &Printer) -> Result<Outcome> {
    let plugins = list(config)?;
    let is_failing = |plugin: &Listed| matches!(plugin.status, PinStatus::Changed | PinStatus::Refused);
    let outcome = if plugins.iter().any(is_failing) { Outcome::Incomplete } else { Outcome::Done };
    if printer.json {
        printer.object(&plugins)?;
        return Ok(outcome);
    }
    let row = |plugin: &Listed| {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        vec![plugin.name(), or_dash(&plugin.version), plugin.status.name().to_owned(), or_dash(&plugin.publisher)]
    };
    let rows: Vec<_> = plugins.iter().map(row).collect();
    printer.grid(&["plugin", "version", "status", "publisher"], &rows)?;
    for plugin in &plugins {
        if let Some(reason) = &plugin.reason {
            let look = if is_failing(plugin) { Look::Bad } else { Look::Plain };
            printer.line(look, &format!("{}: {reason}", plugin.name()))?;
        }
    }
    if plugins.is_empty() {
        printer.note(&format!("no plugins in {}: put .wasm files there", config.plugins.display()));
    }
    Ok(outcome)
}

impl Listed {
    /// The id, or the file of what has none.
    fn name(&self) -> String {
        let file = || self.file.as_deref().map_or_else(String::new, |file| file.display().to_string());
        self.id.clone().unwrap_or_else(file)
    }
}

impl PinStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::New => "new",
            Self::Changed => "changed",
            Self::Disabled => "disabled",
            Self::Refused => "refused",
        }
    }
}

/// The plugin's data sheet.
fn show(inspected: &Inspected, printer: &Printer) -> Result<()> {
    let Inspected { file, digest, bytes, manifest } = inspected;
    let plain = |text: String| printer.line(Look::Plain, &text);
    printer.line(Look::Heading, &format!("{} {}", manifest.id, manifest.version))?;
    plain(format!("{}\n", manifest.intended_use))?;
    plain(format!("publisher         {}", manifest.publisher))?;
    if !manifest.security_contact.is_empty() {
        plain(format!("security contact  {}", manifest.security_contact))?;
    }
    if let Some(end) = manifest.support_end {
        plain(format!("supported until   {end}"))?;
    }
    plain(format!("contract          {}", manifest.contract))?;
    plain(format!("file              {} ({} bytes)", file.display(), count(*bytes)))?;
    plain(format!("BLAKE3            {digest}"))?;
    plain(format!("memory            {} MiB an instance", manifest.memory_mib))?;
    plain(format!("learns            at least {} h of traffic", manifest.least_learning_hours))?;

    printer.line(Look::Heading, "\nWatches")?;
    plain(format!("  {}", scope(manifest)))?;
    printer.line(Look::Heading, "Sees of each flow")?;
    plain(format!("  {}", names(&manifest.columns)))?;
    if !manifest.requires.is_empty() {
        plain(format!("  and needs records with: {}", names(&manifest.requires)))?;
    }
    if !manifest.peer_groups.is_empty() {
        printer.line(Look::Heading, "Tells these peers apart")?;
        for group in &manifest.peer_groups {
            let members: Vec<_> = group.cidrs.iter().chain(&group.names).map(String::as_str).collect();
            let members = if members.is_empty() { String::new() } else { format!(" ({})", members.join(", ")) };
            plain(format!("  {}{members}  {}", group.name, group.title))?;
        }
    }
    if !manifest.expected_flows.is_empty() {
        printer.line(Look::Heading, "Expects")?;
        manifest.expected_flows.iter().try_for_each(|flow| plain(format!("  {}", expectation(flow))))?;
    }
    printer.line(Look::Heading, "Reports")?;
    manifest.findings.iter().try_for_each(|kind| plain(finding(kind)))?;
    if let Some(parameters) =
        manifest.parameters.get("properties").filter(|p| p.as_object().is_some_and(|p| !p.is_empty()))
    {
        printer.line(Look::Heading, "Parameters")?;
        for (name, schema) in parameters.as_object().into_iter().flatten() {
            let default = schema.get("default").map(|default| format!(" = {default}")).unwrap_or_default();
            let text = schema.get("description").and_then(|text| text.as_str()).unwrap_or_default();
            plain(format!("  {name}{default}  {text}"))?;
        }
    }
    Ok(())
}

fn scope(manifest: &Manifest) -> String {
    let scope = &manifest.scope;
    let firmware: Vec<String> = scope.firmware.iter().map(|range| name(range).unwrap_or_default()).collect();
    let lists = [
        ("class", &scope.device_classes),
        ("manufacturer", &scope.manufacturers),
        ("model", &scope.models),
        ("UDI-DI", &scope.udi_di),
        ("firmware", &firmware),
    ];
    let parts: Vec<_> = lists
        .iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(what, list)| format!("{what} {}", list.join(" or ")))
        .collect();
    if parts.is_empty() { "every device".to_owned() } else { format!("devices of {}", parts.join(", ")) }
}

fn expectation(flow: &ExpectedFlow) -> String {
    let ExpectedFlow { group, protocol, port, bytes_a_day, purpose, .. } = flow;
    let protocol = match protocol {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    let who = match flow.initiator {
        Initiator::Device => format!("the device to {group}"),
        Initiator::Peer => format!("{group} to the device"),
    };
    let most = bytes_a_day.map(|bytes| format!(", at most {} bytes a day", count(bytes))).unwrap_or_default();
    let purpose = if purpose.is_empty() { String::new() } else { format!(": {purpose}") };
    format!("{who}, {port}/{protocol}{most}{purpose}")
}

fn finding(kind: &FindingKind) -> String {
    let FindingKind { kind, title, severity, shows, possible_causes, technique, first_action, not_while_connected } =
        kind;
    let technique = technique.as_ref().map(|technique| format!(", ATT&CK {technique}")).unwrap_or_default();
    let mut lines = vec![format!("  {kind} ({}{technique}): {title}", severity.name()), format!("    {shows}")];
    lines.extend(possible_causes.iter().map(|cause| format!("    possible cause: {cause}")));
    lines.push(format!("    first action: {first_action}"));
    if !not_while_connected.is_empty() {
        lines.push(format!("    while a patient is connected: {not_while_connected}"));
    }
    lines.join("\n")
}

/// The names of the contract's words, as they are written in a manifest.
fn names<T: Serialize>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().filter_map(name).collect::<Vec<_>>().join(", ")
}

fn name<T: Serialize>(word: T) -> Option<String> {
    serde_json::to_value(word).ok()?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use wardflow_manifest::Manifest;

    use super::{expectation, finding, names, scope};

    const MANIFEST: &str = r#"
id = "acme/pump"
version = "1.0.0"
contract = "0.1.0"
publisher = "Acme"
intended_use = "A test."
columns = ["end-time", "peer"]
scope = { device_classes = ["infusion-pump"], manufacturers = ["Acme", "Apex"] }

[[peer_groups]]
name = "gateway"

[[expected_flows]]
group = "gateway"
initiator = "device"
protocol = "tcp"
port = 443
bytes_a_day = 5000000
purpose = "status"

[[findings]]
kind = "loud"
title = "Device talks more than usual"
severity = "low"
technique = "T1071"
shows = "More flows a minute than ever before."
possible_causes = ["Maintenance"]
first_action = "Ask."
"#;

    #[test]
    fn tells_what_a_plugin_is() {
        let manifest = Manifest::from_toml(MANIFEST).unwrap();
        assert_eq!(scope(&manifest), "devices of class infusion-pump, manufacturer Acme or Apex");
        assert_eq!(names(&manifest.columns), "end-time, peer");
        assert_eq!(
            expectation(&manifest.expected_flows[0]),
            "the device to gateway, 443/tcp, at most 5,000,000 bytes a day: status"
        );
        assert_eq!(
            finding(&manifest.findings[0]),
            "  loud (low, ATT&CK T1071): Device talks more than usual\n    More flows a minute than ever before.\n    \
             possible cause: Maintenance\n    first action: Ask."
        );
    }
}
