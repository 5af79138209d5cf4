//! `wardflow plugin`: what plugins are, see, expect and report; and the vendor kit, a file for each of its commands.
//!
//! No code of a plugin runs in `list`, `inspect`, `approve`, `new` and `pack`.

mod bench;
mod capture;
mod check;
mod diff;
mod load;
mod new;
mod pack;
mod run;
mod test;

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use wardflow::{config::Config, error::Result, workspace::Workspace};
use wardflow_manifest::{ExpectedFlow, FindingKind, Initiator, Manifest, Transport};

use super::{Outcome, connect, interrupt::unless_interrupted};
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
    #[serde(serialize_with = "as_text")]
    pub(super) file: PathBuf,
    /// `pinned`, `new`, `changed`, `disabled` or `refused`.
    pub(super) status: &'static str,
    /// Why it will not run, if it will not.
    pub(super) reason: Option<String>,
}

/// A path in a report. A stranger may have given a file a name that is not UTF-8.
fn as_text<S: Serializer>(path: &Path, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// What a component says of itself.
#[derive(Debug, Serialize)]
pub(super) struct Inspected {
    #[serde(serialize_with = "as_text")]
    pub(super) file: PathBuf,
    /// BLAKE3 of its bytes, in hex.
    pub(super) digest: String,
    pub(super) bytes: u64,
    /// Interfaces of the host that it can call, and its own that the host calls.
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
    pub(super) manifest: Manifest,
}

/// What was pinned.
#[derive(Debug, Serialize)]
pub(super) struct Approved {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) digest: String,
    /// Version and digest that were pinned before.
    pub(super) before: Option<(String, String)>,
}

/// Runs one of its commands.
///
/// # Errors
/// Those of the command: there is no workspace, the file is no plugin, the id is unknown.
pub(super) async fn run(dir: &Path, command: Plugin, printer: &Printer) -> Result<Outcome> {
    match command {
        Plugin::List => list(&Config::read(dir)?, printer).await,
        Plugin::New(args) => new::run(args, printer),
        Plugin::Pack(args) => pack::run(&args, printer),
        Plugin::Check(args) => unless_interrupted(check::run(args, printer)).await,
        Plugin::Test(args) => unless_interrupted(test::run(args, printer)).await,
        Plugin::Bench(args) => unless_interrupted(bench::run(args, printer)).await,
        Plugin::Run(args) => unless_interrupted(run::run(dir, args, printer)).await,
        Plugin::Diff(args) => unless_interrupted(diff::run(dir, args, printer)).await,
        Plugin::Capture(args) => unless_interrupted(capture::run(dir, args, printer)).await,
        Plugin::Inspect { file } => {
            let inside = dir.join(&file);
            let inspected = connect::inspect(if !file.exists() && inside.exists() { &inside } else { &file })?;
            if printer.json { printer.object(&inspected) } else { show(&inspected, printer) }?;
            Ok(Outcome::Done)
        }
        Plugin::Approve { id } => {
            let approved = connect::approve(&Config::read(dir)?, &id)?;
            if printer.json {
                printer.object(&approved)?;
            } else {
                let Approved { id, version, digest, before } = approved;
                printer.line(Look::Good, &format!("{id} {version} is pinned: {digest}"))?;
                if let Some((version, digest)) = before {
                    printer.line(Look::Plain, &format!("before, it was {version}: {digest}"))?;
                }
            }
            Ok(Outcome::Done)
        }
    }
}

/// Flows that cannot be read are in nothing that a plugin was run over.
fn warn_of_broken(workspace: &Workspace, printer: &Printer) {
    for broken in &workspace.listing.broken {
        printer.warn(&format!("{} is left out: {}", broken.path, broken.reason));
    }
}

async fn list(config: &Config, printer: &Printer) -> Result<Outcome> {
    let plugins = connect::plugins(config)?;
    let is_failing = |plugin: &Listed| matches!(plugin.status, "changed" | "refused");
    let outcome = if plugins.iter().any(is_failing) { Outcome::Incomplete } else { Outcome::Done };
    if printer.json {
        printer.object(&plugins)?;
        return Ok(outcome);
    }
    let row = |plugin: &Listed| {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            or_dash(&plugin.id),
            or_dash(&plugin.version),
            plugin.status.to_owned(),
            or_dash(&plugin.publisher),
            plugin.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        ]
    };
    let rows: Vec<_> = plugins.iter().map(row).collect();
    printer.grid(&["plugin", "version", "status", "publisher", "file"], &rows)?;
    for plugin in &plugins {
        if let Some(reason) = &plugin.reason {
            let name = plugin.id.clone().unwrap_or_else(|| plugin.file.display().to_string());
            printer.line(if is_failing(plugin) { Look::Bad } else { Look::Plain }, &format!("{name}: {reason}"))?;
        }
    }
    if plugins.is_empty() {
        printer.note(&format!("no plugins in {}: put .wasm files there", config.plugins.display()));
    }
    Ok(outcome)
}

/// The plugin's data sheet.
fn show(inspected: &Inspected, printer: &Printer) -> Result<()> {
    let Inspected { file, digest, bytes, imports, exports, manifest } = inspected;
    let plain = |text: String| printer.line(Look::Plain, &text);
    printer.line(Look::Heading, &format!("{} {}", manifest.id, manifest.version))?;
    plain(manifest.intended_use.clone())?;
    plain(String::new())?;
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
    plain(format!("imports           {}", imports.join(", ")))?;
    plain(format!("exports           {}", exports.join(", ")))?;
    plain(format!("memory            {} MiB an instance", manifest.memory_mib))?;
    if manifest.least_learning_hours > 0 {
        plain(format!(
            "learns            for {} h of a device's traffic, it says, before it judges",
            manifest.least_learning_hours
        ))?;
    }
    plain(format!("state             version {}; learning begins anew with another", manifest.state_version))?;

    plain(String::new())?;
    printer.line(Look::Heading, "Watches")?;
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
    manifest.findings.iter().flat_map(finding).try_for_each(plain)?;
    if let Some(parameters) =
        manifest.parameters.get("properties").filter(|p| p.as_object().is_some_and(|p| !p.is_empty()))
    {
        printer.line(Look::Heading, "Parameters")?;
        for (name, schema) in parameters.as_object().into_iter().flatten() {
            let default = schema.get("default").map(|default| format!(" = {default}")).unwrap_or_default();
            let text = ["description", "title"].iter().find_map(|key| schema.get(key)?.as_str());
            let text = text.map(|text| format!("  {text}")).unwrap_or_default();
            plain(format!("  {name}{default}{text}"))?;
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

fn finding(kind: &FindingKind) -> Vec<String> {
    let FindingKind { kind, title, severity, shows, possible_causes, technique, first_action, not_while_connected } =
        kind;
    let technique = technique.as_ref().map(|technique| format!(", ATT&CK {technique}")).unwrap_or_default();
    let mut lines = vec![format!("  {kind} ({}{technique}): {title}", severity.name()), format!("    {shows}")];
    lines.extend(possible_causes.iter().map(|cause| format!("    possible cause: {cause}")));
    lines.push(format!("    first action: {first_action}"));
    if !not_while_connected.is_empty() {
        lines.push(format!("    while a patient is connected: {not_while_connected}"));
    }
    lines
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
            finding(&manifest.findings[0]).join("\n"),
            "  loud (low, ATT&CK T1071): Device talks more than usual\n    More flows a minute than ever before.\n    \
             possible cause: Maintenance\n    first action: Ask."
        );
    }
}
