//! Parquet whose errors name the file. What decodes a file does not know which it is, and at some damage it panics: here
//! either is an error that says where, and what to do.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use arrow::array::RecordBatch;
use datafusion::{
    common::{DataFusionError, Result, config::ConfigOptions, internal_datafusion_err, tree_node::TreeNodeRecursion},
    datasource::{
        listing::PartitionedFile,
        physical_plan::{FileOpener, FileScanConfig, FileScanConfigBuilder, FileSource},
        source::DataSourceExec,
    },
    physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr, projection::ProjectionExprs},
    physical_plan::{
        DisplayFormatType, ExecutionPlan, SortOrderPushdownResult, filter_pushdown::FilterPushdownPropagation,
        metrics::ExecutionPlanMetricsSet,
    },
};
use datafusion_datasource::{
    TableSchema,
    morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer},
};
use futures::{Stream, StreamExt, stream::BoxStream};
use object_store::ObjectStore;

use super::unreadable::Unreadable;
use crate::archive::caught;

/// A scan of files, with errors that name them.
///
/// # Errors
/// It is no scan of files.
pub(super) fn named(scan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let source = scan.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
    let config = source.and_then(|source| source.downcast_ref::<FileScanConfig>());
    let config = config.ok_or_else(|| internal_datafusion_err!("{} is no scan of files", scan.name()))?;
    let named = Arc::new(NamedFiles(Arc::clone(config.file_source())));
    Ok(DataSourceExec::from_data_source(FileScanConfigBuilder::from(config.clone()).with_source(named).build()))
}

struct NamedFiles(Arc<dyn FileSource>);

impl NamedFiles {
    fn of(source: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self(source))
    }
}

impl FileSource for NamedFiles {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.0.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        Ok(Box::new(NamedMorselizer(self.0.create_morselizer(store, config, partition)?)))
    }

    fn table_schema(&self) -> &TableSchema {
        self.0.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Self::of(self.0.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.0.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.0.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.0.metrics()
    }

    fn file_type(&self) -> &str {
        self.0.file_type()
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_extra(format, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.0.supports_repartitioning()
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let FilterPushdownPropagation { filters, updated_node } = self.0.try_pushdown_filters(filters, config)?;
        Ok(FilterPushdownPropagation { filters, updated_node: updated_node.map(Self::of) })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(self.0.try_pushdown_sort(order, properties)?.map(Self::of))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.0.reorder_files(files)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.0.try_pushdown_projection(projection)?.map(Self::of))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.0.apply_expressions(f)
    }
}

/// A file's place, and what it says of an error of its.
#[derive(Clone, Debug)]
struct Name(Arc<str>);

impl Name {
    /// Does a part of the work on the file.
    fn doing<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        match caught(work) {
            Some(done) => done.map_err(|error| self.said(error)),
            None => Err(Unreadable::damaged(&self.0, "it is damaged").into()),
        }
    }

    fn said(&self, error: DataFusionError) -> DataFusionError {
        Unreadable::by(&self.0, &error).map_or(error, DataFusionError::from)
    }
}

#[derive(Debug)]
struct NamedMorselizer(Box<dyn Morselizer>);

impl Morselizer for NamedMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let name = Name(file.object_meta.location.as_ref().into());
        let planner = name.doing(|| self.0.plan_file(file))?;
        Ok(Box::new(NamedPlanner { planner, name }))
    }
}

#[derive(Debug)]
struct NamedPlanner {
    planner: Box<dyn MorselPlanner>,
    name: Name,
}

impl MorselPlanner for NamedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { planner, name } = *self;
        let Some(mut plan) = name.doing(|| planner.plan())? else { return Ok(None) };
        let with_name = |planner| Box::new(NamedPlanner { planner, name: name.clone() }) as Box<dyn MorselPlanner>;
        let morsels = plan.take_morsels().into_iter();
        let morsels = morsels.map(|morsel| Box::new(NamedMorsel { morsel, name: name.clone() }) as Box<dyn Morsel>);
        let planners = plan.take_ready_planners().into_iter().map(with_name).collect();
        let mut named = MorselPlan::new().with_morsels(morsels.collect()).with_planners(planners);
        if let Some(pending) = plan.take_pending_planner() {
            let name = name.clone();
            named.set_pending_planner(async move {
                let planner = pending.await.map_err(|error| name.said(error))?;
                Ok(Box::new(NamedPlanner { planner, name }) as Box<dyn MorselPlanner>)
            });
        }
        Ok(Some(named))
    }
}

#[derive(Debug)]
struct NamedMorsel {
    morsel: Box<dyn Morsel>,
    name: Name,
}

impl Morsel for NamedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        NamedStream { batches: self.morsel.into_stream(), name: self.name, is_over: false }.boxed()
    }
}

/// Batches of a file, up to the first error.
struct NamedStream {
    batches: BoxStream<'static, Result<RecordBatch>>,
    name: Name,
    is_over: bool,
}

impl Stream for NamedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let Self { batches, name, is_over } = &mut *self;
        let polled = name.doing(|| match batches.as_mut().poll_next(context) {
            Poll::Ready(Some(batch)) => batch.map(|batch| Poll::Ready(Some(batch))),
            Poll::Ready(None) => Ok(Poll::Ready(None)),
            Poll::Pending => Ok(Poll::Pending),
        });
        match polled {
            Ok(polled) => polled.map(|batch| batch.map(Ok)),
            Err(error) => {
                *is_over = true;
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}
