//! Memory of rows, used again from slice to slice.
//!
//! A slice's rows are most of what a run holds. Were they freed and allocated anew, then either their memory would go back
//! to the system, which clears every page that it gives out again, or it would lie in pieces that fit nothing, and a long
//! run would take more than a short one.

use std::sync::{Mutex, PoisonError};

use super::chunks::CHUNK_ROWS;

/// Vectors of chunks that nobody uses, each with room for [`CHUNK_ROWS`] values. As many are kept as were ever in use at
/// once.
#[derive(Debug, Default)]
pub(super) struct Recycled {
    bytes: Mutex<Vec<Vec<u8>>>,
    shorts: Mutex<Vec<Vec<u16>>>,
    words: Mutex<Vec<Vec<u32>>>,
    longs: Mutex<Vec<Vec<u64>>>,
}

/// A type of value that chunks hold.
pub(super) trait Kept: Copy {
    /// Where its vectors are kept.
    fn place(recycled: &Recycled) -> &Mutex<Vec<Vec<Self>>>;
}

macro_rules! kept {
    ($($type:ty: $place:ident,)*) => {
        $(impl Kept for $type {
            fn place(recycled: &Recycled) -> &Mutex<Vec<Vec<Self>>> {
                &recycled.$place
            }
        })*
    };
}
kept!(u8: bytes, u16: shorts, u32: words, u64: longs,);

impl Recycled {
    /// An empty vector with room for a chunk.
    pub(super) fn take<T: Kept>(&self) -> Vec<T> {
        let kept = T::place(self).lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Vec::with_capacity(CHUNK_ROWS))
    }

    /// Takes vectors back, whatever is in them.
    pub(super) fn give<T: Kept>(&self, vectors: impl IntoIterator<Item = Vec<T>>) {
        let cleared = vectors.into_iter().map(|mut vector| {
            vector.clear();
            vector
        });
        T::place(self).lock().unwrap_or_else(PoisonError::into_inner).extend(cleared);
    }

    /// How many vectors of each type are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> [usize; 4] {
        fn of<T: Kept>(recycled: &Recycled) -> usize {
            T::place(recycled).lock().unwrap_or_else(PoisonError::into_inner).len()
        }
        [of::<u8>(self), of::<u16>(self), of::<u32>(self), of::<u64>(self)]
    }
}
