//! Directories in which a link leads to itself or to a directory above it, or a name is no text. A store that meets one lists
//! nothing after it.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Whether the listing ended at such a link.
pub(super) fn is_loop(error: &object_store::Error) -> bool {
    let first: Option<&(dyn std::error::Error + 'static)> = Some(error);
    std::iter::successors(first, |&error| error.source()).any(|error| match error.downcast_ref::<io::Error>() {
        Some(error) => error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()),
        // The error of who walked has no type that can be named here.
        None => error.to_string().starts_with("File system loop found"),
    })
}

/// Whether the listing ended at a name that is no text.
pub(super) fn is_no_text(error: &object_store::Error) -> bool {
    let first: Option<&(dyn std::error::Error + 'static)> = Some(error);
    std::iter::successors(first, |&error| error.source()).any(|error| error.to_string().contains("non-unicode"))
}

/// Warns of a file whose name is no text, once.
fn pass_over(path: PathBuf) {
    static TOLD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone()) {
        tracing::warn!("{path:?} in the archive is passed over: its name is no UTF-8; rename it, or move it out");
    }
}

/// The files under a directory and under those that links lead to, but for those that lead back. What leads nowhere is none,
/// and what has a name that is no text is passed over.
///
/// # Errors
/// A directory cannot be read.
pub(super) fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    // With the directories above, as they really lie.
    let mut waiting = vec![(root.to_owned(), Vec::new())];
    while let Some((directory, mut above)) = waiting.pop() {
        let place = directory.canonicalize()?;
        if above.contains(&place) {
            continue;
        }
        above.push(place);
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.to_str().is_none() {
                pass_over(path);
                continue;
            }
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => waiting.push((path, above.clone())),
                Ok(metadata) if metadata.is_file() => files.push(path),
                _ => {}
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsStr,
        fs,
        os::unix::{ffi::OsStrExt, fs::symlink},
    };

    use super::files;

    #[test]
    fn links_are_followed_until_they_lead_back() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("root/inner")).unwrap();
        fs::create_dir(at("other")).unwrap();
        for file in ["root/a", "root/inner/b", "other/c"] {
            fs::write(at(file), "").unwrap();
        }
        symlink(at("root/itself"), at("root/itself")).unwrap();
        symlink(at("nowhere"), at("root/dangling")).unwrap();
        symlink(at("root"), at("root/inner/above")).unwrap();
        symlink(at("other"), at("root/aside")).unwrap();
        fs::write(at("root").join(OsStr::from_bytes(b"\xff.parquet")), "").unwrap();
        let mut found = files(&at("root")).unwrap();
        found.sort();
        assert_eq!(found, ["root/a", "root/aside/c", "root/inner/b"].map(at));
    }
}
