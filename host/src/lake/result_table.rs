//! A result table in one lake: made on first use, appended to, never rewritten.
//!
//! A table that an older Wardflow made lacks columns. Appending adds them, null in the rows that were there; reading
//! never writes, so until then it is refused. A column of another type is refused either way.
//!
//! Appending goes to the log directly, with deltalake's own encoding of files and actions: its writers load every file
//! of the table before and after each commit, which an append has no use for.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{RecordBatch, new_null_array},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, Fields, Schema, SchemaRef},
};
use datafusion::{catalog::TableProvider, datasource::empty::EmptyTable};
use deltalake_core::{
    BlindDeltaTable, DeltaTable, TableProperty,
    delta_datafusion::TableProviderBuilder,
    kernel::{
        Snapshot, StructField, Version,
        engine::arrow_conversion::{TryIntoArrow, TryIntoKernel},
        transaction::CommitProperties,
    },
    logstore::{LogStoreRef, StorageConfig, default_logstore},
    protocol::SaveMode,
    writer::{DeltaWriter, RecordBatchWriter},
};
use object_store::{ObjectStore, prefix::PrefixStore};
use tokio::sync::Mutex;

use super::{location::Location, log, merge, tables::Table};
use crate::error::{Context, Error, Result};

/// One of the tables in one lake.
#[derive(Debug)]
pub(super) struct ResultTable {
    table: Table,
    location: Location,
    log: LogStoreRef,
    /// The table as appending needs it; absent before the first append.
    appender: Mutex<Option<Appender>>,
}

#[derive(Debug)]
struct Appender {
    metadata: BlindDeltaTable,
    /// A version that the log is known to have reached.
    version: Version,
}

/// The protocol of the tables that are made here: with more, a plain append might break a promise to other writers.
const WRITER_VERSION: i32 = 2;

impl ResultTable {
    pub(super) fn new(table: Table, lake: &Location) -> Result<Self> {
        let location = lake.child(table.name())?;
        let Location { url, store, path, .. } = &location;
        let prefixed = Arc::new(PrefixStore::new(Arc::clone(store), path.clone()));
        let log = default_logstore(prefixed, Arc::clone(store), url, &StorageConfig::default());
        Ok(Self { table, location, log, appender: Mutex::new(None) })
    }

