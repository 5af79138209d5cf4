//! Mappings: how the columns of another program's records become those of a flow.
//!
//! A mapping is a file of TOML. Under `[columns]` each canonical column has a SQL expression over the columns of the
//! source, or a list of them, of which the first counts that the source has all columns for: so one mapping serves
//! sources that differ in what they have, and `NULL` as the last makes a column one that may be missing.
//!
//! ```toml
//! [source]
//! where = "log_status = 'OK'"
//!
//! [columns]
//! start_time = "to_timestamp_seconds(first)"
//! src_bytes = ["traffic['bytes_out']", "traffic['bytes']"]
//! tcp_flags = ["tcp_flags", "NULL"]
//! ```
//!
//! Expressions are DataFusion's SQL of one record: columns, values, operators, `CASE`, `CAST`, and those functions that
//! come to the same whenever they are computed, and to no more than their arguments' size (`allowed.rs` names them). Patterns
//! are the same for every record, and compile to little (`patterns.rs`).
//! Names of columns count as they are written, in lower and upper case; those that are words of SQL stand in double
//! quotes. [`Mapping::fit`] holds a mapping against the columns of one source.
//!
//! A time that says no offset is UTC, but for text that is ingested: there it is of the zone that [`Fit::in_zone`] is given.

mod allowed;
mod fit;
mod halving;
mod kind;
mod lenient;
mod patterns;
mod read;
mod time;
mod told;
mod zone;

use std::{ops::Range, path::PathBuf, sync::LazyLock};

use datafusion::{
    execution::{SessionStateBuilder, session_state::SessionState},
    prelude::SessionConfig,
};

pub use self::fit::{Fit, Misfit, Planned};
pub(crate) use self::{halving::halving, kind::kind, told::told};
use crate::flow::FlowColumn;

/// The mappings that come along, by name.
pub const SHIPPED: [(&str, &str); 2] =
    [("aws-vpc", include_str!("aws-vpc.toml")), ("ocsf-network-activity", include_str!("ocsf-network-activity.toml"))];

/// A mapping that was read, and not yet held against a source.
#[derive(Debug)]
pub struct Mapping {
    /// How its source is to be read.
    pub source: Source,
    path: PathBuf,
    text: String,
    columns: Vec<Mapped>,
    /// Which records are flows; empty for all.
    condition: Vec<Expression>,
}

/// How a source is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What parts the fields of delimited text: one byte.
    pub delimiter: u8,
    /// Whether the first line of delimited text names the columns.
    pub header: bool,
    /// The columns of delimited text, in place of what a header says; empty if the header counts.
    pub columns: Vec<String>,
    /// What a line of delimited text begins with that is a comment.
    pub comment: Option<u8>,
    /// The texts that stand for no value.
    pub null: Vec<String>,
    /// Whether a record is of one direction, or of a connection up to some moment, and is joined with others.
    pub parts: bool,
}

/// A canonical column with its expressions, the first that fits being the one that counts.
#[derive(Debug)]
struct Mapped {
    column: &'static FlowColumn,
    expressions: Vec<Expression>,
}

/// A SQL expression and where it stands in the mapping's text.
#[derive(Debug)]
struct Expression {
    sql: String,
    span: Range<usize>,
}

/// What parses and plans expressions. Names of columns keep their case: those of a source are not the user's choice.
static SQL: LazyLock<SessionState> = LazyLock::new(|| {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.enable_ident_normalization = false;
    SessionStateBuilder::new().with_config(config).with_default_features().build()
});

#[cfg(test)]
mod tests;
