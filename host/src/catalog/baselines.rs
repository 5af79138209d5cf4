//! `baselines`: what each plugin has learned of each device, from the newest states. They are read when they are asked for.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{
    catalog::streaming::StreamingTable,
    error::DataFusionError,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::{stream::RecordBatchStreamAdapter, streaming::PartitionStream},
};
use futures::stream;
use wardflow_manifest::PluginId;

use crate::{
    error::{Context, Result},
    flow::time_type,
    lake::{State, StateKey, StateSet, StateStore},
    workspace::Workspace,
};

/// The table.
pub(super) fn table(workspace: &Workspace) -> Result<StreamingTable> {
    let fields = vec![
        Field::new("plugin", DataType::Utf8, false),
        Field::new("device_id", DataType::Utf8, false),
        Field::new("firmware", DataType::Utf8, true),
        Field::new("status", DataType::Utf8, false),
        Field::new("learned", DataType::Float64, false),
        Field::new("flows", DataType::Int64, false),
        Field::new("since", time_type(), false),
        Field::new("until", time_type(), false),
        Field::new("lost", DataType::Utf8, true),
    ];
    let schema = Arc::new(Schema::new(fields));
    let manifests = workspace.plugins.offered.iter().filter_map(|offered| offered.manifest.as_ref());
    let states = States {
        schema: Arc::clone(&schema),
        plugins: manifests.map(|manifest| manifest.id.clone()).collect(),
        store: workspace.lake.states().clone(),
    };
    StreamingTable::try_new(schema, vec![Arc::new(states)]).context(|| "the table baselines".to_owned())
}

#[derive(Clone, Debug)]
struct States {
    schema: SchemaRef,
    plugins: Vec<PluginId>,
    store: StateStore,
}

impl PartitionStream for States {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let states = self.clone();
        let batch = async move { states.read().await.map_err(|error| DataFusionError::External(Box::new(error))) };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream::once(batch)))
    }
}

impl States {
    async fn read(&self) -> Result<RecordBatch> {
        let mut sets = Vec::new();
        for plugin in &self.plugins {
            sets.extend(self.store.newest(plugin).await?);
        }
        let rows = || sets.iter().flat_map(|set| set.iter().map(move |(key, state)| (set, key, state)));
        let time = |of: fn(&StateSet, &State) -> i64| -> ArrayRef {
            let times = TimestampMicrosecondArray::from_iter_values(rows().map(|(set, _, state)| of(set, state)));
            Arc::new(times.with_timezone("UTC"))
        };
        let text = |of: fn(&StateSet, &StateKey) -> String| -> ArrayRef {
            let texts = rows().map(|(set, key, _)| Some(of(set, key)).filter(|text| !text.is_empty()));
            Arc::new(texts.collect::<StringArray>())
        };
        let flows = rows().map(|(.., state)| i64::try_from(state.flows).unwrap_or(i64::MAX));
        let arrays: Vec<ArrayRef> = vec![
            text(|set, _| set.plugin.to_string()),
            text(|_, key| key.device_id.clone()),
            text(|_, key| key.firmware.clone()),
            Arc::new(rows().map(|(.., state)| Some(status(state))).collect::<StringArray>()),
            Arc::new(Float64Array::from_iter_values(rows().map(|(.., state)| state.learned))),
            Arc::new(Int64Array::from_iter_values(flows)),
            time(|_, state| state.since),
            time(|set, _| set.slice_end),
            Arc::new(rows().map(|(.., state)| state.lost.as_deref()).collect::<StringArray>()),
        ];
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).context(|| "reading what was learned".to_owned())
    }
}

/// How a baseline stands.
const fn status(state: &State) -> &'static str {
    match state {
        State { lost: Some(_), .. } => "lost",
        State { ready: true, .. } => "ready",
        _ => "learning",
    }
}
