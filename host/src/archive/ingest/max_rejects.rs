//! From how many rejects on a source is refused: the wrong file is found out early.

use std::{fmt, str::FromStr};

use super::counts::Counts;
use crate::error::{Error, Result};

/// Records from which on a share of rejects means something.
const ENOUGH: u64 = 1_000;

/// How many records of a source may be refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxRejects {
    /// So many.
    Number(u64),
    /// So many of a hundred.
    Percent(f64),
}

impl fmt::Display for MaxRejects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(most) => write!(f, "{most}"),
            Self::Percent(most) => write!(f, "{most}%"),
        }
    }
}

impl FromStr for MaxRejects {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().filter(|most| (0.0..=100.0).contains(most)).map(Self::Percent),
            None => text.parse().ok().map(Self::Number),
        };
        parsed.ok_or_else(|| "it must be a number of records such as 100, or a share such as 1%".to_owned())
    }
}

impl MaxRejects {
    /// Refuses a source that has more, so far or at its end.
    pub(super) fn check(self, counts: &Counts, is_end: bool, reason: Option<&str>) -> Result<()> {
        let (rejects, records) = (counts.rejects, counts.records);
        let is_over = match self {
            Self::Number(most) => rejects > most,
            Self::Percent(most) => (is_end || records >= ENOUGH) && rejects as f64 * 100.0 > records as f64 * most,
        };
        if !is_over {
            return Ok(());
        }
        let reason = reason.unwrap_or_default();
        Err(Error::usage(format!("{rejects} of its first {records} records cannot be read, and --max-rejects allows {self}; the first: {reason}"))
            .remedy("give the right file or format, or allow more"))
    }
}
