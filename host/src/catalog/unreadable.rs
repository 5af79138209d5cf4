//! That a file of the archive cannot be read, which is an error of that file and of no other.

use std::{error::Error as StdError, fmt, io, sync::Arc};

use datafusion::common::DataFusionError;

/// A file of the archive that cannot be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Its place in the archive's store.
    pub place: Arc<str>,
    /// Why, for a person.
    pub reason: String,
    /// What is wrong.
    pub cause: Cause,
}

/// What is wrong with a file that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is not what Parquet is, and will not be until somebody changes it.
    Damaged,
    /// It is not there any more.
    Gone,
    /// The disk or the object store does not give it, which may pass.
    OutOfReach,
}

impl Unreadable {
    /// The file that an error is of, if it is of one.
    pub fn of<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        chain(error).find_map(|error| error.downcast_ref())
    }

    /// That a file is not what it says.
    pub(super) fn damaged(place: &Arc<str>, reason: impl Into<String>) -> Self {
        Self { place: Arc::clone(place), reason: reason.into(), cause: Cause::Damaged }
    }

    /// What an error says of the file that was being read; nothing if it is not the file's.
    pub(super) fn by(place: &Arc<str>, error: &DataFusionError) -> Option<Self> {
        let root = error.find_root();
        let mut cause = Cause::Damaged;
        for error in chain(error) {
            if error.is::<Self>() {
                return None;
            }
            match error.downcast_ref::<object_store::Error>() {
                Some(object_store::Error::NotFound { .. }) => cause = Cause::Gone,
                Some(_) => cause = Cause::OutOfReach,
                None if cause == Cause::Damaged && error.is::<io::Error>() => cause = Cause::OutOfReach,
                None => {}
            }
        }
        let reason = match root {
            DataFusionError::ResourcesExhausted(_) => return None,
            DataFusionError::ParquetError(reason) => reason.to_string(),
            DataFusionError::ArrowError(reason, _) => reason.to_string(),
            DataFusionError::ObjectStore(reason) => reason.to_string(),
            other => other.strip_backtrace(),
        };
        Some(Self { place: Arc::clone(place), reason, cause })
    }
}

fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, reason, .. } = self;
        write!(f, "{place} cannot be read: {reason}; `wardflow archive check` tells what it holds")
    }
}

impl StdError for Unreadable {}

impl From<Unreadable> for DataFusionError {
    fn from(unreadable: Unreadable) -> Self {
        Self::External(Box::new(unreadable))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::{common::DataFusionError, parquet::errors::ParquetError};

    use super::{Cause, Unreadable};

    fn check(error: DataFusionError, expected: Option<Cause>) {
        let found = Unreadable::by(&Arc::from("a.parquet"), &error);
        assert_eq!(found.as_ref().map(|found| found.cause), expected, "{error}");
        // What the engine does to errors on their way does not hide it.
        let Some(found) = found else { return };
        let shared = DataFusionError::Shared(Arc::new(DataFusionError::from(found).context("reading")));
        let error = crate::error::Error::failed("the slice").because(shared);
        assert_eq!(
            Unreadable::of(&error).map(|found| (&*found.place, Some(found.cause))),
            Some(("a.parquet", expected))
        );
    }

    #[test]
    fn tells_whose_error_it_is() {
        let store = |error| DataFusionError::from(ParquetError::External(Box::new(error)));
        let source = || Box::from("no such file");
        check(ParquetError::EOF("no page".into()).into(), Some(Cause::Damaged));
        check(DataFusionError::Execution("no cast".into()), Some(Cause::Damaged));
        check(store(object_store::Error::NotFound { path: "a".into(), source: source() }), Some(Cause::Gone));
        check(store(object_store::Error::Generic { store: "s", source: source() }), Some(Cause::OutOfReach));
        check(std::io::Error::other("EIO").into(), Some(Cause::OutOfReach));
        check(DataFusionError::ResourcesExhausted("no memory".into()), None);
        assert!(Unreadable::of(&DataFusionError::Execution("else".into())).is_none());
    }
}
