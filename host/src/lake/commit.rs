//! Committing a slice: findings, observations, then coverage, which makes the other two count.
//!
//! Delta commits one table at a time. What a killed run left of a slice has no row in coverage with its commit, so
//! nobody sees it, and the next run writes the slice anew under another commit.

use std::{collections::BTreeSet, sync::Arc};

use arrow::{
    array::{Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema},
};
use datafusion::prelude::SessionContext;
use jiff::Timestamp;

use super::{Lake, Table, commit_id, coverage_rows, runs::Run};
use crate::{
    coverage::Row,
    error::{Context, Error, Result},
    flow::time_type,
};

/// SQL for the findings that count, over the raw tables `findings` and `coverage`. Readers without Wardflow need it.
///
/// A reader that opens `findings` before `coverage` while a run commits may miss the findings of the slice that is being
/// committed; the next reading has them.
pub const CURRENT_FINDINGS: &str = "\
SELECT f.*
FROM findings AS f
JOIN (
  SELECT plugin, slice_start, max(commit) AS commit
  FROM coverage
  WHERE device_id IS NULL
  GROUP BY plugin, slice_start
) AS c
ON f.plugin = c.plugin AND f.slice_start = c.slice_start AND f.commit = c.commit";

/// What the plugins made of one slice, or of several. Whatever is in a `commit` column is replaced.
#[derive(Clone, Debug, Default)]
pub struct SliceResults {
    /// Rows with the columns of [`finding::schema`](crate::finding::schema); text may be `Utf8` or `Utf8View`.
    pub findings: Vec<RecordBatch>,
    /// Rows with the columns of [`finding::observations_schema`](crate::finding::observations_schema).
    pub observations: Vec<RecordBatch>,
    /// For each plugin and slice exactly one row without device, and one for each device that was lost.
    pub coverage: Vec<Row>,
}

type Slices<'a> = BTreeSet<(Option<&'a str>, i64)>;

impl Lake {
    /// Commits results and returns the id of the commit. When it returns, they are on disk.
    ///
    /// # Errors
    /// Rows that no coverage would make visible, rows with other columns, or a store that fails. What was written
    /// until then stays invisible.
    pub async fn commit_slice(&self, results: SliceResults) -> Result<String> {
        let covered = covered(&results.coverage)?;
        for batch in results.findings.iter().chain(&results.observations) {
            check_covered(batch, &covered)?;
        }
        let commit = self.next_commit().await?;
        let stamped =
            |batches: &[RecordBatch]| batches.iter().map(|batch| stamp(batch, &commit)).collect::<Result<Vec<_>>>();
        let (findings, observations) = (stamped(&results.findings)?, stamped(&results.observations)?);
        let coverage = stamped(&[coverage_rows::to_batch(&results.coverage)?])?;
        self.result_table(Table::Findings).append(&findings).await?;
        self.result_table(Table::Observations).append(&observations).await?;
        self.result_table(Table::Coverage).append(&coverage).await?;
        Ok(commit)
    }

    /// The coverage that counts, in order of slice, plugin and device: for each plugin and slice the row of its
    /// greatest commit, and those of the devices that this commit lost.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn current_coverage(&self) -> Result<Vec<Row>> {
        Ok(coverage_rows::current(self.all_coverage().await?))
    }

    /// Records a run as it stands: once when it begins, once when it ends.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn record_run(&self, run: &Run) -> Result<()> {
        self.result_table(Table::Runs).append(&[run.to_batch()?]).await
    }

    /// The run that began last, as it stands.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn last_run(&self) -> Result<Option<Run>> {
        Ok(self.all_runs().await?.into_iter().max_by(|a, b| (&a.run_id, a.ended_at).cmp(&(&b.run_id, b.ended_at))))
    }

    async fn all_coverage(&self) -> Result<Vec<Row>> {
        let doing = || "cannot read the table coverage".to_owned();
        let table = self.table(Table::Coverage).await?;
        let batches = SessionContext::new().read_table(table).context(doing)?.collect().await;
        let mut rows = Vec::new();
        for batch in &batches.map_err(|error| self.unreadable(Table::Coverage, &error))? {
            rows.append(&mut coverage_rows::from_batch(batch)?);
        }
        let greatest = rows.iter().map(|row| &row.commit).max();
        let mut last = self.last_commit.lock().await;
        *last = greatest.max(last.as_ref()).cloned();
        drop(last);
        Ok(rows)
    }

    /// An id greater than every commit that is in the lake or was made here.
    async fn next_commit(&self) -> Result<String> {
        if self.last_commit.lock().await.is_none() {
            self.all_coverage().await?;
        }
        let mut last = self.last_commit.lock().await;
        let next = commit_id::after(last.as_deref(), Timestamp::now())?;
        *last = Some(next.clone());
        Ok(next)
    }
}

