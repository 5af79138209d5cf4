//! Tables that are not there although something was written into them: without findings, nothing would seem to be found.

use datafusion::prelude::SessionContext;

use super::{Lake, Run, Table};
use crate::error::{Context, Error, Result};

impl Lake {
    /// That a table was there and is not any more, if the runs say so. Of a lake that is gone as a whole nothing says
    /// anything, and it begins anew.
    ///
    /// # Errors
    /// The runs cannot be read.
    pub async fn lost(&self, table: Table) -> Result<Option<Error>> {
        let written = match table {
            Table::Findings => |run: &Run| run.findings,
            Table::Coverage => |run: &Run| run.slices,
            // No run says how many observations there were, and none that it was the first.
            Table::Observations | Table::Runs => return Ok(None),
            // No run writes these.
            Table::Exceptions | Table::Triage | Table::Resets => return Ok(None),
        };
        if self.result_table(table).exists().await? {
            return Ok(None);
        }
        let rows = self.all_runs().await?.iter().map(written).max().unwrap_or(0);
        Ok((rows > 0).then(|| self.result_table(table).is_gone()))
    }

    /// That a file of a table is not there any more: nothing of the table can be read then.
    ///
    /// # Errors
    /// The table's files cannot be listed.
    pub async fn lacks_file(&self, table: Table) -> Result<Option<Error>> {
        self.result_table(table).lacks_file().await
    }

    /// Every run, as it stood when it began and when it ended.
    pub(super) async fn all_runs(&self) -> Result<Vec<Run>> {
        let doing = || "cannot read the table runs".to_owned();
        let table = self.table(Table::Runs).await?;
        let batches = SessionContext::new().read_table(table).context(doing)?.collect().await;
        let mut runs = Vec::new();
        for batch in &batches.map_err(|error| self.unreadable(Table::Runs, &error))? {
            runs.append(&mut Run::from_batch(batch)?);
        }
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::lake::{
        Run, Table,
        commit::tests::{lake, slice},
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_that_is_gone_is_missed() {
        let directory = tempfile::tempdir().unwrap();
        let lake = lake(directory.path());
        let run = Run::begin("analyze", None).unwrap();
        lake.record_run(&run).await.unwrap();
        for table in Table::ALL {
            assert!(lake.lost(table).await.unwrap().is_none(), "{table:?} was never written");
        }
        lake.commit_slice(slice(1, &[("pump", "loud")])).await.unwrap();
        lake.record_run(&Run { ended_at: Some(run.started_at), slices: 1, findings: 1, ..run }).await.unwrap();
        for table in [Table::Findings, Table::Coverage] {
            assert!(lake.lost(table).await.unwrap().is_none(), "{table:?} is there");
            fs::remove_dir_all(directory.path().join("the lake").join(table.name())).unwrap();
            let lost = lake.lost(table).await.unwrap().unwrap();
            assert!(lost.to_string().contains(table.name()), "{lost}");
            assert!(lost.remedy_text().unwrap().contains("wardflow analyze --rerun"), "{lost:?}");
        }
    }
}
