//! Commands that are ended at seeded moments, in the time that a whole one takes.
//!
//! `WARDFLOW_ENDS` says how many moments a test tries, for a campaign; `WARDFLOW_SEED` repeats those of an earlier run.

use std::{
    env,
    fs::File,
    process::Stdio,
    str::FromStr,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{Scratch, scratch::Ran};

/// Moments in `[0, 1)`, of which 1 is the time that a whole command takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    count: u64,
    seed: u64,
}

impl Moments {
    /// So many, unless the environment says otherwise. The seed is printed.
    #[expect(clippy::print_stderr, reason = "who wants to repeat it needs the seed")]
    pub(crate) fn new(test: &str, count: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let moments = Self { count: said("WARDFLOW_ENDS", count), seed: said("WARDFLOW_SEED", now) };
        eprintln!("{test}: {} moments, WARDFLOW_SEED={}", moments.count, moments.seed);
        moments
    }

    /// The moments, each with a number of its own.
    pub(crate) fn each(self) -> impl Iterator<Item = (u64, f64)> {
        (0..self.count).map(move |number| (number, self.at(number)))
    }

    fn at(self, number: u64) -> f64 {
        let bytes = [self.seed.to_le_bytes(), number.to_le_bytes()].concat();
        let hash = blake3::hash(&bytes);
        let bits = u32::from_le_bytes(hash.as_bytes()[..4].try_into().unwrap());
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }

    /// That enough commands were ended before they ended by themselves: else the test tried nothing.
    #[track_caller]
    pub(crate) fn check(self, ended: u64) {
        assert!(ended * 3 >= self.count, "{ended} of {} commands were ended before their end", self.count);
    }
}

fn said<T: FromStr>(name: &str, or: T) -> T {
    env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(or)
}

/// How long a line takes, which must do all it is asked.
pub(crate) fn time(scratch: &Scratch, line: &str) -> Duration {
    let began = Instant::now();
    scratch.done(line);
    began.elapsed()
}

/// Runs a line, one command, and kills it after a while. Whether that was before its end.
pub(crate) fn kill(scratch: &Scratch, line: &str, after: Duration) -> bool {
    let command = &format!("exec {line}");
    let mut run = scratch.shell(command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(after);
    run.kill().unwrap();
    run.wait().unwrap().code().is_none()
}

/// Runs a line, one command, and sends it SIGINT after a while, as Ctrl-C does.
pub(crate) fn interrupt(scratch: &Scratch, line: &str, after: Duration) -> Ran {
    let file = |name: &str| scratch.path().join(name);
    let command = &format!("exec {line}");
    let (out, err) = (File::create(file("out")).unwrap(), File::create(file("err")).unwrap());
    let mut run = scratch.shell(command).stdout(out).stderr(err).spawn().unwrap();
    thread::sleep(after);
    // It may have ended.
    scratch.run(&format!("kill -INT {}", run.id()));
    let code = run.wait().unwrap().code();
    let text = |name: &str| std::fs::read_to_string(file(name)).unwrap();
    Ran { line: line.to_owned(), code, stdout: text("out"), stderr: text("err") }
}
