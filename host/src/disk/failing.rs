//! A disk that fails when a test wants it to, below a directory of the test's own.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::Step;

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The step fails, and those after it are done: EIO.
    Once,
    /// From this step on there is no room: ENOSPC.
    Full,
    /// The step writes half of what it should, and from then on there is no room.
    Half,
}

impl How {
    pub(crate) const ALL: [Self; 3] = [Self::Once, Self::Full, Self::Half];
}

/// What is written below a directory, while this lives.
#[derive(Debug)]
pub(crate) struct Failing(PathBuf);

#[derive(Debug)]
struct Disk {
    root: PathBuf,
    steps: Vec<(Step, PathBuf)>,
    fails: Option<(usize, How)>,
}

/// One a test.
static DISKS: Mutex<Vec<Disk>> = Mutex::new(Vec::new());

fn disks() -> MutexGuard<'static, Vec<Disk>> {
    DISKS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Failing {
    /// Notes what is written below a directory.
    pub(crate) fn under(root: &Path) -> Self {
        let root = root.canonicalize().unwrap();
        disks().push(Disk { root: root.clone(), steps: Vec::new(), fails: None });
        Self(root)
    }

    /// Counts from the beginning, and lets a step fail.
    pub(crate) fn at(&self, step: usize, how: How) {
        self.set(Some((step, how)));
    }

    /// Counts from the beginning, and lets all be written.
    pub(crate) fn never(&self) {
        self.set(None);
    }

    /// What was done since.
    pub(crate) fn steps(&self) -> Vec<(Step, PathBuf)> {
        disks().iter().find(|disk| disk.root == self.0).unwrap().steps.clone()
    }

    fn set(&self, fails: Option<(usize, How)>) {
        let mut disks = disks();
        let disk = disks.iter_mut().find(|disk| disk.root == self.0).unwrap();
        (disk.steps, disk.fails) = (Vec::new(), fails);
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        disks().retain(|disk| disk.root != self.0);
    }
}

impl Disk {
    /// How the step that comes now fails.
    fn next(&mut self, step: Step, path: &Path) -> Option<How> {
        let number = self.steps.len();
        self.steps.push((step, path.to_owned()));
        let (at, how) = self.fails?;
        match how {
            _ if number == at => Some(how),
            How::Full | How::Half if number > at && matches!(step, Step::Create | Step::Write) => Some(How::Full),
            _ => None,
        }
    }
}

fn next(step: Step, path: &Path) -> Option<How> {
    disks().iter_mut().find(|disk| path.starts_with(&disk.root))?.next(step, path)
}

fn error(how: How) -> io::Error {
    let errno = match how {
        How::Once => rustix::io::Errno::IO,
        How::Full | How::Half => rustix::io::Errno::NOSPC,
    };
    io::Error::from_raw_os_error(errno.raw_os_error())
}

pub(super) fn step(step: Step, path: &Path) -> io::Result<()> {
    next(step, path).map_or(Ok(()), |how| Err(error(how)))
}

pub(super) fn part<'a>(path: &Path, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
    match next(Step::Write, path) {
        None => Ok(bytes),
        Some(How::Half) if bytes.len() > 1 => Ok(&bytes[..bytes.len() / 2]),
        Some(how) => Err(error(how)),
    }
}

#[test]
fn a_step_fails_below_the_directory_and_nowhere_else() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let failing = Failing::under(here.path());
    let put = |directory: &Path| super::put(&directory.join("file"), [&b"content"[..]], 0o666, false);
    put(here.path()).unwrap();
    let steps: Vec<_> = failing.steps().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, [Step::Create, Step::Write, Step::Sync, Step::Rename, Step::Sync]);
    for (at, _) in steps.iter().enumerate() {
        for (how, kind) in [(How::Once, None), (How::Full, Some(io::ErrorKind::StorageFull))] {
            failing.at(at, how);
            let error = put(here.path()).unwrap_err();
            assert!(kind.is_none_or(|kind| error.kind() == kind), "{error}");
            put(there.path()).unwrap();
        }
    }
    failing.at(1, How::Half);
    assert_eq!(put(here.path()).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(failing.steps().len(), 3, "half is written, and the rest is not");
    assert_eq!(std::fs::read(here.path().join("file")).unwrap(), b"content");
    assert_eq!(std::fs::read_dir(here.path()).unwrap().count(), 1, "nothing else is left");
}
