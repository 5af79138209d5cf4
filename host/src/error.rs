//! What the host says when it cannot go on.

use std::{error::Error as StdError, fmt, io};

/// An error of the host or of its user: the rule that was broken, the value that broke it, and the remedy.
///
/// A guest's breach is no error but a [`Fault`](crate::detector::Fault).
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    excerpt: Vec<String>,
    remedy: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// By whose doing, and so with which exit code, something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The command, its configuration or its input was wrong: exit code 2.
    Usage,
    /// It was right and failed all the same: exit code 1.
    Failed,
}

/// A result that fails with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Something that was right and failed all the same.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Failed, message: message.into(), excerpt: Vec::new(), remedy: None, source: None }
    }

    /// A command, configuration or input that is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Usage, ..Self::failed(message) }
    }

    /// Adds lines of a file that show where. They are apart from the message, which is one line whatever it quotes.
    #[must_use]
    pub fn excerpt<T: Into<String>>(mut self, lines: impl IntoIterator<Item = T>) -> Self {
        self.excerpt = lines.into_iter().map(Into::into).collect();
        self
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds what lies behind it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// By whose doing it failed.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is wrong, without the lines that show where.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The lines of a file that show where.
    pub fn excerpt_lines(&self) -> &[String] {
        &self.excerpt
    }

    /// It with all that lies behind it, in one line, without the remedy.
    pub fn reason(&self) -> String {
        let mut text = self.message.clone();
        let mut source = StdError::source(self);
        while let Some(cause) = source {
            text.push_str(": ");
            match cause.downcast_ref::<Self>() {
                Some(own) => text.push_str(&own.message),
                None => text.push_str(&cause.to_string()),
            }
            source = cause.source();
        }
        text
    }

    /// What the user can do about it.
    pub fn remedy_text(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.excerpt.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Names what was being done when something failed.
pub trait Context<T> {
    /// Turns a failure into an [`Error`] that begins with what was being done.
    ///
    /// # Errors
    /// The failure itself, as the source of the new error.
    fn context(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| {
            let source = source.into();
            match source.downcast::<Error>() {
                Ok(inner) => {
                    let mut outer = Error::failed(doing());
                    (outer.kind, outer.remedy) = (inner.kind, inner.remedy.clone());
                    Error { source: Some(inner), ..outer }
                }
                Err(source) => {
                    let remedy = remedy_below(source.as_ref()).map(ToOwned::to_owned);
                    Error { remedy, ..Error::failed(doing()).because(source) }
                }
            }
        })
    }
}

/// What to do about a failure, where an error of ours or a disk is behind it, however deep that lies.
fn remedy_below<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e str> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| {
        if let Some(own) = error.downcast_ref::<Error>() {
            return own.remedy_text();
        }
        let error = error.downcast_ref::<io::Error>()?;
        // What an error of the operating system holds is not what it names as its source.
        remedy_of(error).or_else(|| remedy_below(error.get_ref()?))
    })
}

fn remedy_of(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("the disk is full: make room on it, then run the same again. What was finished is kept")
        }
        io::ErrorKind::FileTooLarge => {
            Some("allow larger files, see `ulimit -f`, then run the same again. What was finished is kept")
        }
        io::ErrorKind::ReadOnlyFilesystem => Some("make it writable, then run the same again"),
        io::ErrorKind::PermissionDenied => Some("give this user the right to it, or run the same as one who has it"),
        _ if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Some(
            "the disk failed: see the system's log, as by `dmesg`, then run the same again. What was finished is kept",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Context, Error};

    #[test]
    fn a_full_disk_is_told_however_deep_it_lies() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let remedy = |error: Error| error.remedy_text().unwrap_or_default().to_owned();
        let doing = || "cannot write it".to_owned();
        for error in [
            Err::<(), _>(full()).context(doing),
            Err(io::Error::other(full())).context(doing),
            Err(parquet::errors::ParquetError::from(full())).context(doing),
            Err(parquet::errors::ParquetError::from(io::Error::other(full()))).context(doing),
            Err(datafusion::error::DataFusionError::from(full())).context(doing),
            Err(full()).context(doing).context(|| "cannot go on".to_owned()),
            Err(object_store::Error::Generic { store: "a disk", source: full().into() }).context(doing),
        ] {
            let error = error.unwrap_err();
            assert!(error.reason().starts_with("cannot"), "{error}");
            assert!(remedy(error).starts_with("the disk is full: make room"));
        }
        let error = Err::<(), _>(io::Error::from(io::ErrorKind::NotFound)).context(doing).unwrap_err();
        assert_eq!(error.remedy_text(), None);
    }
}
