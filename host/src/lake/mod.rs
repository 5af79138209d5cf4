//! The lake: the tables of results and of what people said, and the states between slices.
//!
//! ```text
//! lake/
//!   findings/ observations/ coverage/ runs/     Delta tables, appended to by runs
//!   exceptions/ triage/ resets/                 the same, appended to by people
//!   states/<vendor>/<name>/<slice end>-<digest>.zst
//!   .lock                                       held by the run that analyses
//! ```
//!
//! Each commit of a slice makes one small file a table. Opening stays quick because the log is checkpointed every fifty
//! commits, reading because [`Lake::merge_files`] merges the files when there are many.
//!
//! The lake does not know what an archive, a detector or a plugin file is, nor which slices there should be.

mod commit;
mod commit_id;
mod coverage_rows;
mod damage;
mod location;
mod lock;
mod log;
mod lost;
mod merge;
mod remarks;
mod result_table;
mod runs;
mod state_store;
mod states;
mod store;
mod tables;

use std::{path::Path, sync::Arc};

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use tokio::sync::Mutex;

pub use self::{
    commit::{CURRENT_FINDINGS, SliceResults},
    commit_id::id_at,
    lock::Lock,
    runs::{Run, RunStatus},
    state_store::{Kept, StateFile, StateStore},
    states::{KEY_MARK, State, StateKey, StateSet, is_same_config},
    tables::Table,
};
use self::{location::Location, result_table::ResultTable};
use crate::error::Result;

/// So many small files are merged: reading them costs some tens of milliseconds.
const MANY: usize = 64;

/// An open lake. Methods need a tokio runtime.
#[derive(Debug)]
pub struct Lake {
    location: Location,
    tables: Vec<ResultTable>,
    states: StateStore,
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
        let states = StateStore::new(location.child("states")?);
        Ok(Self { location, tables, states, last_commit: Mutex::new(None) })
    }

    /// A table as it is now: every row, also those that do not count (see [`CURRENT_FINDINGS`]). Text columns are
    /// `Utf8View`. A table that was never written is empty.
    ///
    /// Whoever joins tables uses [`Lake::all_tables`].
    ///
    /// # Errors
    /// The table cannot be read, or an older Wardflow made it and it lacks a column.
    pub async fn table(&self, table: Table) -> Result<Arc<dyn TableProvider>> {
        self.result_table(table).provider().await
    }

    /// Every table as it is now, seen in an order that makes joins whole: coverage first, so that whatever it makes
    /// visible was written before the other tables are looked at. Each may fail for itself, as [`Lake::table`] does; so
    /// does one that is lost.
    pub async fn all_tables(&self) -> Vec<(Table, Result<Arc<dyn TableProvider>>)> {
        let mut tables = Vec::new();
        let others = Table::ALL.into_iter().filter(|table| *table != Table::Coverage);
        for table in std::iter::once(Table::Coverage).chain(others) {
            let provider = match self.lost(table).await {
                Ok(None) => self.table(table).await,
                Ok(Some(error)) | Err(error) => Err(error),
            };
            tables.push((table, provider));
        }
        tables
    }

    /// The columns of a table as they are read.
    pub fn schema(&self, table: Table) -> SchemaRef {
        self.result_table(table).schema()
    }

    /// The states between slices.
    pub const fn states(&self) -> &StateStore {
        &self.states
    }

    /// Merges the small files of tables that have many; for the end of a run. Returns how many files were replaced.
    ///
    /// # Errors
    /// A table cannot be read or written, or another process merged it at once. No row is lost by it.
    pub async fn merge_files(&self) -> Result<u64> {
        let mut replaced = 0;
        for table in &self.tables {
            replaced += table.merge_files(MANY).await?;
        }
        Ok(replaced)
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
