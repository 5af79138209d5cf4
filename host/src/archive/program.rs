//! A program of another project that reads what this one does not, and whose output is read as it is written.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Read},
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::error::{Context, Error, Result};

/// What a program says of errors is kept up to here. A warning a record would otherwise fill the memory.
const MOST_SAID: usize = 1 << 20;

/// From one look at what a program does to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// A program that computes for so long and neither reads nor writes, but to complain, goes round in circles, as `nfdump` does
/// with some files that are damaged.
const NO_HEADWAY: Duration = Duration::from_secs(10);

/// Bytes that it may have written as errors and nobody has read yet; fewer are no headway.
const ON_THE_WAY: u64 = 256 << 10;

/// In which `/proc` tells CPU time: Linux has a hundred a second there, whatever its own clock does (`USER_HZ`).
const TICKS_A_SECOND: u64 = 100;

/// A running program. It is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Program {
    name: &'static str,
    child: Child,
    said: Arc<Said>,
    listener: Option<JoinHandle<()>>,
}

/// What a program writes as errors.
#[derive(Debug, Default)]
struct Said {
    beginning: Mutex<Vec<u8>>,
    /// Bytes of all of it.
    bytes: AtomicU64,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// Whether its exit code is 0. Not every program has another when something fails.
    pub(super) succeeded: bool,
    /// What it wrote as errors.
    pub(super) said: String,
}

impl Program {
    /// Starts a program of the package `package`, and gives its output. Its times are UTC and its words English.
    ///
    /// # Errors
    /// It is not there, or cannot be started.
    pub(super) fn start<A: AsRef<OsStr>>(
        name: &'static str,
        package: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<(Self, ChildStdout)> {
        let mut command = Command::new(name);
        command.args(arguments).env("TZ", "UTC").env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Error::failed(format!("it is read by the program {name}, and there is none on the PATH"))
                    .remedy(format!("install it: apt-get install {package}"))
            }
            _ => Error::failed(format!("the program {name} does not start")).because(error),
        })?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        let mut program = Self { name, child, said: Arc::default(), listener: None };
        let (output, errors) = pipes.ok_or_else(|| Error::failed(format!("{name} has no output")))?;
        let said = Arc::clone(&program.said);
        program.listener = Some(std::thread::spawn(move || listen(errors, &said)));
        Ok((program, output))
    }

    /// Waits for its end, whatever its output, for as long as it gets on and a check of what it said so far passes; it is
    /// made from time to time, and at the end.
    ///
    /// # Errors
    /// Those of the check, or the program goes round in circles; it may still run then. The system does not tell how it
    /// ended.
    pub(super) fn finish_while(
        &mut self,
        mut output: ChildStdout,
        check: impl Fn(&str) -> Result<()>,
    ) -> Result<Ending> {
        let (ends, end) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            // What cannot be read of it is not missed.
            let _ = io::copy(&mut output, &mut io::sink());
            drop(ends);
        });
        let mut headway = Headway::default();
        while end.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
            check(&self.said())?;
            if headway.none_for(&Doing::of(self.child.id(), &self.said)) >= NO_HEADWAY {
                let (name, seconds) = (self.name, NO_HEADWAY.as_secs());
                return Err(Error::failed(format!(
                    "{name} goes round in circles: it has computed for {seconds} s and read nothing"
                ))
                .remedy("the file is damaged: leave it out, or copy it again"));
            }
        }
        let ending = self.finish()?;
        check(&ending.said)?;
        Ok(ending)
    }

    /// Waits for its end, once its output is read.
    ///
    /// # Errors
    /// The system does not tell how it ended.
    pub(super) fn finish(&mut self) -> Result<Ending> {
        let status = self.child.wait().context(|| format!("waiting for {}", self.name))?;
        if let Some(listener) = self.listener.take() {
            // It does not panic.
            let _ = listener.join();
        }
        Ok(Ending { succeeded: status.success(), said: self.said() })
    }

    fn said(&self) -> String {
        let beginning = self.said.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&beginning).into_owned()
    }
}

/// What a process has done, as the kernel counts it; nothing where that is not told.
#[derive(Clone, Copy, Debug, Default)]
struct Doing {
    computed: Duration,
    /// Bytes read and written, but for errors.
    moved: u64,
}

impl Doing {
    fn of(process: u32, said: &Said) -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
        let (status, counts) = (read("stat"), read("io"));
        // Its name is in brackets, and may have brackets in it. The times are the 14th field and the next.
        let fields = status.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ').skip(11).take(2);
        let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
        let count = |name: &str| counts.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let moved = count("rchar:").unwrap_or(0) + count("wchar:").unwrap_or(0);
        let computed = Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND);
        Self { computed, moved: moved.saturating_sub(said.bytes.load(Ordering::Relaxed)) }
    }
}

