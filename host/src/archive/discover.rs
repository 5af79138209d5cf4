//! The files of a directory that are to be ingested.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Endings of compressed files; none for plain ones.
pub(super) const COMPRESSED: [&str; 5] = ["", ".gz", ".zst", ".bz2", ".xz"];

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The files, in order of path.
    pub(super) files: Vec<PathBuf>,
    /// Links in it to directories, in order of path.
    pub(super) links: Vec<PathBuf>,
    /// Directories in it that cannot be read.
    pub(super) unreadable: Vec<(PathBuf, io::Error)>,
}

/// Every file in a directory and the directories in it whose name is wanted, in order of path.
///
/// Where a file lies beside its own compressed or labelled copy, only the file itself is taken, or its flows would count
/// twice. Links to directories are not followed, for Zeek's `current` is one, and its logs grow. Hidden files are none.
///
/// A directory in it that cannot be read is returned with its error, and the others go on.
pub(super) fn files(directory: &Path, is_wanted: impl Fn(&str) -> bool) -> io::Result<Found> {
    let mut found = Found::default();
    let mut directories = vec![directory.to_owned()];
    while let Some(inside) = directories.pop() {
        let entries = fs::read_dir(&inside).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) if inside == directory => return Err(error),
            Err(error) => {
                found.unreadable.push((inside, error));
                continue;
            }
        };
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            if entry.file_type()?.is_dir() {
                directories.push(entry.path());
            } else if entry.path().is_dir() {
                found.links.push(entry.path());
            } else if is_wanted(&name) && entry.path().is_file() {
                found.files.push(entry.path());
            }
        }
    }
    found.files.retain(|path| !is_copy(path));
    found.files.sort();
    found.links.sort();
    Ok(found)
}

fn is_copy(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    let copies = ["gz", "zst", "bz2", "xz", "labeled", "labelled"];
    copies.iter().any(|copy| ending == *copy) && path.with_extension("").is_file()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Found, files};

    #[test]
    fn a_copy_is_left_out_and_directories_are_gone_through() {
        let directory = tempfile::tempdir().unwrap();
        let day = directory.path().join("2024-05-01");
        fs::create_dir(&day).unwrap();
        for name in ["b.log.gz", "b.log", "c.log.xz", ".d.log", "a.txt"] {
            fs::write(day.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(&day, directory.path().join("current")).unwrap();
        let Found { files, links, unreadable } = files(directory.path(), |name| !name.ends_with(".txt")).unwrap();
        assert!(unreadable.is_empty());
        assert_eq!(links, [directory.path().join("current")]);
        let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["b.log", "c.log.xz"]);
    }
}
