//! `wardflow plugin new`: a plugin's project.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wardflow::{
    error::{Error, Result},
    kit::scaffold::{self, Language},
};
use wardflow_manifest::PluginId;

use super::Outcome;
use crate::{
    args::{Lang, New},
    print::{Look, Printer},
};

#[derive(Debug, Serialize)]
struct Made {
    project: PathBuf,
    files: Vec<PathBuf>,
}

/// Makes a project and says what to do with it.
pub(super) fn run(args: New, printer: &Printer) -> Result<Outcome> {
    let id: PluginId = args.id.parse().map_err(|error| {
        Error::usage(format!("{:?} is no plugin's id: {error}", args.id))
            .remedy("an id is vendor/name, such as acme/drip-rate: yours, and the model's")
    })?;
    let name = id.as_str().rsplit('/').next().unwrap_or_default();
    let directory = args.dir.unwrap_or_else(|| Path::new(name).to_owned());
    let language = match args.lang {
        Lang::Rust => Language::Rust,
        Lang::C => Language::C,
        Lang::Python => Language::Python,
    };
    let files = scaffold::make(&directory, &id, language, args.device_class.as_deref())?;
    if printer.json {
        printer.object(&Made { project: directory, files })?;
        return Ok(Outcome::Done);
    }
    let shown = directory.display();
    printer.line(Look::Heading, &format!("{shown} is the project of {id}"))?;
    for file in files.iter().filter(|file| !file.starts_with("wardflow")) {
        printer.line(Look::Plain, &format!("  {}", file.display()))?;
    }
    printer.note("Next:");
    printer.note(&format!("  cd {shown}"));
    printer.note("  ./build");
    printer.note("  wardflow plugin test .");
    printer.note(&format!("  wardflow plugin check {name}.wasm --cases ."));
    printer.note("Then read README.md, and make the model yours.");
    Ok(Outcome::Done)
}
