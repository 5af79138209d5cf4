//! A child process that compiles one component, as its parent sees it: started with nothing but two pipes, and killed
//! when it takes too long or the run is stopped. The other side is `for_parent`.

use std::{
    io::{self, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, Builder},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    compiler::{REFUSED, refused},
    fault::cleaned,
    for_parent::COMPILE,
    reply::{HEAD_BYTES, Reply},
};
use crate::{
    detector::Stop,
    error::{Context, Error, Result},
    limits::{Exceeded, Limits},
};

/// How often the parent looks whether the child is done. Compiling takes tens of milliseconds at least.
const PAUSE: Duration = Duration::from_millis(2);

/// Time that a child may take, in times of its CPU time: the machine may be busy, but a child that sleeps must end.
const PATIENCE: u64 = 10;

/// Threads that compile, on machines with more cores too: each takes memory, of which there is so much for all.
const THREADS: &str = "4";

/// How much memory the child's allocator sets aside at once, as its environment variable has it. Its default of 1 GiB would
/// be the least that a child can have.
const ARENA: &str = "64MiB";

/// Bytes of a refusal that are repeated.
const REFUSAL_BYTES: usize = 4_096;

/// Has a component compiled by `command`.
pub(super) fn compile(command: &Path, stop: &Stop, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>> {
    if stop.is_stopped() {
        return Err(stopped());
    }
    let doing = || "the process that compiles plugins cannot be started".to_owned();
    thread::scope(|scope| {
        // Dropped, and the child killed, before the scope waits for the threads at its pipes.
        let mut child = Running(start(command, limits).context(doing)?);
        let (input, output) = (child.0.stdin.take(), child.0.stdout.take());
        let feed = move || {
            if let Some(mut input) = input {
                // A child that ends early does not read to the end. Why it ended is told below.
                input.write_all(bytes).unwrap_or_default();
            }
        };
        // No more than it could have in its memory.
        let most = (u64::from(limits.compile_mib) << 20) + HEAD_BYTES as u64;
        let listen = move || {
            let mut reply = Vec::new();
            output.map_or(Ok(0), |output| output.take(most + 1).read_to_end(&mut reply)).map(|_| reply)
        };
        Builder::new().spawn_scoped(scope, feed).context(doing)?;
        let listening = Builder::new().spawn_scoped(scope, listen).context(doing)?;
        let status = child.wait(stop, limits)?;
        let reply = listening.join().unwrap_or_else(|_| Err(io::Error::other("the reader stopped")));
        let reply = reply.context(|| format!("{REFUSED}: what the compiling process says cannot be read"))?;
        judge(status, Reply::read(reply), limits)
    })
}

fn start(command: &Path, limits: &Limits) -> io::Result<Child> {
    Command::new(command)
        .arg0("wardflow")
        .args([COMPILE.to_owned(), limits.compile_s.to_string(), limits.compile_mib.to_string()])
        .env_clear()
        .env("MIMALLOC_ARENA_RESERVE", ARENA)
        .env("RAYON_NUM_THREADS", THREADS)
        .current_dir("/")
        // A terminal's Ctrl-C is for the parent, which stops the child.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// A child, which does not outlive this.
struct Running(Child);

impl Running {
    fn wait(&mut self, stop: &Stop, limits: &Limits) -> Result<ExitStatus> {
        let (began, most) = (Instant::now(), u64::from(limits.compile_s) * PATIENCE);
        loop {
            if let Some(status) = self.0.try_wait().context(|| "waiting for a compiling process".to_owned())? {
                return Ok(status);
            }
            if stop.is_stopped() {
                return Err(stopped());
            }
            if began.elapsed().as_secs() >= most {
                return Err(exceeded("time of compiling", format!("{most} s"), "ten times compile_s in [limits]"));
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Neither fails but for a child that has ended and was waited for.
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// What came of it. No memory for Rust's allocator is an abort; the kernel ends who takes more CPU time than allowed.
fn judge(status: ExitStatus, reply: Option<Reply>, limits: &Limits) -> Result<Vec<u8>> {
    let is = |signal: Signal| status.signal() == Some(signal.as_raw());
    match reply {
        Some(Reply::Code(code)) if status.success() => return Ok(code),
        Some(Reply::Refused(why)) if status.success() => return Err(refused(&cleaned(&why, REFUSAL_BYTES))),
        Some(Reply::NoMemory) if status.success() => return Err(no_memory(limits)),
        _ => {}
    }
    if is(Signal::XCPU) {
        let allowed = format!("{} s", limits.compile_s);
        return Err(exceeded("CPU time of compiling", allowed, "compile_s in [limits]"));
    }
    if is(Signal::ABORT) {
        return Err(no_memory(limits));
    }
    Err(Error::failed(format!("{REFUSED}: the process that compiles it failed: {status}"))
        .remedy("see whether the machine has memory left; else please report it, with the plugin"))
}

fn no_memory(limits: &Limits) -> Error {
    exceeded("memory of compiling", format!("{} MiB", limits.compile_mib), "compile_mib in [limits]")
}

fn exceeded(what: &'static str, allowed: String, setting: &'static str) -> Error {
    let exceeded = Exceeded { what, asked: format!("over {allowed}"), allowed, setting };
    Error::usage(format!("{REFUSED}: {exceeded}")).remedy(
        "compilers of a language, with their defaults, write nothing that takes so much: ask its publisher, or raise the \
         limit in wardflow.toml",
    )
}

fn stopped() -> Error {
    Error::failed(format!("{REFUSED}: the run was stopped")).remedy("run it again")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, thread, time::Duration};

    use super::compile;
    use crate::{detector::Stop, limits::Limits};

    /// What becomes of a child that does this, whatever it is given.
    fn told(script: &str, limits: &Limits, stop: &Stop) -> String {
        let directory = tempfile::tempdir().unwrap();
        let command: PathBuf = directory.path().join("child");
        fs::write(&command, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).unwrap();
        compile(&command, stop, &vec![0; 1 << 20], limits).unwrap_err().reason()
    }

    #[test]
    fn however_the_child_ends_the_plugin_is_refused() {
        let limits = Limits { compile_s: 7, compile_mib: 9, ..Limits::default() };
        for (script, expected) in [
            ("kill -XCPU $$", "CPU time of compiling: over 7 s asked, 7 s allowed (compile_s in [limits])"),
            ("kill -ABRT $$", "memory of compiling: over 9 MiB asked, 9 MiB allowed (compile_mib in [limits])"),
            ("kill -KILL $$", "the process that compiles it failed: signal: 9 (SIGKILL)"),
            ("exit 3", "the process that compiles it failed: exit status: 3"),
            ("exit 0", "the process that compiles it failed: exit status: 0"),
            ("cat", "the process that compiles it failed: exit status: 0"),
            ("head -c 99999999 /dev/zero", "the process that compiles it failed: "),
        ] {
            let told = told(script, &limits, &Stop::default());
            assert!(told.starts_with(&format!("it cannot be compiled: {expected}")), "{script}: {told}");
        }
    }

    #[test]
    fn a_child_that_sleeps_is_ended() {
        let limits = Limits { compile_s: 0, ..Limits::default() };
        let told = told("exec sleep 1000", &limits, &Stop::default());
        assert_eq!(
            told,
            "it cannot be compiled: time of compiling: over 0 s asked, 0 s allowed (ten times compile_s in [limits])"
        );
    }

    #[test]
    fn a_stop_ends_the_child() {
        let stop = Stop::default();
        let asked = stop.clone();
        let stopping = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            asked.stop();
        });
        let told = told("exec sleep 1000", &Limits::default(), &stop);
        assert_eq!(told, "it cannot be compiled: the run was stopped");
        stopping.join().unwrap();
    }
}
