//! The lake: the result tables, and the states between slices.
//!
//! ```text
//! lake/
//!   findings/ observations/ coverage/ runs/     Delta tables, appended to
//!   states/<vendor>/<name>/<slice end>-<digest>.zst
//!   .lock                                       held by the run that analyses
//! ```
//!
//! Each commit of a slice makes one small file a table. Reading stays quick for years of slices, since the log is
//! checkpointed every fifty commits; merging the small files is not done here.
//!
//! The lake does not know what an archive, a detector or a plugin file is, nor which slices there should be.

mod commit;
mod commit_id;
mod coverage_rows;
mod location;
mod lock;
mod log;
mod result_table;
mod runs;
mod state_store;
mod states;
mod store;
mod tables;

use std::{path::Path, sync::Arc};

use datafusion::catalog::TableProvider;
use tokio::sync::Mutex;

pub use self::{
    commit::{CURRENT_FINDINGS, SliceResults},
    lock::Lock,
    commit_id::run_id,
    runs::{Run, RunStatus},
    state_store::{StateFile, StateStore},
    states::{State, StateKey, StateSet},
    tables::Table,
};
use self::{location::Location, result_table::ResultTable};
use crate::error::Result;

/// An open lake. Methods need a tokio runtime.
#[derive(Debug)]
pub struct Lake {
    location: Location,
    tables: Vec<ResultTable>,
    /// The greatest commit id that is known; absent until the first commit.
    last_commit: Mutex<Option<String>>,
}

impl Lake {
    /// Opens the lake at a path, relative to `root`, or at a URL. Nothing is created before the first commit.
    ///
    /// `options` are those of the object store (`aws_access_key_id`, `aws_region`, `aws_endpoint` ...), in any case;
    /// keys that mean nothing to it are ignored, so that the whole environment can be given.
    ///
    /// # Errors
    /// The location is neither a usable path nor a URL of a supported store.
    pub fn open(location: &str, root: &Path, options: &[(String, String)]) -> Result<Self> {
        let location = Location::resolve(location, root, options)?;
        let tables = Table::ALL.iter().map(|table| ResultTable::new(*table, &location)).collect::<Result<_>>()?;
        Ok(Self { location, tables, last_commit: Mutex::new(None) })
    }

    /// A table as it is now: every row, also those that do not count (see [`CURRENT_FINDINGS`]). Text columns are
    /// `Utf8View`. A table that was never written is empty.
    ///
    /// # Errors
    /// The table cannot be read, or an older Wardflow made it and it lacks a column.
    pub async fn table(&self, table: Table) -> Result<Arc<dyn TableProvider>> {
        self.result_table(table).provider().await
    }

    /// The states between slices.
    ///
    /// # Errors
    /// None that a usable location allows.
    pub fn states(&self) -> Result<StateStore> {
        Ok(StateStore::new(self.location.child("states")?))
    }

    /// Keeps other runs from analysing into this lake; `holder` is what they are told, such as the command line.
    ///
    /// # Errors
    /// Another process holds it: the error names it.
    pub fn lock(&self, holder: &str) -> Result<Lock> {
        match &self.location.directory {
            Some(directory) => Lock::take(directory, holder),
            None => Ok(Lock::none()),
        }
    }

    fn result_table(&self, table: Table) -> &ResultTable {
        &self.tables[table as usize]
    }
}
