//! Texts of a column as numbers.
//!
//! Flows hold few distinct addresses, services and names, so a row costs one look into a small table. A text of up to
//! 15 bytes, which every IPv4 address is, is looked up as an integer.

use std::collections::HashMap;

use arrow::array::{Array, StringViewArray};
use foldhash::fast::FixedState;

/// The numbers of the texts that were met.
#[derive(Debug, Default)]
pub(super) struct TextNumbers {
    short: HashMap<u128, u32, FixedState>,
    long: HashMap<Box<str>, u32, FixedState>,
}

/// Longest text that fits into an integer beside its length.
const SHORT: usize = 15;

impl TextNumbers {
    /// The number of each row's text: `absent` where there is none, and what `number` says of a text that is new.
    pub(super) fn of(
        &mut self,
        column: &StringViewArray,
        absent: u32,
        mut number: impl FnMut(&str) -> u32,
    ) -> Vec<u32> {
        // Equal views of one array are equal texts; a run of them is looked up once.
        let mut last = None;
        let mut look_up = |row: usize, view: u128| match last {
            Some((same, number)) if same == view => number,
            _ => {
                let number = self.number(column, row, view, &mut number);
                last = Some((view, number));
                number
            }
        };
        let views = column.views().iter().enumerate();
        match column.nulls() {
            None => views.map(|(row, view)| look_up(row, *view)).collect(),
            Some(nulls) => {
                views.map(|(row, view)| if nulls.is_valid(row) { look_up(row, *view) } else { absent }).collect()
            }
        }
    }

    fn number(&mut self, column: &StringViewArray, row: usize, view: u128, number: impl FnOnce(&str) -> u32) -> u32 {
        match integer(column, row, view) {
            Some(integer) => *self.short.entry(integer).or_insert_with(|| number(column.value(row))),
            None => {
                let text = column.value(row);
                if let Some(known) = self.long.get(text) {
                    return *known;
                }
                let number = number(text);
                self.long.insert(text.into(), number);
                number
            }
        }
    }
}

/// A short text as an integer: its bytes, then its length. A view begins with the length; up to twelve bytes follow it.
fn integer(column: &StringViewArray, row: usize, view: u128) -> Option<u128> {
    let length = view as u32 as usize;
    let bytes = match length {
        0..=12 => view >> 32,
        13..=SHORT => {
            let mut bytes = [0; 16];
            bytes[..length].copy_from_slice(column.value(row).as_bytes());
            u128::from_le_bytes(bytes)
        }
        _ => return None,
    };
    Some(bytes | (length as u128) << 120)
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;

    use super::TextNumbers;

    #[test]
    fn equal_texts_have_one_number() {
        let texts = ["10.0.0.1", "10.0.0.1", "192.168.100.20", "192.168.100.2", "fd00:1:2:3::4:5:6", "", "10.0.0.1\0"];
        let rows: Vec<_> = texts.iter().chain(&texts).map(|text| Some(*text)).chain([None]).collect();
        let mut numbers = TextNumbers::default();
        let mut met = Vec::new();
        let mut number = |column: Vec<Option<&str>>| {
            numbers.of(&StringViewArray::from(column), 99, |text| {
                met.push(text.to_owned());
                met.len() as u32 - 1
            })
        };
        let first = number(rows.clone());
        assert_eq!(first, [0, 0, 1, 2, 3, 4, 5, 0, 0, 1, 2, 3, 4, 5, 99]);
        assert_eq!(number(rows.into_iter().rev().collect()), first.into_iter().rev().collect::<Vec<_>>());
        assert_eq!(met, ["10.0.0.1", "192.168.100.20", "192.168.100.2", "fd00:1:2:3::4:5:6", "", "10.0.0.1\0"]);
    }
}
