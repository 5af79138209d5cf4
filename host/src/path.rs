//! Paths as they are given, made plain.

use std::{
    io,
    path::{Path, PathBuf},
};

/// An absolute path without links or dots, though its end may not exist yet.
pub(crate) fn canonical(path: &Path) -> io::Result<PathBuf> {
    fn existing(path: &Path) -> io::Result<PathBuf> {
        match (path.canonicalize(), path.parent(), path.file_name()) {
            (Err(error), Some(parent), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
                Ok(existing(parent)?.join(name))
            }
            (found, ..) => found,
        }
    }
    existing(&std::path::absolute(path)?)
}
