//! By whose doing a source was not added.

use crate::error::Error;

/// By whose doing a source was not added.
#[derive(Debug)]
pub(in crate::archive) enum Failure {
    /// The source's: it is refused, and the others go on.
    Source(Error),
    /// The archive's: nothing goes on.
    Archive(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Archive(error)
    }
}
