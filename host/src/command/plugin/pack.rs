//! `wardflow plugin pack`: a module and its manifest as one file.

use std::path::PathBuf;

use serde::Serialize;
use wardflow::{
    error::{Context, Error, Result},
    limits::Limits,
    parameters,
    sandbox::{check_memory, inspect},
    workspace::read_at_most,
};
use wardflow_manifest::Manifest;

use super::{Outcome, load};
use crate::{
    args::Pack,
    print::{Look, Printer, count},
};

#[derive(Debug, Serialize)]
struct Packed {
    file: PathBuf,
    id: String,
    version: String,
    bytes: u64,
    digest: String,
}

/// Bytes of a plugin.toml; more is some other file.
const MANIFEST_BYTES: u64 = 1 << 20;

/// Packs. Nothing is written unless a host would take the file.
pub(super) fn run(args: &Pack, printer: &Printer) -> Result<Outcome> {
    let limits = load::limits(&args.limit)?;
    let packed = pack(args, &limits)?;
    if printer.json {
        printer.object(&packed)?;
    } else {
        let Packed { file, id, version, bytes, digest } = packed;
        printer.line(
            Look::Good,
            &format!("{}: {id} {version}, {} bytes, BLAKE3 {digest}", file.display(), count(bytes)),
        )?;
    }
    Ok(Outcome::Done)
}

fn pack(args: &Pack, limits: &Limits) -> Result<Packed> {
    let module = load::read(&args.module, limits)?;
    let shown = args.manifest.display();
    let unreadable = || Error::usage(format!("cannot read {shown}")).remedy("name a plugin.toml");
    let text = read_at_most(&args.manifest, MANIFEST_BYTES).map_err(|error| unreadable().because(error))?;
    if text.len() as u64 > MANIFEST_BYTES {
        return Err(unreadable().because(format!("it has more than {MANIFEST_BYTES} bytes")));
    }
    let text = String::from_utf8(text).map_err(|error| unreadable().because(error))?;
    let manifest = Manifest::from_toml(&text).map_err(|error| {
        let error = error.to_string();
        let mut lines = error.lines();
        Error::usage(format!("{shown}: {}", lines.next().unwrap_or_default())).excerpt(lines)
    })?;
    parameters::check_defaults(&manifest)?;
    check_memory(&manifest, limits)?;
    let bytes = wardflow_pack::pack(&module, &manifest)
        .map_err(|error| Error::usage(format!("{} cannot be packed: {error}", args.module.display())))?;
    let inspection = inspect(&bytes, limits).map_err(|error| {
        let refused = Error::usage(format!("a host would refuse it: {}", error.reason()));
        refused.remedy(error.remedy_text().unwrap_or("see wit/detector.wit").to_owned())
    })?;
    wardflow_pack::write(&args.output, &bytes).context(|| format!("cannot write {}", args.output.display()))?;
    Ok(Packed {
        file: args.output.clone(),
        id: manifest.id.to_string(),
        version: manifest.version.to_string(),
        bytes: bytes.len() as u64,
        digest: inspection.digest,
    })
}