/// How far a process got.
#[derive(Debug, Default)]
struct Headway {
    /// When it had moved something last.
    last: Doing,
}

impl Headway {
    /// For how long it has computed and moved nothing.
    fn none_for(&mut self, now: &Doing) -> Duration {
        if now.moved > self.last.moved + ON_THE_WAY {
            self.last = *now;
        }
        now.computed.saturating_sub(self.last.computed)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Either fails if it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ending {
    /// The first line of what it said; none if it ended well.
    pub(super) fn complaint(&self) -> Option<&str> {
        const LONGEST: usize = 300;
        let line = self.said.lines().map(str::trim).find(|line| !line.is_empty());
        let line = line.map(|line| &line[..line.floor_char_boundary(LONGEST)]);
        line.or((!self.succeeded).then_some("it does not say why"))
    }
}

/// Reads all of it, so that the program does not wait, and keeps the beginning.
fn listen(mut errors: ChildStderr, said: &Said) {
    let mut chunk = [0; 4096];
    loop {
        let read = match errors.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // What cannot be read of the errors is no error of the reading.
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        said.bytes.fetch_add(read as u64, Ordering::Relaxed);
        let mut beginning = said.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = read.min(MOST_SAID - beginning.len());
        beginning.extend_from_slice(&chunk[..kept]);
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, time::Instant};

    use super::{Ending, MOST_SAID, Program};
    use crate::error::Error;

    fn run(script: &str) -> (String, Ending) {
        let (mut program, mut output) = Program::start("sh", "dash", ["-c", script]).unwrap();
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        (text, program.finish().unwrap())
    }

    #[test]
    fn output_and_ending() {
        let (text, ending) = run("echo $TZ $LC_ALL; echo; echo ' no good ' >&2; exit 3");
        assert_eq!(text, "UTC C\n\n");
        assert_eq!(ending, Ending { succeeded: false, said: " no good \n".into() });
        assert_eq!(ending.complaint(), Some("no good"));
        assert_eq!(run("true").1.complaint(), None);
        assert_eq!(run("exit 1").1.complaint(), Some("it does not say why"));
        assert_eq!(run("echo; echo short read >&2").1.complaint(), Some("short read"), "though its exit code is 0");
    }

    #[test]
    fn much_is_said_and_little_kept() {
        let (text, ending) = run("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo end");
        assert_eq!((text.as_str(), ending.said.len()), ("end\n", MOST_SAID));
        assert_eq!(ending.complaint().map(str::len), Some(300));
    }

    #[test]
    fn one_that_is_checked() {
        let finish = |script: &str, refused: &str| {
            let (mut program, output) = Program::start("sh", "dash", ["-c", script]).unwrap();
            program.finish_while(output, |said| if said.contains(refused) { Err(Error::failed(said)) } else { Ok(()) })
        };
        let ending = finish("head -c 3000000 /dev/zero; echo no >&2; exit 3", "nothing").unwrap();
        assert_eq!(ending, Ending { succeeded: false, said: "no\n".into() });
        assert_eq!(finish("echo full >&2", "full").unwrap_err().reason(), "full\n");
        let begun = Instant::now();
        assert_eq!(finish("echo full >&2; exec sleep 60", "full").unwrap_err().reason(), "full\n");
        assert!(begun.elapsed().as_secs() < 30, "it is not waited for");
    }

    #[test]
    fn one_that_goes_round_in_circles() {
        for script in ["while :; do :; done", "while :; do echo no >&2; done"] {
            let (mut program, output) = Program::start("sh", "dash", ["-c", script]).unwrap();
            let error = program.finish_while(output, |_| Ok(())).unwrap_err();
            assert_eq!(error.reason(), "sh goes round in circles: it has computed for 10 s and read nothing");
        }
    }

    #[test]
    fn one_that_waits_is_waited_for() {
        let (mut program, output) = Program::start("sleep", "coreutils", ["11"]).unwrap();
        assert!(program.finish_while(output, |_| Ok(())).unwrap().succeeded);
    }

    #[test]
    fn one_that_is_not_there() {
        let error = Program::start("no-such-program", "no-package", [""; 0]).unwrap_err();
        assert_eq!(error.reason(), "it is read by the program no-such-program, and there is none on the PATH");
        assert_eq!(error.remedy_text(), Some("install it: apt-get install no-package"));
    }

    #[test]
    fn one_that_is_dropped_is_killed() {
        let begun = Instant::now();
        drop(Program::start("sleep", "coreutils", ["60"]).unwrap());
        assert!(begun.elapsed().as_secs() < 30);
    }
}
