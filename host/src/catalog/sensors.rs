//! `sensor_health`: how each sensor fared, hour by hour.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{
        BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
        UInt64Array,
    },
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::Result,
    datasource::MemTable,
    error::DataFusionError,
    logical_expr::{Expr, TableType},
    physical_plan::ExecutionPlan,
};

use super::Doubles;
use crate::{flow::time_type, time::HOUR, workspace::Workspace};

/// The table. Clocks and doubles take reading flows: that is done when they are asked for, where there are several sensors.
#[derive(Debug)]
pub(super) struct SensorHealthTable {
    workspace: Arc<Workspace>,
    doubles: Arc<Doubles>,
}

/// Columns that take reading flows.
const OF_FLOWS: [&str; 2] = ["clock_offset", "doubles_in_slice"];

impl SensorHealthTable {
    pub(super) fn new(workspace: &Arc<Workspace>, doubles: &Arc<Doubles>) -> Self {
        Self { workspace: Arc::clone(workspace), doubles: Arc::clone(doubles) }
    }

    async fn rows(&self, with_doubles: bool) -> Result<RecordBatch> {
        let hours: Vec<_> = self.workspace.health.hours().collect();
        let mut compared = BTreeMap::new();
        if with_doubles {
            for (hour, ..) in &hours {
                let found = self.doubles.at(hour * HOUR).await;
                let found = found.map_err(|error| DataFusionError::External(Box::new(error)))?;
                for sensor in found.iter().flat_map(|found| &found.sensors) {
                    compared.insert((*hour, sensor.sensor.clone()), (sensor.clock_offset(hour * HOUR), sensor.flows));
                }
            }
        }
        let compared: Vec<Option<(Option<i64>, u64)>> =
            hours.iter().map(|(hour, sensor, _)| compared.get(&(*hour, (*sensor).to_owned())).copied()).collect();
        let time = |after: i64| {
            let times = hours.iter().map(|(hour, ..)| (hour + after) * HOUR);
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
        };
        let sensor = |sensor: &str| Some(sensor.to_owned()).filter(|sensor| !sensor.is_empty());
        Ok(RecordBatch::try_new(
            self.schema(),
            vec![
                Arc::new(hours.iter().map(|(_, name, _)| sensor(name)).collect::<StringArray>()),
                time(0),
                time(1),
                Arc::new(UInt64Array::from_iter_values(hours.iter().map(|(.., health)| health.flows))),
                Arc::new(UInt32Array::from_iter_values(hours.iter().map(|(.., health)| health.silent_minutes))),
                Arc::new(hours.iter().map(|(.., health)| Some(health.is_down)).collect::<BooleanArray>()),
                Arc::new(hours.iter().map(|(.., health)| health.loss_ratio).collect::<Float64Array>()),
                Arc::new(compared.iter().map(|found| found.and_then(|(offset, _)| offset)).collect::<Int64Array>()),
                Arc::new(compared.iter().map(|found| found.map(|(_, doubles)| doubles)).collect::<UInt64Array>()),
            ],
        )?)
    }
}

#[async_trait]
impl TableProvider for SensorHealthTable {
    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("sensor", DataType::Utf8, true),
            Field::new("interval_start", time_type(), false),
            Field::new("interval_end", time_type(), false),
            Field::new("flows", DataType::UInt64, false),
            Field::new("silent_minutes", DataType::UInt32, false),
            Field::new("is_down", DataType::Boolean, false),
            Field::new("loss_ratio", DataType::Float64, true),
            Field::new("clock_offset", DataType::Int64, true),
            Field::new("doubles_in_slice", DataType::UInt64, true),
        ]))
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let wanted =
            |name: &str| schema.index_of(name).is_ok_and(|column| projection.is_none_or(|p| p.contains(&column)));
        let rows = self.rows(OF_FLOWS.into_iter().any(wanted)).await?;
        MemTable::try_new(schema, vec![vec![rows]])?.scan(session, projection, &[], limit).await
    }
}
