//! The four result tables: made on first use, appended to, never rewritten.
//!
//! A table that an older Wardflow made lacks columns. Appending adds them, null in the rows that were there; reading
//! never writes, so until then it is refused. A column of another type is refused either way.

use std::sync::Arc;

use arrow::{
    array::{RecordBatch, new_null_array},
    compute::cast,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{catalog::TableProvider, datasource::empty::EmptyTable};
use deltalake_core::{
    DeltaTable, TableProperty,
    kernel::{
        StructField,
        engine::arrow_conversion::{TryIntoArrow, TryIntoKernel},
        transaction::CommitProperties,
    },
    logstore::{StorageConfig, default_logstore},
    protocol::SaveMode,
    writer::{DeltaWriter, RecordBatchWriter},
};
use object_store::prefix::PrefixStore;
use tokio::sync::Mutex;

use super::{location::Location, runs};
use crate::{
    coverage,
    error::{Context, Error, Result},
    finding,
};

/// A result table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// A row per finding and slice.
    Findings,
    /// A row per number that a finding rests on.
    Observations,
    /// What was analysed and what was not; says which rows of the other two count.
    Coverage,
    /// What was run when, and how it ended.
    Runs,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 4] = [Self::Findings, Self::Observations, Self::Coverage, Self::Runs];

    /// Its name, in SQL and as a directory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Findings => "findings",
            Self::Observations => "observations",
            Self::Coverage => "coverage",
            Self::Runs => "runs",
        }
    }

    /// The columns that are written. Text is `Utf8` here and `Utf8View` when read.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Findings => finding::schema(),
            Self::Observations => finding::observations_schema(),
            Self::Coverage => coverage::schema(),
            Self::Runs => runs::schema(),
        }
    }

    /// What the table's metadata says of it, for readers without Wardflow.
    const fn comment(self) -> &'static str {
        match self {
            Self::Findings => "One row a finding and slice. Only rows whose commit is current in coverage count.",
            Self::Observations => "One row a number, finding and slice. Only rows whose commit is current count.",
            Self::Coverage => "Of one plugin and slice_start, the row without device_id of the greatest commit counts.",
            Self::Runs => "A row when a run begins and one when it ends.",
        }
    }
}

/// Commits between two checkpoints of the log. Opening reads the last checkpoint and every commit after it.
const CHECKPOINT_INTERVAL: u64 = 50;

/// One of the tables in one lake.
#[derive(Debug)]
pub(super) struct ResultTable {
    table: Table,
    location: Location,
    /// As last seen; absent while it is not known to exist.
    loaded: Mutex<Option<Loaded>>,
}

struct Loaded(DeltaTable);

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "version {:?}", self.0.version())
    }
}

impl ResultTable {
    pub(super) fn new(table: Table, lake: &Location) -> Result<Self> {
        Ok(Self { table, location: lake.child(table.name())?, loaded: Mutex::new(None) })
    }

