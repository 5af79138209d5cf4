//! What is found of slices, as they are asked for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

/// Slices of which something is kept: those that a scan is in the midst of.
const KEPT: usize = 16;

/// What was found, by the slice's number.
#[derive(Debug)]
pub(super) struct PerSlice<T>(Mutex<BTreeMap<i64, Arc<OnceCell<Arc<T>>>>>);

impl<T> Default for PerSlice<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> PerSlice<T> {
    /// The place of what is found of a slice. Where there are too many, what is farthest from it is let go.
    pub(super) fn cell(&self, slice: i64) -> Arc<OnceCell<Arc<T>>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = Arc::clone(known.entry(slice).or_default());
        while known.len() > KEPT {
            let far = if known.first_key_value().is_some_and(|(first, _)| *first < slice) {
                known.pop_first()
            } else {
                known.pop_last()
            };
            drop(far);
        }
        cell
    }
}
