//! A plugin's file, for commands that run it outside of a workspace.

use std::{path::Path, sync::Arc};

use wardflow::{
    detector::{Detector, Stop},
    error::{Error, Result},
    limits::Limits,
    sandbox::Sandbox,
    workspace::read_at_most,
};

use crate::{args::Limit, command::connect, print::Printer};

/// The defaults, with those that were given.
pub(super) fn limits(given: &[Limit]) -> Result<Limits> {
    let mut limits = serde_json::to_value(Limits::default()).unwrap_or_default();
    for Limit { name, value } in given {
        let Some(slot) = limits.get_mut(name) else {
            let known: Vec<_> = limits.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            return Err(
                Error::usage(format!("{name:?} is no limit")).remedy(format!("there are: {}", known.join(", ")))
            );
        };
        *slot = (*value).into();
    }
    serde_json::from_value(limits).map_err(|error| Error::usage(format!("a limit is out of range: {error}")))
}

/// A plugin's bytes.
pub(super) fn read(file: &Path, limits: &Limits) -> Result<Vec<u8>> {
    read_at_most(file, u64::from(limits.component_mib) << 20).map_err(|error| {
        Error::usage(format!("cannot read {}", file.display())).because(error).remedy("name a plugin's .wasm file")
    })
}

/// A plugin that can run.
pub(super) fn load(file: &Path, limits: &Limits, printer: &Printer) -> Result<Arc<dyn Detector>> {
    let bytes = read(file, limits)?;
    let plugin = Sandbox::new(limits.clone(), connect::compiler(printer, &Stop::default())?)?.load(&bytes);
    let plugin = plugin.map_err(|error| {
        let remedy = format!(
            "{}; `wardflow plugin check {}` tells everything at once",
            error.remedy_text().unwrap_or("see wit/detector.wit"),
            file.display()
        );
        Error::usage(format!("{} cannot run: {}", file.display(), error.reason())).remedy(remedy)
    })?;
    Ok(Arc::new(plugin))
}
