//! What the commands open in a workspace, and what they take from the environment for it.

use std::{env, path::PathBuf};

use wardflow::{archive::Archive, config::Config, error::Result, sandbox::Sandbox};

/// The archive. The environment may hold the object store's access, such as `AWS_ACCESS_KEY_ID`.
pub(super) fn archive(config: &Config) -> Result<Archive> {
    Archive::open_with(&config.archive, &config.root, store_options())
}

/// The sandbox, with the user's cache of compiled code.
pub(super) fn sandbox(config: &Config) -> Result<Sandbox> {
    Sandbox::new(config.limits.clone(), cache())
}

/// The file that pins plugins.
pub(super) fn pins(config: &Config) -> PathBuf {
    config.root.join("plugins.lock")
}

/// Variables of the environment as options of an object store, which ignores those that it does not know.
fn store_options() -> impl Iterator<Item = (String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?.to_lowercase(), value.into_string().ok()?)))
}

/// `$XDG_CACHE_HOME/wardflow` (XDG Base Directory Specification); none if there is no home.
fn cache() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("wardflow"))
}