/// The plugins and slices that the rows cover. What no plugin looked at may have several rows, one a reason.
fn covered(rows: &[Row]) -> Result<Slices<'_>> {
    let mut slices = Slices::new();
    for row in rows.iter().filter(|row| row.device_id.is_none()) {
        if !slices.insert((row.plugin.as_deref(), row.slice_start)) && row.plugin.is_some() {
            return Err(unseen("coverage has two rows", row.plugin.as_deref(), row.slice_start));
        }
    }
    match rows.iter().find(|row| !slices.contains(&(row.plugin.as_deref(), row.slice_start))) {
        Some(row) => Err(unseen("coverage has rows of devices but none", row.plugin.as_deref(), row.slice_start)),
        None => Ok(slices),
    }
}

fn check_covered(batch: &RecordBatch, covered: &Slices<'_>) -> Result<()> {
    let plugins = coverage_rows::column::<StringArray>(batch, "plugin", &DataType::Utf8)?;
    let starts = coverage_rows::column::<TimestampMicrosecondArray>(batch, "slice_start", &time_type())?;
    for row in 0..batch.num_rows() {
        let (plugin, start) = (plugins.is_valid(row).then(|| plugins.value(row)), starts.value(row));
        if plugin.is_none() || !covered.contains(&(plugin, start)) {
            return Err(unseen("findings without coverage", plugin, start));
        }
    }
    Ok(())
}

fn unseen(what: &str, plugin: Option<&str>, slice_start: i64) -> Error {
    let start = Timestamp::from_microsecond(slice_start).map_or_else(|_| slice_start.to_string(), |at| at.to_string());
    let plugin = plugin.unwrap_or("no plugin");
    Error::failed(format!("{what} for the slice from {start} of {plugin}; nobody could tell which rows count"))
}

/// The rows with this commit in their column `commit`.
fn stamp(batch: &RecordBatch, commit: &str) -> Result<RecordBatch> {
    let doing = || "rows to commit".to_owned();
    let place = batch.schema().index_of("commit").context(doing)?;
    let mut fields = batch.schema().fields().to_vec();
    let mut columns = batch.columns().to_vec();
    fields[place] = Arc::new(Field::new("commit", DataType::Utf8, true));
    columns[place] = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(commit, batch.num_rows())));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).context(doing)
}

#[cfg(test)]
pub(super) mod tests {
    use std::{path::Path, sync::Arc};

