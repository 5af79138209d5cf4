//! `ObserveExec`: what the sensors delivered, where only the flows of some devices are resolved.
//!
//! Gaps are gaps of all flows. So that a query for one device need not read the addresses of all, those that are not its
//! own go by here, with little but their times. Nothing comes out.

use std::{fmt, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array},
    compute::cast,
    datatypes::{DataType, SchemaRef, TimestampMicrosecondType, UInt64Type},
};
use datafusion::{
    common::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::EquivalenceProperties,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, future};

use super::{Observed, gaps::Counts, node::one_input};
use crate::{
    flow::{self, time_type},
    time::MINUTE,
};

/// Reads what the sensors delivered.
#[derive(Debug)]
pub(super) struct ObserveExec {
    input: Arc<dyn ExecutionPlan>,
    observed: Arc<Observed>,
    properties: Arc<PlanProperties>,
}

impl ObserveExec {
    /// Those of the columns to read that tell when flows ended and how they were seen.
    pub(super) fn columns(read: &[&'static str]) -> Vec<&'static str> {
        let sides: &[_] = if read.contains(&flow::SIDES[0]) { &flow::SIDES } else { &[] };
        let needed = ["end_time", "sampling_interval"].iter().chain(sides);
        needed.copied().filter(|name| read.contains(name)).collect()
    }

    /// Over flows with those of the columns that are needed. It has the schema of what it stands beside.
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, observed: Arc<Observed>, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self { input, observed, properties: Arc::new(properties) }
    }
}

impl DisplayAs for ObserveExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObserveExec: gaps of all flows")
    }
}

impl ExecutionPlan for ObserveExec {
    one_input!("ObserveExec", |plan, input| Self::new(input, Arc::clone(&plan.observed), plan.schema()));

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let observed = Arc::clone(&self.observed);
        let nothing = input.filter_map(move |batch| {
            let failed = batch.and_then(|batch| observe(&batch, &observed)).err();
            future::ready(failed.map(Err))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), nothing)))
    }
}

/// Counts a batch of flows, by the columns that it has.
pub(super) fn observe(batch: &RecordBatch, observed: &Observed) -> Result<()> {
    if let Some(times) = batch.column_by_name("end_time") {
        let times = cast(times, &time_type())?;
        let times = times.as_primitive::<TimestampMicrosecondType>().values();
        // Flows that follow each other mostly end in the same minute.
        let mut minute = 0..0;
        for time in times {
            if !minute.contains(time) {
                let start = time - time.rem_euclid(MINUTE);
                minute = start..start + MINUTE;
                observed.see(*time);
            }
        }
    }
    let [one_sided, two_sided] = sides(batch)?;
    let sampled = batch.column_by_name("sampling_interval").map(to_numbers).transpose()?;
    let sampled = sampled.iter().flatten().flatten().filter(|interval| *interval > 1).count() as u64;
    observed.add(&Counts { flows: batch.num_rows() as u64, one_sided, two_sided, sampled, ..Counts::default() });
    Ok(())
}

/// Flows of which one side was seen, and of which both were.
fn sides(batch: &RecordBatch) -> Result<[u64; 2]> {
    let mut counts = [0; 2];
    let [sides, protocol, src, dst, state] = flow::SIDES.map(|name| batch.column_by_name(name));
    // Most sources say nothing of sides, and count both.
    if sides.is_none_or(|sides| sides.null_count() == sides.len()) && dst.is_none_or(|dst| dst.null_count() == 0) {
        return Ok(counts);
    }
    let [sides, protocol, src, dst] = [sides, protocol, src, dst].map(|column| column.map(to_numbers).transpose());
    let [sides, protocol, src, dst] = [sides?, protocol?, src?, dst?];
    for row in 0..batch.num_rows() {
        // Of a column that was not read nothing is known.
        let has_state = state.is_none_or(|state| state.is_valid(row));
        let value = |column: &Option<UInt64Array>| {
            column.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row))
        };
        let small = |column: &Option<UInt64Array>| value(column).and_then(|number| u8::try_from(number).ok());
        let packets = [value(&src), value(&dst)];
        if let Some(is_one_sided) = flow::is_one_sided(small(&protocol).unwrap_or(0), small(&sides), packets, has_state)
        {
            counts[usize::from(!is_one_sided)] += 1;
        }
    }
    Ok(counts)
}

fn to_numbers(column: &ArrayRef) -> Result<UInt64Array> {
    Ok(cast(column, &DataType::UInt64)?.as_primitive::<UInt64Type>().clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, RecordBatch, UInt8Array, UInt64Array, new_null_array},
        datatypes::DataType,
    };
    use wardflow_manifest::Requirement;

    use super::{Observed, observe};
    use crate::{detect::Slice, time::MINUTE};

    /// Protocol, sides, packets of both ends, and how many such flows there are.
    type Seen = (u8, Option<u8>, [Option<u64>; 2], usize);

    fn lacks(flows: &[Seen]) -> Option<String> {
        let rows = || flows.iter().flat_map(|flow| std::iter::repeat_n(flow, flow.3));
        let columns: [(&str, ArrayRef); 5] = [
            ("conn_state", new_null_array(&DataType::Utf8View, rows().count())),
            ("protocol", Arc::new(rows().map(|flow| Some(flow.0)).collect::<UInt8Array>())),
            ("observed_sides", Arc::new(rows().map(|flow| flow.1).collect::<UInt8Array>())),
            ("src_packets", Arc::new(rows().map(|flow| flow.2[0]).collect::<UInt64Array>())),
            ("dst_packets", Arc::new(rows().map(|flow| flow.2[1]).collect::<UInt64Array>())),
        ];
        let observed = Observed::new(Slice { start: 0, end: MINUTE });
        observe(&RecordBatch::try_from_iter(columns).unwrap(), &observed).unwrap();
        observed.lacks(Requirement::BothSides)
    }

    #[test]
    fn records_of_one_direction_lack_the_other_though_nothing_says_so() {
        let lacking = "20 of 20 flows that tell show one side of a conversation that had two; at most 10 % may";
        for packets in [[Some(9), None], [None, None]] {
            assert_eq!(lacks(&[(6, None, packets, 20)]).unwrap(), lacking);
        }
        assert_eq!(lacks(&[(6, None, [Some(9), Some(9)], 20)]), None);
    }

    #[test]
    fn a_scan_is_not_taken_for_a_sensor_that_sees_one_side() {
        let whole = (6, Some(2), [Some(9), Some(8)], 20);
        let dropped = (6, None, [Some(1), Some(0)], 500);
        let refused = (6, Some(1), [None, Some(1)], 500);
        let probed = (6, Some(1), [Some(1), Some(0)], 500);
        assert_eq!(lacks(&[whole, dropped, refused, probed]), None);
        let halves = (6, Some(1), [Some(9), None], 3);
        let lacking = lacks(&[whole, dropped, refused, probed, halves]);
        assert!(lacking.unwrap().starts_with("3 of 23 flows that tell"));
        // Where nothing of sides is known, nothing is lacking.
        assert_eq!(lacks(&[dropped, (17, None, [Some(3), Some(0)], 9)]), None);
    }
}
