//! Flows of another program's files whose rows are parts: joined as they are read, in place of at `ingest`. So `device_flows`,
//! `evidence()` and the operator see them; SQL's `flows` shows rows as they were recorded.
//!
//! Parts are joined with those that end in the same slice. A conversation that goes on past the end of a slice is cut there,
//! as it is for a detector, which is given slice by slice: so a query and an analysis see the same flows, whatever else they
//! read. Of what several sensors saw nothing is left out, since the files of other programs do not tell who saw what.

mod exec;
mod slices;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::Result,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType, utils::split_conjunction},
    physical_plan::ExecutionPlan,
};

use self::exec::JoinExec;
use crate::{archive::Archive, time::HOUR};

/// What no part needs to find its flow: it is read where it is wanted.
const CARRIED: [&str; 8] =
    ["service", "conn_state", "src_mac", "dst_mac", "flow_uid", "community_id", "dst_name", "sampling_interval"];

/// An archive's flows, whole: where its mapping says that its rows are parts, joined in slices of so many hours.
pub fn joined(archive: &Archive, flows: Arc<dyn TableProvider>, slice_hours: u32) -> Arc<dyn TableProvider> {
    match archive.mapping() {
        Some(mapping) if mapping.source.parts => {
            Arc::new(JoinedFlows { parts: flows, slice_length: i64::from(slice_hours.max(1)) * HOUR })
        }
        _ => flows,
    }
}

/// Flows that are joined of parts.
#[derive(Debug)]
struct JoinedFlows {
    parts: Arc<dyn TableProvider>,
    /// Microseconds.
    slice_length: i64,
}

/// The columns to read for those that are wanted. Who is the initiator is known only in the end, so that a column of one end
/// may come from the other's.
fn read(schema: &Schema, wanted: &[usize]) -> Vec<usize> {
    let is_wanted = |name: &str| wanted.iter().any(|column| schema.field(*column).name() == name);
    let is_read = |name: &str| match name {
        "src_mac" | "dst_mac" => is_wanted("src_mac") || is_wanted("dst_mac"),
        name => !CARRIED.contains(&name) || is_wanted(name),
    };
    (0..schema.fields().len()).filter(|column| is_read(schema.field(*column).name())).collect()
}

#[async_trait]
impl TableProvider for JoinedFlows {
    fn schema(&self) -> SchemaRef {
        self.parts.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// A condition on parts is none on flows, but that whole slices are not read.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let can = |filter: &&Expr| {
            let leaves_out = |part: &Expr| slices::that_meet(part, self.slice_length).is_some();
            match split_conjunction(filter).into_iter().any(leaves_out) {
                true => TableProviderFilterPushDown::Inexact,
                false => TableProviderFilterPushDown::Unsupported,
            }
        };
        Ok(filters.iter().map(can).collect())
    }

    /// Parts are read whatever the limit: it is one of flows.
    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let slices = filters.iter().flat_map(split_conjunction);
        let slices: Vec<_> = slices.filter_map(|filter| slices::that_meet(filter, self.slice_length)).collect();
        let parts = self.parts.scan(session, Some(&read(&schema, wanted)), &slices, None).await?;
        Ok(Arc::new(JoinExec::over(parts, Arc::new(schema.project(wanted)?), self.slice_length)?))
    }
}
