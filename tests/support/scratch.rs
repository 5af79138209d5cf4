//! A directory of a test's own, and the command in it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// An empty directory that goes away with the test.
pub(crate) struct Scratch(TempDir);

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    #[expect(dead_code, reason = "shown where a test fails")]
    pub(crate) line: String,
    /// Absent if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Runs a line as a shell does in this directory, where `wardflow` is the command that was built.
    pub(crate) fn run(&self, line: &str) -> Ran {
        let output = self.shell(line).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran {
            line: line.to_owned(),
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs a line that must do all it is asked. Returns what it prints on stdout.
    pub(crate) fn done(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        ran.stdout
    }

    /// Leaves of a workspace's plugins only these.
    pub(crate) fn keep_plugins(&self, workspace: &str, names: &[&str]) {
        for entry in fs::read_dir(self.path().join(workspace).join("plugins")).unwrap() {
            let path = entry.unwrap().path();
            if !names.iter().any(|name| path.file_stem().is_some_and(|stem| stem == *name)) {
                fs::remove_file(path).unwrap();
            }
        }
    }

    /// A line that is not run yet.
    pub(crate) fn shell(&self, line: &str) -> Command {
        let binary = binary();
        let path = format!("{}:{}", binary.parent().unwrap().display(), env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", line]).current_dir(self.path()).stdin(Stdio::null());
        // One home for all tests, so that each plugin is compiled once.
        command.env_clear().env("PATH", path).env("HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/home"));
        command
    }
}

/// The command: beside this test in the target directory.
pub(crate) fn binary() -> PathBuf {
    let test = env::current_exe().unwrap();
    let binary = test.parent().and_then(Path::parent).unwrap().join("wardflow");
    assert!(binary.is_file(), "there is no {}: `make host` builds it", binary.display());
    binary
}
