//! Parquet files of the archive as a table.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{Result as QueryResult, ToDFSchema, config::TableParquetOptions},
    datasource::{
        listing::PartitionedFile,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource},
        source::DataSourceExec,
    },
    execution::object_store::ObjectStoreUrl,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType, utils::conjunction},
    physical_expr::PhysicalExpr,
    physical_plan::{ExecutionPlan, empty::EmptyExec},
};
use object_store::ObjectMeta;

use super::{
    checked_files::CheckedFiles,
    many_files::{self, ManyFiles},
    named_files::named,
};
use crate::{
    archive::{Archive, ArchiveFile},
    error::{Context, Result},
    flow,
};

/// Files with one schema. A column that a file lacks is null; predicates prune row groups and pages.
#[derive(Debug)]
pub struct FlowFiles {
    store: ObjectStoreUrl,
    schema: SchemaRef,
    files: Vec<ObjectMeta>,
    is_read: Arc<AtomicBool>,
}

impl FlowFiles {
    /// Flow files, with the canonical columns.
    ///
    /// # Errors
    /// None that an open archive allows.
    pub fn new(archive: &Archive, files: Vec<ArchiveFile>) -> Result<Self> {
        let files = Self::of(archive, flow::schema(), files.into_iter().map(|file| file.object).collect())?;
        Ok(files.noting_reads(archive))
    }

    /// The same, for files that hold flows: it is noted that they are read.
    pub(super) fn noting_reads(self, archive: &Archive) -> Self {
        Self { is_read: Arc::clone(archive.flows_read()), ..self }
    }

    /// Any files of the archive.
    pub(super) fn of(archive: &Archive, schema: SchemaRef, files: Vec<ObjectMeta>) -> Result<Self> {
        let store =
            ObjectStoreUrl::parse(archive.store_url()).context(|| format!("the store of {}", archive.describe()))?;
        Ok(Self { store, schema, files, is_read: Arc::default() })
    }
}

/// Columns that tell the flows of few devices. A condition on one of them is looked at while reading, small columns first,
/// so that of the others only the pages that hold such flows are read. Other conditions leave too much for that to pay.
const ADDRESSES: [&str; 2] = ["src_ip", "dst_ip"];

/// Files for each partition, beyond which they are read some at a time.
const MANY: usize = 2 * many_files::AT_ONCE;

/// Bytes of a part: about a row group as `ingest` writes it.
const PART_BYTES: u64 = 8 << 20;

/// Parts of a file, which partitions take one after the other; a single partition reads the file as it is. A row group is
/// read with the part in which it begins.
fn parts(file: &ObjectMeta, partitions: usize) -> Vec<PartitionedFile> {
    let whole = PartitionedFile::from(file.clone());
    let parts = file.size / PART_BYTES;
    if partitions == 1 || parts < 2 {
        return vec![whole];
    }
    let bound = |part: u64| (file.size * part / parts).cast_signed();
    (0..parts).map(|part| whole.clone().with_range(bound(part), bound(part + 1))).collect()
}

#[async_trait]
impl TableProvider for FlowFiles {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> QueryResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        self.is_read.store(true, Ordering::Relaxed);
        if self.files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let mut options = TableParquetOptions::default();
        options.global.reorder_filters = true;
        let mut predicate = None;
        if let Some(filters) = conjunction(filters.to_vec()) {
            let schema = Arc::clone(&self.schema).to_dfschema()?;
            options.global.pushdown_filters =
                filters.column_refs().iter().any(|column| ADDRESSES.contains(&column.name.as_str()));
            predicate = Some(session.create_physical_expr(filters, &schema)?);
        }
        let partitions = session.config().target_partitions();
        let files: Vec<_> = self.files.iter().flat_map(|file| parts(file, partitions)).collect();
        let scan = Scan {
            store: self.store.clone(),
            schema: Arc::clone(&self.schema),
            readers: Arc::new(CheckedFiles::of(session, &self.store)?),
            options,
            predicate,
            projection: projection.cloned(),
            limit,
        };
        if self.files.len() > partitions * MANY {
            return Ok(Arc::new(ManyFiles::new(scan, &files, partitions)?));
        }
        scan.of(FileGroup::new(files).split_files(partitions))
    }
}

/// What is to be read of files, whichever they are.
#[derive(Debug)]
pub(super) struct Scan {
    store: ObjectStoreUrl,
    schema: SchemaRef,
    readers: Arc<CheckedFiles>,
    options: TableParquetOptions,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    projection: Option<Vec<usize>>,
    limit: Option<usize>,
}

impl Scan {
    /// The scan of these files, a partition for each group.
    pub(super) fn of(&self, groups: Vec<FileGroup>) -> QueryResult<Arc<dyn ExecutionPlan>> {
        let mut source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(self.options.clone())
            .with_parquet_file_reader_factory(Arc::clone(&self.readers) as _);
        if let Some(predicate) = &self.predicate {
            source = source.with_predicate(Arc::clone(predicate));
        }
        let config = FileScanConfigBuilder::new(self.store.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(self.projection.clone())?
            .with_limit(self.limit)
            .build();
        named(&(DataSourceExec::from_data_source(config) as _))
    }
}