    use arrow::{
        array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array},
        datatypes::SchemaRef,
        util::pretty::pretty_format_batches,
    };
    use datafusion::prelude::SessionContext;

    use super::{CURRENT_FINDINGS, SliceResults};
    use crate::{
        coverage::Row,
        lake::{Lake, Table, coverage_rows::tests::row},
    };

    const PLUGIN: &str = "vendor/model";

    pub(in crate::lake) fn lake(directory: &Path) -> Lake {
        Lake::open("the lake", directory, &[]).unwrap()
    }

    /// Rows that say of each device what a plugin found in a slice; other columns are null.
    fn rows(schema: &SchemaRef, slice: i64, found: &[(&str, &str)]) -> RecordBatch {
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            match field.name().as_str() {
                "plugin" => Arc::new(StringArray::from(vec![PLUGIN; found.len()])),
                "slice_start" => {
                    Arc::new(TimestampMicrosecondArray::from(vec![slice * 100; found.len()]).with_timezone("UTC"))
                }
                "device_id" | "finding_id" => Arc::new(StringArray::from_iter_values(found.iter().map(|(id, _)| id))),
                "summary" | "name" => Arc::new(StringArray::from_iter_values(found.iter().map(|(_, text)| text))),
                _ => new_null_array(field.data_type(), found.len()),
            }
        });
        RecordBatch::try_new(Arc::clone(schema), columns.collect()).unwrap()
    }

    pub(in crate::lake) fn slice(slice: i64, found: &[(&str, &str)]) -> SliceResults {
        SliceResults {
            findings: vec![rows(&Table::Findings.schema(), slice, found)],
            observations: vec![rows(&Table::Observations.schema(), slice, found)],
            coverage: vec![row(Some(PLUGIN), slice, None, "")],
        }
    }

    async fn query(lake: &Lake, sql: &str) -> String {
        let context = SessionContext::new();
        for (table, provider) in lake.all_tables().await {
            let provider = provider.unwrap();
            context.register_table(table.name(), provider).unwrap();
        }
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        let lines = pretty_format_batches(&batches).unwrap().to_string();
        let rows = lines.lines().skip(3).filter(|line| line.starts_with('|'));
        rows.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// What a reader who knows nothing but the directory finds.
    async fn check_findings(directory: &Path, expected: &str) {
        let sql = format!("SELECT device_id, summary FROM ({CURRENT_FINDINGS}) ORDER BY slice_start, device_id");
        assert_eq!(query(&lake(directory), &sql).await, expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_commit_is_seen_by_whoever_opens_the_lake() {
        let directory = tempfile::tempdir().unwrap();
        let writer = lake(directory.path());
        check_findings(directory.path(), "").await;
        assert!(!directory.path().join("the lake").exists(), "reading creates nothing");

        writer.commit_slice(slice(1, &[("pump", "loud"), ("scanner", "busy")])).await.unwrap();
        check_findings(directory.path(), "pump loud, scanner busy").await;
        writer.commit_slice(slice(2, &[])).await.unwrap();
        writer.commit_slice(slice(3, &[("pump", "loud again")])).await.unwrap();
        check_findings(directory.path(), "pump loud, scanner busy, pump loud again").await;

        let log = |table: Table| directory.path().join("the lake").join(table.name()).join("_delta_log");
        let commits = |table| std::fs::read_dir(log(table)).unwrap().count();
        assert_eq!(Table::ALL[..3].iter().map(|table| commits(*table)).collect::<Vec<_>>(), [3, 3, 4]);
        assert_eq!(query(&writer, "SELECT count(*), count(DISTINCT commit) FROM observations").await, "3 2");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_later_commit_of_a_slice_takes_the_place_of_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let lake = lake(directory.path());
        let first = lake.commit_slice(slice(1, &[("pump", "first")])).await.unwrap();
        lake.commit_slice(slice(2, &[("pump", "other slice")])).await.unwrap();
        let second = lake.commit_slice(slice(1, &[("pump", "second"), ("lamp", "second")])).await.unwrap();
        assert!(first < second);
        check_findings(directory.path(), "lamp second, pump second, pump other slice").await;
        lake.commit_slice(slice(1, &[])).await.unwrap();
        check_findings(directory.path(), "pump other slice").await;
        let starts: Vec<_> = lake.current_coverage().await.unwrap().iter().map(|row| row.slice_start).collect();
        assert_eq!(starts, [100, 200]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_torn_commit_is_not_seen() {
        let directory = tempfile::tempdir().unwrap();
        let lake = lake(directory.path());
        lake.commit_slice(slice(1, &[("pump", "whole")])).await.unwrap();
        let torn = rows(&Table::Findings.schema(), 1, &[("pump", "torn")]);
        lake.result_table(Table::Findings).append(&[super::stamp(&torn, "9").unwrap()]).await.unwrap();
        check_findings(directory.path(), "pump whole").await;
        assert_eq!(query(&lake, "SELECT count(*) FROM findings").await, "2");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_coverage_that_counts_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let writer = lake(directory.path());
        let mut results = slice(1, &[]);
        results.coverage.push(row(Some(PLUGIN), 1, Some("pump"), ""));
        results.coverage.push(row(None, 1, None, ""));
        results.coverage.push(row(None, 1, Some("lamp"), ""));
        writer.commit_slice(slice(1, &[])).await.unwrap();
        let commit = writer.commit_slice(results).await.unwrap();
        let expected: Vec<Row> =
            [(None, None), (None, Some("lamp")), (Some(PLUGIN), None), (Some(PLUGIN), Some("pump"))]
                .map(|(plugin, device)| row(plugin, 1, device, &commit))
                .into();
        assert_eq!(lake(directory.path()).current_coverage().await.unwrap(), expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_nobody_would_see_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let lake = lake(directory.path());
        let refused = async |change: fn(&mut SliceResults), expected: &str| {
            let mut results = slice(1, &[("pump", "loud")]);
            change(&mut results);
            let error = lake.commit_slice(results).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        refused(|results| results.coverage.clear(), "findings without coverage for the slice").await;
        refused(|results| results.coverage[0].slice_start += 1, "findings without coverage for the slice").await;
        refused(|results| results.coverage[0].device_id = Some("pump".into()), "rows of devices but none").await;
        refused(|results| results.coverage.push(results.coverage[0].clone()), "coverage has two rows").await;
        refused(|results| drop(results.findings[0].remove_column(23)), "have no column summary").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn commits_at_once_all_arrive() {
        let directory = tempfile::tempdir().unwrap();
        let each = |writer: i64| {
            let lake = lake(directory.path());
            async move {
                for step in 0..6 {
                    let name = format!("d{writer}{step}");
                    lake.commit_slice(slice(writer * 10 + step, &[(&name, "x")])).await.unwrap();
                }
            }
        };
        // The tables do not exist yet, so that their creation is raced as well.
        for writer in [1, 2, 3].map(|writer| tokio::spawn(each(writer))) {
            writer.await.unwrap();
        }
        let lake = lake(directory.path());
        assert_eq!(query(&lake, &format!("SELECT count(*) FROM ({CURRENT_FINDINGS})")).await, "18");
        assert_eq!(lake.current_coverage().await.unwrap().len(), 18);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn merged_files_hold_the_same_rows() {
        let directory = tempfile::tempdir().unwrap();
        let writer = lake(directory.path());
        for step in 0..5 {
            let name = format!("d{step}");
            writer.commit_slice(slice(step, &[(&name, "x"), ("pump", "y")])).await.unwrap();
        }
        let before = query(&writer, "SELECT finding_id, commit, slice_start FROM findings ORDER BY 1, 2").await;
        assert_eq!(writer.merge_files().await.unwrap(), 0, "five files are not many");
        for table in Table::ALL {
            let replaced = writer.result_table(table).merge_files(5).await.unwrap();
            let is_of_slices = matches!(table, Table::Findings | Table::Observations | Table::Coverage);
            assert_eq!(replaced, if is_of_slices { 5 } else { 0 }, "{}", table.name());
        }
        let after = query(&writer, "SELECT finding_id, commit, slice_start FROM findings ORDER BY 1, 2").await;
        assert_eq!(before, after);
        writer.commit_slice(slice(9, &[("late", "z")])).await.unwrap();
        assert_eq!(lake(directory.path()).current_coverage().await.unwrap().len(), 6);
        assert_eq!(query(&writer, &format!("SELECT count(*) FROM ({CURRENT_FINDINGS})")).await, "11");
    }

    #[tokio::test]
    async fn a_lake_in_an_object_store_works_alike() {
        let lake = Lake::open("memory:///ward/lake", Path::new("/"), &[]).unwrap();
        lake.commit_slice(slice(1, &[("pump", "loud")])).await.unwrap();
        assert_eq!(query(&lake, &format!("SELECT device_id FROM ({CURRENT_FINDINGS})")).await, "pump");
        assert_eq!(lake.current_coverage().await.unwrap().len(), 1);
    }
}
