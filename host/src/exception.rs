//! The exception: findings that the hospital has looked at and does not want to see for a while.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::flow::time_type;

/// Bytes of a text that somebody says: a condition, a reason, a note.
pub const MOST_BYTES: usize = 4_096;

/// That an exception was made, or taken back. Of one `exception_id` the last row counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Eight hex digits.
    pub exception_id: String,
    /// When this was said.
    pub time: Timestamp,
    /// Whether it is taken back by this.
    pub is_revoked: bool,
    /// Which findings: a condition in SQL over the columns of `findings`.
    pub predicate: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Until when; then the findings are shown again.
    pub expires: Timestamp,
}

impl Exception {
    /// One that is made now.
    pub fn new(predicate: String, owner: String, reason: String, expires: Timestamp) -> Self {
        let time = Timestamp::now();
        let digest = blake3::hash(format!("{predicate}\0{owner}\0{reason}\0{expires}\0{time}").as_bytes());
        let exception_id = digest.to_hex()[..8].to_owned();
        Self { exception_id, time, is_revoked: false, predicate, owner, reason, expires }
    }

    /// What it comes to at a time.
    pub fn status(&self, now: Timestamp) -> &'static str {
        match self {
            Self { is_revoked: true, .. } => "revoked",
            Self { expires, .. } if *expires <= now => "expired",
            _ => "active",
        }
    }
}

/// Of all that was said of exceptions, what counts, in the order in which they were made.
pub fn current(mut said: Vec<Exception>) -> Vec<Exception> {
    said.sort_by_key(|exception| exception.time);
    let mut current: Vec<Exception> = Vec::new();
    for exception in said {
        match current.iter_mut().find(|known| known.exception_id == exception.exception_id) {
            Some(known) => *known = exception,
            None => current.push(exception),
        }
    }
    current
}

/// Columns of the table `exceptions`, in the order of [`Exception`].
pub fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text("exception_id"),
        Field::new("time", time_type(), true),
        Field::new("is_revoked", DataType::Boolean, true),
        text("predicate"),
        text("owner"),
        text("reason"),
        Field::new("expires", time_type(), true),
    ]))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Exception, current};

    #[test]
    fn the_last_word_counts() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let first = Exception { time: at(1), ..Exception::new("a".into(), "o".into(), "r".into(), at(100)) };
        let other = Exception { time: at(2), ..Exception::new("b".into(), "o".into(), "r".into(), at(100)) };
        let revoked = Exception { time: at(3), is_revoked: true, ..first.clone() };
        let said = current(vec![revoked, other, first]);
        assert_eq!(said.iter().map(|exception| exception.status(at(50))).collect::<Vec<_>>(), ["revoked", "active"]);
        assert_eq!(said[1].status(at(100)), "expired");
    }
}