    /// The table as it is now, for DataFusion; empty if it was never written.
    pub(super) async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        if !self.exists().await? {
            let empty = || Arc::new(EmptyTable::new(self.schema())) as Arc<dyn TableProvider>;
            return self.lacks_log().await?.map_or_else(|| Ok(empty()), Err);
        }
        self.check_log().await?;
        let snapshot = match Snapshot::try_new(self.log.as_ref(), None).await {
            Ok(snapshot) => snapshot,
            Err(error) => return Err(self.unreadable_log(error).await),
        };
        let columns = snapshot.schema().as_ref().try_into_arrow().context(|| self.cannot("read"))?;
        let missing: Vec<_> = self.missing(&columns)?.iter().map(|field| field.name().clone()).collect();
        if !missing.is_empty() {
            let message = format!("the table {} has no column {}", self.location.name(), missing.join(", "));
            return Err(Error::failed(message).remedy(match self.is_said() {
                false => {
                    "an older wardflow made it; `wardflow analyze` adds the columns with its next commit".to_owned()
                }
                true => self.made_by_another(),
            }));
        }
        let builder = TableProviderBuilder::default().with_log_store(Arc::clone(&self.log)).with_snapshot(snapshot);
        builder.await.context(|| self.cannot("read"))
    }

    /// That one of its files, as the log has them now, is not there.
    ///
    /// # Errors
    /// Its files cannot be listed.
    pub(super) async fn lacks_file(&self) -> Result<Option<Error>> {
        if !self.exists().await? {
            return self.lacks_log().await;
        }
        let mut table = DeltaTable::new(Arc::clone(&self.log));
        if let Err(error) = table.load().await {
            return Ok(Some(self.unreadable_log(error).await));
        }
        let Location { store, path, .. } = &self.location;
        let listed = store.list_with_delimiter(Some(path)).await.context(|| self.cannot("list"))?;
        let sizes = listed.objects.iter().filter_map(|object| Some((object.location.filename()?, object.size)));
        let sizes: BTreeMap<_, _> = sizes.collect();
        let state = table.snapshot().context(|| self.cannot("read"))?;
        let lacks = |name: &str, size: i64| match sizes.get(name) {
            None => Some(format!("its file {name} is missing")),
            Some(&there) if i64::try_from(there) != Ok(size) => {
                Some(format!("its file {name} has {there} bytes, and had {size} when it was written"))
            }
            Some(_) => None,
        };
        let lacking = state.log_data().iter().find_map(|file| {
            let path = file.path();
            lacks(path.rsplit('/').next().unwrap_or(&path), file.size())
        });
        Ok(lacking.map(|why| self.unreadable(&why)))
    }

    /// Its columns as they are read.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(as_read(self.table.schema().fields())))
    }

    pub(super) const fn table(&self) -> Table {
        self.table
    }

    pub(super) const fn location(&self) -> &Location {
        &self.location
    }

    /// Appends the rows in one commit of the log. Without rows it does nothing.
    pub(super) async fn append(&self, batches: &[RecordBatch]) -> Result<()> {
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let mut appender = self.appender.lock().await;
        // Taken out, so that after an error the next append looks anew.
        let Appender { metadata, version } = match appender.take() {
            Some(appender) => appender,
            None => self.open_or_create().await?,
        };
        let mut writer = RecordBatchWriter::for_blind_appends(&metadata).context(|| self.cannot("write"))?;
        let columns = writer.arrow_schema();
        for batch in batches {
            writer.write(self.conform(batch, &columns)?).await.context(|| self.cannot("write"))?;
        }
        let files = writer.flush().await.context(|| self.cannot("write"))?;
        let version = log::append(&self.log, version, files).await.context(|| self.cannot("commit to"))?;
        *appender = Some(Appender { metadata, version });
        if let Err(error) = log::checkpoint_if_due(&self.log, version).await {
            tracing::warn!("no checkpoint of {}, so that opening it takes longer: {error}", self.location.name());
        }
        Ok(())
    }

    /// Merges small files if there are at least this many, and returns how many were replaced.
    pub(super) async fn merge_files(&self, many: usize) -> Result<u64> {
        match self.exists().await? {
            true => merge::merge(&self.log, many).await.context(|| self.cannot("merge the files of")),
            false => Ok(0),
        }
    }

    async fn open_or_create(&self) -> Result<Appender> {
        if !self.exists().await? {
            self.create().await?;
        }
        let open = async || BlindDeltaTable::try_new_with_log_store(Arc::clone(&self.log)).await;
        let mut metadata = match open().await {
            Ok(metadata) => metadata,
            Err(error) => return Err(self.unreadable_log(error).await),
        };
        let found = metadata.protocol().min_writer_version();
        if found > WRITER_VERSION {
            let message = format!("the table {} has Delta writer version {found}", self.location.name());
            return Err(Error::failed(message).remedy(format!(
                "another program raised it; wardflow writes version {WRITER_VERSION}: move the lake away, then run \
                 `wardflow analyze --rerun`"
            )));
        }
        let missing = self.missing(metadata.arrow_schema().context(|| self.cannot("read"))?.as_ref())?;
        if !missing.is_empty() {
            self.add_columns(&missing).await?;
            metadata = open().await.context(|| self.cannot("read"))?;
        }
        Ok(Appender { version: metadata.version(), metadata })
    }

    /// That rows of it are there, and no log that tells of them.
    async fn lacks_log(&self) -> Result<Option<Error>> {
        let Location { store, path, .. } = &self.location;
        let listed = store.list_with_delimiter(Some(path)).await.context(|| self.cannot("list"))?;
        let has_files = listed.objects.iter().any(|object| object.location.extension() == Some("parquet"));
        Ok(has_files.then(|| self.unreadable("it has files, and no log, _delta_log")))
    }

    pub(super) async fn exists(&self) -> Result<bool> {
        self.log.is_delta_table_location().await.context(|| self.cannot("find"))
    }

    async fn create(&self) -> Result<()> {
        let created = DeltaTable::new(Arc::clone(&self.log))
            .create()
            .with_columns(delta_fields(self.table.schema().fields())?)
            .with_table_name(self.table.name())
            .with_comment(self.table.comment())
            .with_configuration_property(TableProperty::AppendOnly, Some("true"))
            .with_configuration_property(TableProperty::CheckpointInterval, Some(log::CHECKPOINT_INTERVAL.to_string()))
            // With retries, whoever loses the race to create the table would write its metadata a second time.
            .with_commit_properties(CommitProperties::default().with_max_retries(0))
            .with_save_mode(SaveMode::Ignore)
            .await;
        match created {
            Err(_) if self.exists().await? => Ok(()),
            created => created.map(drop).context(|| self.cannot("create")),
        }
    }

    async fn add_columns(&self, missing: &[Arc<Field>]) -> Result<()> {
        let mut table = DeltaTable::new(Arc::clone(&self.log));
        table.load().await.context(|| self.cannot("read"))?;
        let added = table.add_columns().with_fields(delta_fields(missing)?).await;
        added.map(drop).context(|| self.cannot("add columns to"))
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
                    .remedy(self.made_by_another()));
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
        // Not "safe": that would turn what does not fit into null.
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let arrays = columns.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            Some(array) => {
                cast_with_options(array, field.data_type(), &strict).context(|| format!("column {}", field.name()))
            }
            None if known.field_with_name(field.name()).is_err() => {
                Ok(new_null_array(field.data_type(), batch.num_rows()))
            }
            None => Err(Error::failed(format!("rows for {} have no column {}", self.table.name(), field.name()))),
        });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(Arc::clone(columns), arrays).context(|| format!("rows for {}", self.table.name()))
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

