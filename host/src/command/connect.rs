//! Where the commands meet the library.

use std::path::Path;

use datafusion::prelude::{SessionConfig, SessionContext};
use wardflow::{
    config::Config,
    detector::Stop,
    error::{Error, Result},
};

use super::{analyze, demo, ingest, plugin, status};
use crate::{
    args::{Analyze, Demo, IngestZeek},
    print::Progress,
};

/// What SQL sees of a workspace.
pub(super) async fn context(_config: &Config) -> Result<SessionContext> {
    Ok(SessionContext::new_with_config(SessionConfig::new().with_information_schema(true)))
}

/// Brings Zeek's logs into the archive.
pub(super) async fn ingest_zeek(_config: &Config, _args: &IngestZeek, _progress: &Progress) -> Result<ingest::Report> {
    Err(absent("ingest"))
}

/// Runs the plugins until nothing is left or a stop is asked for.
pub(super) async fn analyze(
    _config: &Config,
    _args: &Analyze,
    _stop: &Stop,
    _progress: &Progress,
) -> Result<analyze::Report> {
    Err(absent("analyze"))
}

/// The plugins of a workspace.
pub(super) async fn plugins(_config: &Config) -> Result<Vec<plugin::Listed>> {
    Err(absent("plugin list"))
}

/// What a component says of itself.
pub(super) fn inspect(_file: &Path) -> Result<plugin::Inspected> {
    Err(absent("plugin inspect"))
}

/// Pins a plugin's present bytes.
pub(super) async fn approve(_config: &Config, _id: &str) -> Result<plugin::Approved> {
    Err(absent("plugin approve"))
}

/// How a workspace stands.
pub(super) async fn status(_config: &Config) -> Result<status::Report> {
    Err(absent("status"))
}

/// The synthetic hospital that was asked for.
pub(super) fn hospital(_args: &Demo) -> Result<demo::Hospital> {
    Err(absent("demo"))
}

/// Writes a synthetic hospital's inventory and flows into its workspace. Returns how many flows.
pub(super) async fn write_hospital(
    _config: &Config,
    _hospital: &demo::Hospital,
    _stop: &Stop,
    _progress: &Progress,
) -> Result<u64> {
    Err(absent("demo"))
}

fn absent(command: &str) -> Error {
    Error::failed(format!("this build has no `{command}`"))
}
