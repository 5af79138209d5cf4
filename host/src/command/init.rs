//! `wardflow init`: makes a workspace.

use std::{
    fs::{self, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde::Serialize;
use wardflow::{
    config::FILE,
    error::{Context, Error, Result},
};

use super::{Outcome, bundled};
use crate::print::{Look, Printer};

/// The `wardflow.toml` of a new workspace: every key with its default, and what it is for.
pub(super) const TEMPLATE: &str = include_str!("wardflow.toml.template");

/// What was made.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    workspace: PathBuf,
    /// Bundled plugins that were written.
    plugins: Vec<&'static str>,
    /// Bundled plugins in whose place there was a file, which was left alone.
    kept: Vec<&'static str>,
}

/// Makes a workspace and says what to do next.
///
/// # Errors
/// There is one already, or it cannot be written.
pub(super) fn run(dir: &Path, printer: &Printer) -> Result<Outcome> {
    let report = make(dir, TEMPLATE)?;
    if printer.json {
        printer.object(&report)?;
        return Ok(Outcome::Done);
    }
    let shown = dir.display();
    printer.line(Look::Heading, &format!("{shown} is a workspace"))?;
    for plugin in &report.plugins {
        printer.line(Look::Plain, &format!("  plugin {plugin}"))?;
    }
    for plugin in &report.kept {
        printer
            .line(Look::Plain, &format!("  plugin {plugin}: there was a file of that name, which was left alone"))?;
    }
    if bundled::PLUGINS.is_empty() {
        printer.line(
            Look::Bad,
            "  no plugins: this binary was built without them, which `make host` does with them; put .wasm files into plugins/",
        )?;
    }
    printer.note(&format!("Next: say in {shown}/{FILE} which networks are yours, then"));
    for next in
        ["ingest zeek /path/to/zeek/logs", "analyze", "sql 'SELECT severity, device_id, title, summary FROM findings'"]
    {
        printer.note(&format!("  wardflow -C {shown} {next}"));
    }
    Ok(Outcome::Done)
}

/// Makes a workspace with this configuration. `wardflow.toml` comes last: without it there is no workspace yet, and
/// the command can be given again.
pub(super) fn make(dir: &Path, config: &str) -> Result<Report> {
    if is_workspace(dir) {
        return Err(there_already(dir).remedy("name another directory; to begin anew, move this one away"));
    }
    let report = prepare(dir)?;
    settle(dir, config)?;
    Ok(report)
}

pub(super) fn is_workspace(dir: &Path) -> bool {
    dir.join(FILE).symlink_metadata().is_ok()
}

pub(super) fn there_already(dir: &Path) -> Error {
    Error::usage(format!("{} is a workspace already: it has a {FILE}", dir.display()))
}

/// Makes all of a workspace but its `wardflow.toml`.
pub(super) fn prepare(dir: &Path) -> Result<Report> {
    for part in ["archive", "lake", "plugins"] {
        let part = dir.join(part);
        fs::create_dir_all(&part).context(|| format!("cannot make {}", part.display()))?;
    }
    let mut report = Report { workspace: dir.to_owned(), plugins: Vec::new(), kept: Vec::new() };
    for (name, bytes) in bundled::PLUGINS {
        let is_new = write_new(&dir.join("plugins").join(name), bytes)?;
        if is_new { &mut report.plugins } else { &mut report.kept }.push(name);
    }
    Ok(report)
}

/// Makes a workspace of what was prepared.
pub(super) fn settle(dir: &Path, config: &str) -> Result<()> {
    let file = dir.join(FILE);
    match write_new(&file, config.as_bytes())? {
        true => Ok(()),
        false => Err(Error::failed(format!("{} was made by someone else in the meantime", file.display()))),
    }
}

/// Writes a file whole unless there is one. Returns whether it did.
fn write_new(path: &Path, bytes: &[u8]) -> Result<bool> {
    let write = || -> io::Result<()> {
        let rights = Permissions::from_mode(0o666);
        let directory = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".").permissions(rights).tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        Ok(())
    };
    match write() {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).context(|| format!("cannot write {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wardflow::config::Config;

    use super::{TEMPLATE, make};

    #[test]
    fn makes_a_workspace_once() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().join("hospital");
        make(&workspace, TEMPLATE).unwrap();
        let config = Config::read(&workspace).unwrap();
        assert!(config.plugins.is_dir() && config.inventory.is_none());
        let error = make(&workspace, TEMPLATE).unwrap_err().to_string();
        assert_eq!(error, format!("{} is a workspace already: it has a wardflow.toml", workspace.display()));
        assert_eq!(fs::read_to_string(workspace.join("wardflow.toml")).unwrap(), TEMPLATE);
    }

    /// Lines of the template that begin with `#` and no blank are settings, commented out.
    #[test]
    fn the_template_is_right_when_its_settings_are_on() {
        let setting = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).map(str::to_owned);
        let lines: Vec<_> = TEMPLATE.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned())).collect();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("wardflow.toml"), lines.join("\n")).unwrap();
        let config = Config::read(dir.path()).unwrap();
        assert_eq!(config.limits, wardflow::limits::Limits::default(), "the limits shown are the defaults");
        assert_eq!(config.space.internal(), wardflow::zone::AddressSpace::default().internal());
        assert!(!config.infrastructure.is_empty() && !config.plugin.is_empty() && config.inventory.is_some());
    }
}