/// The columns as Delta's provider reads them: text as views, at any depth.
fn as_read(fields: &Fields) -> Fields {
    fields.iter().map(|field| Arc::new(field.as_ref().clone().with_data_type(view(field.data_type())))).collect()
}

fn view(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 => DataType::Utf8View,
        DataType::List(element) => {
            DataType::List(Arc::new(element.as_ref().clone().with_data_type(view(element.data_type()))))
        }
        DataType::Struct(fields) => DataType::Struct(as_read(fields)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, Int32Array, RecordBatch, StringArray},
        datatypes::DataType,
    };
    use datafusion::prelude::SessionContext;
    use deltalake_core::{DeltaTable, protocol::SaveMode};

    use super::{ResultTable, delta_fields};
    use crate::lake::{
        Table,
        commit::tests::{lake, slice},
        runs::Run,
    };

    fn run() -> Run {
        Run { slices: 2, flows: 3, findings: 4, ..Run::begin("analyze", None).unwrap() }
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
        let run = run();
        lake.record_run(&run).await.unwrap();
        assert_eq!(before, read().await);
        assert_eq!(before[0].field_with_name("kind").unwrap().data_type(), &DataType::Utf8View);

        let runs = SessionContext::new().read_table(lake.table(Table::Runs).await.unwrap()).unwrap();
        let batches = runs.collect().await.unwrap();
        let expected = run.to_batch().unwrap();
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
        let log = ResultTable::new(Table::Runs, &lake.location).unwrap().log;
        let fields = delta_fields(batch.schema().fields()).unwrap();
        let table = DeltaTable::new(log).create().with_columns(fields).with_save_mode(SaveMode::Ignore).await.unwrap();
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
