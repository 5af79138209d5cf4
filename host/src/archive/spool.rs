//! A copy of a content for a program that reads files, and what a program makes of it. What a small compressed file
//! decompresses to has no bound, and must not fill the disk.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use crate::error::{Context, Error, Result};

/// Bytes that are copied from one look at the disk to the next. What is smaller is copied whatever is free.
const STEP: u64 = 64 << 20;

/// Bytes that must stay free: what the archive, and others on that disk, need to go on.
const RESERVE: u64 = 1 << 30;

/// Of a small disk one part in so many must stay free, where that is less.
const SHARE: u64 = 20;

const MIB: u64 = 1 << 20;

const WHAT: &str = "copying it for the program that reads it";

/// Copies a content into a new file.
///
/// # Errors
/// It cannot be read or written, or less than a reserve would stay free on the disk. Of the copy nothing is left then.
pub(super) fn spool(content: impl Read, file: &Path) -> Result<()> {
    copy(content, file, STEP, || disk(file))
}

/// Checks what a program writes into a file as it does so.
///
/// # Errors
/// The disk does not tell what is free, or that is less than the reserve, though the file is large enough to matter.
pub(super) fn check_written(file: &Path) -> Result<()> {
    let written = fs::metadata(file).map_or(0, |about| about.len());
    if written < STEP { Ok(()) } else { check(written, file, disk(file).context(|| WHAT.into())?) }
}

/// The bytes that are free on the disk of a path, and those that must stay so.
fn disk(path: &Path) -> io::Result<(u64, u64)> {
    let disk = rustix::fs::statvfs(path)?;
    Ok((disk.f_bavail * disk.f_frsize, RESERVE.min(disk.f_blocks * disk.f_frsize / SHARE)))
}

fn check(written: u64, path: &Path, (free, reserve): (u64, u64)) -> Result<()> {
    if free >= reserve {
        return Ok(());
    }
    Err(Error::failed(format!(
        "the program that reads it needs a plain copy, and after {} MiB of that {} MiB are free on the disk of {}; {} \
         MiB must stay free",
        written / MIB,
        free / MIB,
        path.display(),
        reserve / MIB
    ))
    .remedy("make room there, or decompress it yourself and give it in smaller files"))
}

/// `disk` tells the bytes that are free, and those that must stay so.
fn copy(mut content: impl Read, path: &Path, step: u64, disk: impl Fn() -> io::Result<(u64, u64)>) -> Result<()> {
    let what = || WHAT.into();
    let mut file = File::create(path).context(what)?;
    let mut copied = 0;
    loop {
        let more = io::copy(&mut content.by_ref().take(step), &mut file).context(what)?;
        copied += more;
        if more < step {
            return Ok(());
        }
        if let Err(error) = check(copied, path, disk().context(what)?) {
            fs::remove_file(path).context(what)?;
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        fs::{self, File},
        io,
    };

    use super::{MIB, RESERVE, STEP, check, check_written, copy, spool};

    #[test]
    fn a_content_is_copied() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("content");
        for content in [&b""[..], b"abcd", b"abcdefghij"] {
            copy(content, &path, 4, || Ok((RESERVE, RESERVE))).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        spool(&b"small"[..], &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"small");
    }

    #[test]
    fn one_without_end_stops_at_the_reserve() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("content");
        let free = Cell::new(RESERVE + 3 * MIB);
        let error = copy(io::repeat(0), &path, MIB, || {
            free.set(free.get() - MIB);
            Ok((free.get(), RESERVE))
        })
        .unwrap_err();
        let reason = error.reason();
        assert!(
            reason.contains("after 4 MiB of that 1023 MiB are free") && reason.contains("1024 MiB must"),
            "{reason}"
        );
        assert!(error.remedy_text().unwrap().contains("decompress it yourself"));
        assert!(!path.exists());
    }

    #[test]
    fn what_a_program_writes_is_checked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("records");
        check_written(&path).unwrap();
        check(STEP, &path, (RESERVE, RESERVE)).unwrap();
        let error = check(STEP, &path, (RESERVE - 1, RESERVE)).unwrap_err();
        assert!(error.reason().contains("after 64 MiB of that 1023 MiB are free"), "{}", error.reason());
        // Of a file with a hole no disk fills up.
        File::create(&path).unwrap().set_len(STEP).unwrap();
        assert_eq!(check_written(&path).is_ok(), super::disk(&path).map(|(free, reserve)| free >= reserve).unwrap());
    }
}
