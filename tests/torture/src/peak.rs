//! Most memory that a process had resident.

use std::{
    fs,
    process::{Command, Stdio},
};

use nix::sys::resource::{UsageWho, getrusage};

use crate::{Result, means::Means};

/// Peak of this process in KiB.
pub(crate) fn own_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// Peak of a command in MiB, whatever became of it, and its exit code.
///
/// A process that begins counts what its parent had, until it is another program. So a small process stands between: this
/// program again, by [`wait`].
///
/// # Errors
/// It cannot be started.
pub(crate) fn of(means: &Means, command: &Command) -> Result<(f64, Option<i32>)> {
    let mut between = Command::new(&means.program);
    between.args(["peak", "--"]).arg(command.get_program()).args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        between.current_dir(directory);
    }
    between.env_clear();
    between.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = between.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut words = text.split_whitespace();
    let (Some(kib), code) = (words.next().and_then(|kib| kib.parse::<f64>().ok()), words.next()) else {
        return Err(format!("no peak was told: {text:?}").into());
    };
    Ok((kib / 1024.0, code.and_then(|code| code.parse().ok())))
}

/// Runs a command, and says its peak in KiB and its exit code. Its output is dropped.
///
/// # Errors
/// It cannot be started.
pub fn wait(command: &[String]) -> Result<String> {
    let (program, arguments) = command.split_first().ok_or("no command is given")?;
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let kib = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
    let code = status.code().map_or_else(|| "signal".to_owned(), |code| code.to_string());
    Ok(format!("{kib} {code}"))
}