    /// The table as it is now, for DataFusion; empty if it was never written.
    pub(super) async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        let mut loaded = self.loaded.lock().await;
        let Some(table) = self.refresh(&mut loaded).await? else {
            return Ok(Arc::new(EmptyTable::new(Arc::new(as_read(&self.table.schema())))));
        };
        let missing = self.missing(&self.columns(table)?)?;
        if !missing.is_empty() {
            let names: Vec<_> = missing.iter().map(|field| field.name().as_str()).collect();
            let message = format!("the table {} has no column {}", self.location.name(), names.join(", "));
            return Err(Error::failed(message)
                .remedy("an older wardflow made it; `wardflow analyze` adds the columns with its next commit"));
        }
        table.table_provider().await.context(|| self.cannot("read"))
    }

    /// Appends the rows in one commit of the log. Without rows it does nothing.
    pub(super) async fn append(&self, batches: &[RecordBatch]) -> Result<()> {
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let mut loaded = self.loaded.lock().await;
        if self.refresh(&mut loaded).await?.is_none() {
            *loaded = Some(Loaded(self.create().await?));
        }
        let Some(Loaded(table)) = loaded.as_mut() else { return Err(Error::failed(self.cannot("create"))) };
        let missing = self.missing(&self.columns(table)?)?;
        if !missing.is_empty() {
            *table = self.add_columns(table, missing).await.context(|| self.cannot("add columns to"))?;
        }
        // Looking for expired log files lists the whole log, so it is left to the commits that write a checkpoint.
        let next = table.version().unwrap_or_default() + 1;
        let clean = (next + 1).is_multiple_of(CHECKPOINT_INTERVAL);
        let mut writer = RecordBatchWriter::for_table(table)
            .context(|| self.cannot("write"))?
            .with_commit_properties(CommitProperties::default().with_cleanup_expired_logs(Some(clean)));
        let columns = writer.arrow_schema();
        for batch in batches {
            writer.write(self.conform(batch, &columns)?).await.context(|| self.cannot("write"))?;
        }
        writer.flush_and_commit(table).await.context(|| self.cannot("commit to"))?;
        Ok(())
    }

    /// Takes in what others committed since.
    async fn refresh<'a>(&self, loaded: &'a mut Option<Loaded>) -> Result<Option<&'a DeltaTable>> {
        match loaded {
            Some(Loaded(table)) => table.update_state().await.context(|| self.cannot("read"))?,
            None => {
                let mut table = self.unloaded();
                if table.verify_deltatable_existence().await.context(|| self.cannot("find"))? {
                    table.load().await.context(|| self.cannot("read"))?;
                    *loaded = Some(Loaded(table));
                }
            }
        }
        Ok(loaded.as_ref().map(|Loaded(table)| table))
    }

    async fn create(&self) -> Result<DeltaTable> {
        let fields = delta_fields(self.table.schema().fields())?;
        let created = self
            .unloaded()
            .create()
            .with_columns(fields)
            .with_table_name(self.table.name())
            .with_comment(self.table.comment())
            .with_configuration_property(TableProperty::AppendOnly, Some("true"))
            .with_configuration_property(TableProperty::CheckpointInterval, Some(CHECKPOINT_INTERVAL.to_string()))
            .with_save_mode(SaveMode::Ignore)
            .await;
        match created {
            Ok(table) => Ok(table),
            Err(error) => {
                // Another process may have been first.
                let mut table = self.unloaded();
                match table.load().await {
                    Ok(()) => Ok(table),
                    Err(_) => Err(error).context(|| self.cannot("create")),
                }
            }
        }
    }

    async fn add_columns(&self, table: &DeltaTable, missing: Vec<Arc<Field>>) -> Result<DeltaTable> {
        let fields = delta_fields(&missing)?;
        table.clone().add_columns().with_fields(fields).await.context(|| "the log refused them".to_owned())
    }

    /// The columns of the table that are not there yet.
    fn missing(&self, there: &Schema) -> Result<Vec<Arc<Field>>> {
        let mut missing = Vec::new();
        for field in self.table.schema().fields() {
            match there.field_with_name(field.name()) {
                Ok(found) if found.data_type() != field.data_type() => {
                    let (column, found, expected) = (field.name(), found.data_type(), field.data_type());
                    return Err(Error::failed(format!(
                        "column {column} of {} has type {found}, not {expected}",
                        self.location.name()
                    ))
                    .remedy("something else wrote this table: move it away, then run `wardflow analyze --rerun`"));
                }
                Ok(_) => {}
                Err(_) => missing.push(Arc::clone(field)),
            }
        }
        Ok(missing)
    }

    /// The rows with the table's columns: cast to their types, null where a newer Wardflow has more columns.
    fn conform(&self, batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch> {
        let known = self.table.schema();
        if let Some(stranger) =
            batch.schema().fields().iter().find(|field| known.field_with_name(field.name()).is_err())
        {
            return Err(Error::failed(format!("rows for {} have a column {}", self.table.name(), stranger.name())));
        }
        let arrays = columns.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            Some(array) => cast(array, field.data_type()).context(|| format!("column {}", field.name())),
            None if known.field_with_name(field.name()).is_err() => {
                Ok(new_null_array(field.data_type(), batch.num_rows()))
            }
            None => Err(Error::failed(format!("rows for {} have no column {}", self.table.name(), field.name()))),
        });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(Arc::clone(columns), arrays).context(|| format!("rows for {}", self.table.name()))
    }

    fn columns(&self, table: &DeltaTable) -> Result<Schema> {
        let snapshot = table.snapshot().context(|| self.cannot("read"))?;
        snapshot.schema().as_ref().try_into_arrow().context(|| self.cannot("read"))
    }

    fn unloaded(&self) -> DeltaTable {
        let Location { url, store, path, .. } = &self.location;
        let prefixed = Arc::new(PrefixStore::new(Arc::clone(store), path.clone()));
        DeltaTable::new(default_logstore(prefixed, Arc::clone(store), url, &StorageConfig::default()))
    }

    fn cannot(&self, what: &str) -> String {
        format!("cannot {what} the table {}", self.location.name())
    }
}

