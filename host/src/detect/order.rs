//! The order of a device's flows as one plugin sees them.
//!
//! Flows that end together are ordered by the columns that the plugin declares, and then by the peer's address, which an
//! example flow shows: what another plugin declares makes no difference. Few end together, and fewer of them have to change
//! places, so an order is the places that hold another row than in the shard's own order.

use std::ops::Range;

use crate::detector::Values;

/// Where a plugin's order of a device's rows differs from the shard's.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// A place and the row that stands there, both numbers of rows of the shard; by place.
    moved: Vec<(usize, usize)>,
}

impl Order {
    /// Orders runs of rows that end together, which follow each other.
    pub(super) fn new(ties: &[Range<usize>], compare: impl Fn(usize, usize) -> std::cmp::Ordering) -> Self {
        let mut moved = Vec::new();
        let mut rows = Vec::new();
        for tie in ties {
            rows.clear();
            rows.extend(tie.clone());
            rows.sort_by(|a, b| compare(*a, *b));
            moved.extend(tie.clone().zip(rows.iter().copied()).filter(|(place, row)| place != row));
        }
        Self { moved }
    }

    /// Whether it is the shard's own order.
    pub(super) const fn is_the_shards(&self) -> bool {
        self.moved.is_empty()
    }

    /// The row at a place.
    pub(super) fn row(&self, place: usize) -> usize {
        match self.moved.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(index) => self.moved[index].1,
            Err(_) => place,
        }
    }

    /// A column's values at places that follow each other.
    pub(super) fn slice(&self, values: &Values, places: Range<usize>) -> Values {
        let mut slice = values.slice(places.clone());
        let from = self.moved.partition_point(|(place, _)| *place < places.start);
        for (place, row) in self.moved[from..].iter().take_while(|(place, _)| *place < places.end) {
            slice.copy(place - places.start, values, *row);
        }
        slice
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, Values};

    #[test]
    fn what_ends_together_changes_places_and_nothing_else() {
        let values = Values::U16(vec![9, 3, 1, 2, 7, 5, 5, 4]);
        let order = Order::new(&[1..4, 5..8], |a, b| values.compare(a, b));
        let sorted = [9, 1, 2, 3, 7, 4, 5, 5];
        for (from, until) in (0..=8).flat_map(|from| (from..=8).map(move |until| (from, until))) {
            assert_eq!(order.slice(&values, from..until), Values::U16(sorted[from..until].to_vec()));
        }
        // Of equal ones the first stays first.
        assert_eq!((0..8).map(|place| order.row(place)).collect::<Vec<_>>(), [0, 2, 3, 1, 4, 7, 5, 6]);
    }
}
