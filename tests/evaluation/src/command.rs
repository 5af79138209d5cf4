//! The command, as a hospital would use it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::Result;

/// Runs `wardflow`, and returns what it prints. Exit codes 0 and 1 are as well: 1 says that not everything was covered, which is
/// looked at where it matters.
pub(crate) fn wardflow(arguments: &[&str]) -> Result<String> {
    let output = Command::new(executable()?).args(arguments).output()?;
    match output.status.code() {
        Some(0 | 1) if !output.stdout.is_empty() || output.status.success() => Ok(String::from_utf8(output.stdout)?),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("wardflow {}: {}", arguments.join(" "), said.trim()).into())
        }
    }
}

/// The command that lies beside this one.
pub(crate) fn executable() -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name("wardflow"))
}

/// What `wardflow evaluate` says of a workspace.
pub(crate) fn evaluate(workspace: &Path, truth: &Path, severity: &str, learning: Option<&str>) -> Result<Value> {
    let (workspace, truth) = (text(workspace)?, text(truth)?);
    let mut arguments = vec!["-C", workspace, "-q", "--json", "evaluate", "--truth", truth, "--severity", severity];
    arguments.extend(learning.into_iter().flat_map(|learning| ["--learning", learning]));
    Ok(serde_json::from_str(&wardflow(&arguments)?)?)
}

/// Rows of a query over a workspace.
pub(crate) fn query(workspace: &Path, sql: &str) -> Result<Vec<Value>> {
    let rows = wardflow(&["-C", text(workspace)?, "-q", "sql", sql, "--format", "json"])?;
    rows.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// A path as text.
pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| format!("{} is no UTF-8", path.display()).into())
}
