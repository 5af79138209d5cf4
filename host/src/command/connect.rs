//! Where the commands meet what is above the archive and the sandbox.

use datafusion::prelude::{SessionConfig, SessionContext};
use wardflow::{
    config::Config,
    detector::Stop,
    error::{Error, Result},
};

use super::{analyze, status};
use crate::{args::Analyze, print::Progress};

/// What SQL sees of a workspace.
pub(super) async fn context(_config: &Config) -> Result<SessionContext> {
    Ok(SessionContext::new_with_config(SessionConfig::new().with_information_schema(true)))
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

/// How a workspace stands.
pub(super) async fn status(_config: &Config) -> Result<status::Report> {
    Err(absent("status"))
}

fn absent(command: &str) -> Error {
    Error::failed(format!("this build has no `{command}`"))
}
