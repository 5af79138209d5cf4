//! What a campaign is made with.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::Result;

/// Programs, plugins and places.
#[derive(Debug)]
pub struct Means {
    /// This program, for children.
    pub program: PathBuf,
    /// The command `wardflow`.
    pub wardflow: PathBuf,
    /// Directory of the bundled plugins.
    pub plugins: PathBuf,
    /// Logs of real networks, if there are any.
    pub data: Option<PathBuf>,
    /// What all chance is derived from.
    pub seed: u64,
    /// Children at one time.
    pub jobs: usize,
    /// Just this case.
    pub index: Option<u64>,
    /// What is made goes here, and away at the end.
    scratch: TempDir,
    /// What children make, thousands of small files.
    memory: TempDir,
}

impl Means {
    /// `program` is this one; the command lies beside it. `plugins` is the directory that `make plugins` writes.
    ///
    /// # Errors
    /// The command or the plugins are not there.
    pub fn new(program: &Path, plugins: &Path, seed: u64) -> Result<Self> {
        let wardflow = program.with_file_name("wardflow");
        if !wardflow.is_file() {
            return Err(format!("there is no {}: `make host` builds it", wardflow.display()).into());
        }
        let plugins = plugins
            .canonicalize()
            .map_err(|error| format!("no plugins at {}: {error}; `make plugins` builds them", plugins.display()))?;
        let data = env::var_os("WARDFLOW_DATA").map(PathBuf::from).filter(|data| data.is_dir());
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let program = program.to_owned();
        let scratch = TempDir::new()?;
        let memory = Path::new("/dev/shm");
        let memory = if memory.is_dir() { TempDir::new_in(memory)? } else { TempDir::new_in(scratch.path())? };
        Ok(Self { program, wardflow, plugins, data, seed, jobs, index: None, scratch, memory })
    }

    /// A directory for what is made.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// One in memory, if there is one.
    pub(crate) fn memory(&self) -> &Path {
        self.memory.path()
    }

    /// The command, in a directory, with a home of its own, so that each plugin is compiled once.
    pub(crate) fn command(&self, directory: &Path) -> Command {
        let mut command = Command::new(&self.wardflow);
        command.current_dir(directory).env_clear().env("HOME", self.scratch().join("home"));
        command.env("PATH", env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        command
    }

    /// Runs the command, which may end with code 0 or 1, and returns what it said.
    ///
    /// # Errors
    /// It ended otherwise.
    pub(crate) fn run(&self, directory: &Path, arguments: &[&str]) -> Result<String> {
        let output = self.command(directory).args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0 | 1) if !said.contains("this is a bug") => Ok(String::from_utf8(output.stdout)?),
            _ => Err(format!("wardflow {}: {}: {said}", arguments.join(" "), output.status).into()),
        }
    }
}

/// Whether a program is on the path.
pub(crate) fn is_there(program: &str) -> bool {
    Command::new(program).arg("-V").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
