//! Where rows go: stdout, or a file that appears when it is complete.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, BufWriter, Stdout, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;
use wardflow::error::{Context, Result};

use super::unwritable;

/// Where rows go.
pub(super) enum Destination {
    Stdout(BufWriter<Stdout>),
    /// A temporary file beside the path that it is renamed to.
    New(BufWriter<NamedTempFile>, PathBuf),
    /// A pipe or a device.
    Special(BufWriter<File>),
}

impl Destination {
    pub(super) fn stdout() -> Self {
        Self::Stdout(BufWriter::new(io::stdout()))
    }

    /// A file that replaces the one at `path` when it is finished, and leaves it alone if it never is.
    pub(super) fn file(path: &Path) -> Result<Self> {
        let doing = || format!("cannot write {}", path.display());
        if path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
            return Ok(Self::Special(BufWriter::new(OpenOptions::new().write(true).open(path).context(doing)?)));
        }
        // What a link leads to is replaced, and not the link: /dev/stdout is one.
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".wardflow-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(directory)
            .context(doing)?;
        Ok(Self::New(BufWriter::new(file), path.to_owned()))
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.flush().map_err(unwritable)?;
        if let Self::New(writer, path) = self {
            let doing = || format!("cannot write {}", path.display());
            let file = writer.into_inner().map_err(io::IntoInnerError::into_error).context(doing)?;
            file.as_file().sync_all().context(doing)?;
            file.persist(&path).map_err(|error| error.error).context(doing)?;
        }
        Ok(())
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(writer) => writer.write(bytes),
            Self::New(writer, _) => writer.write(bytes),
            Self::Special(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(writer) => writer.flush(),
            Self::New(writer, _) => writer.flush(),
            Self::Special(writer) => writer.flush(),
        }
    }
}