fn delta_fields(fields: &[Arc<Field>]) -> Result<Vec<StructField>> {
    fields
        .iter()
        .map(|field| field.as_ref().try_into_kernel().context(|| format!("column {} has no Delta type", field.name())))
        .collect()
}

/// The columns as Delta's provider reads them.
fn as_read(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        _ => Arc::clone(field),
    });
    Schema::new(fields.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, Int32Array, RecordBatch, StringArray},
        datatypes::DataType,
    };
    use datafusion::prelude::SessionContext;
    use deltalake_core::protocol::SaveMode;

    use super::{ResultTable, Table, delta_fields};
    use crate::lake::{
        commit::tests::{lake, slice},
        runs::{Run, RunStatus},
    };

    fn run() -> Run {
        Run {
            run_id: "1".into(),
            started_at: 1,
            ended_at: None,
            command: "analyze".into(),
            version: "0.1.0".into(),
            slices: 2,
            flows: 3,
            findings: 4,
            status: RunStatus::Running,
            message: None,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_reads_alike_before_and_after_its_first_row() {
        let directory = tempfile::tempdir().unwrap();
        let lake = lake(directory.path());
        let read = async || {
            let mut schemas = Vec::new();
            for table in Table::ALL {
                schemas.push(lake.table(table).await.unwrap().schema());
            }
            schemas
        };
        let before = read().await;
        lake.commit_slice(slice(1, &[("pump", "loud")])).await.unwrap();
        lake.record_run(&run()).await.unwrap();
        assert_eq!(before, read().await);
        assert_eq!(before[0].field_with_name("kind").unwrap().data_type(), &DataType::Utf8View);

        let runs = SessionContext::new().read_table(lake.table(Table::Runs).await.unwrap()).unwrap();
        let batches = runs.collect().await.unwrap();
        let expected = run().to_batch().unwrap();
        for (name, to) in
            [("run_id", DataType::Utf8), ("slices", DataType::Int64), ("ended_at", crate::flow::time_type())]
        {
            let found = arrow::compute::cast(batches[0].column_by_name(name).unwrap(), &to).unwrap();
            assert_eq!(&found, expected.column_by_name(name).unwrap(), "{name}");
        }
    }

    /// A table of an older Wardflow, or of something else: only these columns, one row.
    async fn made_before(lake: &crate::lake::Lake, columns: Vec<(&str, ArrayRef)>) {
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
        let batch = batch.unwrap();
        let table = ResultTable::new(Table::Runs, &lake.location).unwrap().unloaded();
        let fields = delta_fields(batch.schema().fields()).unwrap();
        let table = table.create().with_columns(fields).with_save_mode(SaveMode::Ignore).await.unwrap();
        table.write([batch]).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_older_table_gains_its_columns_when_it_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let lake = lake(directory.path());
        let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
        made_before(&lake, vec![("run_id", text("0")), ("from_the_future", text("kept"))]).await;
        let error = lake.table(Table::Runs).await.unwrap_err();
        assert!(error.to_string().contains("has no column started_at, ended_at, command"), "{error}");
        lake.record_run(&run()).await.unwrap();

        let context = SessionContext::new();
        context.register_table("runs", lake.table(Table::Runs).await.unwrap()).unwrap();
        let sql = "SELECT run_id FROM runs WHERE (command = 'analyze') = (from_the_future IS NULL)
                   OR (command IS NULL AND from_the_future = 'kept')";
        let found = context.sql(sql).await.unwrap().count().await.unwrap();
        assert_eq!(found, 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_column_of_another_type_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let lake = lake(directory.path());
        made_before(&lake, vec![("run_id", Arc::new(Int32Array::from(vec![1])))]).await;
        let expected = "has type Int32, not Utf8";
        let error = lake.record_run(&run()).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        let error = lake.table(Table::Runs).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
