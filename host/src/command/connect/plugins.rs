//! `wardflow plugin`: what a workspace's plugins are, and which bytes of them may run.

use std::path::Path;

use wardflow::{
    config::Config,
    error::{Error, Result},
    sandbox::{Pins, inspect as inspect_component},
    workspace::{self, Offered, PINS},
};

use crate::command::plugin;

/// The plugins of a workspace.
pub(in crate::command) fn plugins(config: &Config) -> Result<Vec<plugin::Listed>> {
    let plugins = workspace::Plugins::read(config)?;
    let listed = |offered: Offered| plugin::Listed {
        id: offered.id,
        version: offered.version,
        publisher: offered.manifest.map(|manifest| manifest.publisher),
        file: offered.file,
        status: offered.status.name(),
        reason: offered.reason,
    };
    Ok(plugins.offered.into_iter().map(listed).collect())
}

/// What a component says of itself.
pub(in crate::command) fn inspect(file: &Path) -> Result<plugin::Inspected> {
    let limits = wardflow::limits::Limits::default();
    let bytes = workspace::read_at_most(file, u64::from(limits.component_mib) << 20).map_err(|error| {
        Error::usage(format!("cannot read {}", file.display())).because(error).remedy("name a plugin's .wasm file")
    })?;
    let inspection = inspect_component(&bytes, &limits).map_err(|error| {
        let remedy = error.remedy_text().unwrap_or("ask its publisher for a plugin that keeps the contract").to_owned();
        Error::usage(format!("{} is no plugin: {}", file.display(), error.reason())).remedy(remedy)
    })?;
    Ok(plugin::Inspected {
        file: file.to_owned(),
        digest: inspection.digest,
        bytes: bytes.len() as u64,
        imports: inspection.imports,
        exports: inspection.exports,
        manifest: inspection.manifest,
    })
}

/// Pins a plugin's present bytes.
pub(in crate::command) fn approve(config: &Config, id: &str) -> Result<plugin::Approved> {
    let plugins = workspace::Plugins::read(config)?;
    let known = |offered: &Offered| Some((offered.manifest.clone()?, offered.digest.clone()?));
    let found: Vec<_> =
        plugins.offered.iter().filter_map(known).filter(|(manifest, _)| manifest.id.as_str() == id).collect();
    let [(manifest, digest)] = found.as_slice() else {
        let ids: Vec<_> =
            plugins.offered.iter().filter_map(known).map(|(manifest, _)| manifest.id.to_string()).collect();
        let (why, remedy) = match found.len() {
            0 => ("is in no file of", format!("there are: {}", ids.join(", "))),
            _ => ("is the id of several files in", "keep one of them".to_owned()),
        };
        return Err(Error::usage(format!("{id} {why} {}", config.plugins.display())).remedy(remedy));
    };
    let (id_of, version) = (&manifest.id, &manifest.version);
    let pins = Pins::change(&config.root.join(PINS), |pins| pins.approve(id_of, version, digest))?;
    let before = pins.digest(id_of, version).filter(|before| *before != digest).map(ToOwned::to_owned);
    Ok(plugin::Approved {
        id: id.to_owned(),
        version: manifest.version.to_string(),
        digest: digest.clone(),
        before: before.map(|before| (manifest.version.to_string(), before)),
    })
}
