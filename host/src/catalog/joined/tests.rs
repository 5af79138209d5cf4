use std::sync::{Arc, Mutex};

use arrow::{
    array::{
        ArrayRef, AsArray, RecordBatch, StringViewArray, TimestampMicrosecondArray, UInt8Array, UInt16Array,
        UInt64Array, new_null_array,
    },
    compute::cast,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::Result,
    datasource::MemTable,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType, col, lit},
    physical_plan::ExecutionPlan,
    prelude::{SessionConfig, SessionContext},
    scalar::ScalarValue,
};

use super::{HOUR, JoinedFlows};
use crate::{flow, time::SECOND};

const CLIENT: (&str, u16) = ("10.0.0.1", 40_000);
const SERVER: (&str, u16) = ("203.0.113.9", 443);
const ACK: u16 = 16;

/// One direction of a TCP connection that goes on: who sent and who received, from and to in seconds, bytes.
type Part = ((&'static str, u16), (&'static str, u16), (i64, i64), u64);

fn schema() -> SchemaRef {
    let canonical = flow::schema();
    let fields = canonical.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}

fn batch(parts: &[Part]) -> RecordBatch {
    let times = |time: fn(&Part) -> i64| -> ArrayRef {
        let times = parts.iter().map(|part| time(part) * SECOND);
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
    };
    let texts = |text: fn(&Part) -> &'static str| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(parts.iter().map(text)))
    };
    let numbers =
        |number: fn(&Part) -> u16| -> ArrayRef { Arc::new(UInt16Array::from_iter_values(parts.iter().map(number))) };
    let columns = flow::COLUMNS.iter().map(|column| match column.name {
        "start_time" => times(|part| part.2.0),
        "end_time" => times(|part| part.2.1),
        "src_ip" => texts(|part| part.0.0),
        "dst_ip" => texts(|part| part.1.0),
        // The client's is none.
        "src_mac" => texts(|part| if part.0 == SERVER { "02:00:00:00:00:02" } else { "?" }),
        "src_port" => numbers(|part| part.0.1),
        "dst_port" => numbers(|part| part.1.1),
        "tcp_flags" => numbers(|_| ACK),
        "protocol" => Arc::new(UInt8Array::from_iter_values(parts.iter().map(|_| 6))),
        "src_bytes" => Arc::new(UInt64Array::from_iter_values(parts.iter().map(|part| part.3))),
        _ => new_null_array(&column.data_type.arrow(), parts.len()),
    });
    RecordBatch::try_new(schema(), columns.collect()).unwrap()
}

fn joined(partitions: &[&[Part]], slice_hours: i64) -> JoinedFlows {
    let partitions = partitions.iter().map(|parts| vec![batch(parts)]).collect();
    JoinedFlows { parts: Arc::new(MemTable::try_new(schema(), partitions).unwrap()), slice_length: slice_hours * HOUR }
}

/// What a query of one column comes to.
async fn texts(table: JoinedFlows, query: &str) -> Vec<String> {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(3));
    context.register_table("flows", Arc::new(table)).unwrap();
    let batches = context.sql(query).await.unwrap().collect().await.unwrap();
    let rows = |batch: &RecordBatch| {
        let texts = cast(batch.column(0), &DataType::Utf8).unwrap();
        let texts = texts.as_string::<i32>().iter().map(|text| text.unwrap_or("-").to_owned());
        texts.collect::<Vec<_>>()
    };
    batches.iter().flat_map(rows).collect()
}

/// Flows that meet a condition: the initiator's port, start and end in seconds, bytes of both ends.
async fn flows(table: JoinedFlows, condition: &str) -> Vec<String> {
    let columns = [
        "CAST(src_port AS VARCHAR)",
        "CAST(CAST(start_time AS BIGINT) / 1000000 AS VARCHAR)",
        "CAST(CAST(end_time AS BIGINT) / 1000000 AS VARCHAR)",
        "coalesce(CAST(src_bytes AS VARCHAR), '-')",
        "coalesce(CAST(dst_bytes AS VARCHAR), '-')",
    ];
    texts(table, &format!("SELECT {} FROM flows {condition} ORDER BY start_time", columns.join(" || ' ' || "))).await
}

/// A conversation whose answer is in another file, and its next piece.
const ONE: [&[Part]; 2] =
    [&[(SERVER, CLIENT, (100, 160), 900)], &[(CLIENT, SERVER, (170, 200), 50), (CLIENT, SERVER, (100, 160), 100)]];

/// A conversation that goes on past the sixth hour.
const LONG: [&[Part]; 1] = [&[
    (CLIENT, SERVER, (21_580, 21_640), 10),
    (SERVER, CLIENT, (21_580, 21_640), 20),
    (CLIENT, SERVER, (21_500, 21_560), 100),
    (SERVER, CLIENT, (21_500, 21_560), 900),
]];

#[tokio::test]
async fn parts_are_one_flow_wherever_they_lie() {
    assert_eq!(flows(joined(&ONE, 6), "").await, ["40000 100 200 150 900"]);
    assert_eq!(texts(joined(&ONE, 6), "SELECT CAST(observed_sides AS VARCHAR) FROM flows").await, ["2"]);
    assert_eq!(texts(joined(&ONE, 6), "SELECT CAST(count(*) AS VARCHAR) FROM flows").await, ["1"]);
    let answer: [&[Part]; 1] = [&[(SERVER, CLIENT, (100, 160), 900)]];
    assert_eq!(flows(joined(&answer, 6), "").await, ["40000 100 160 - 900"]);
}

#[tokio::test]
async fn the_end_of_a_slice_cuts() {
    assert_eq!(flows(joined(&LONG, 6), "").await, ["40000 21500 21560 100 900", "40000 21580 21640 10 20"]);
    assert_eq!(flows(joined(&LONG, 12), "").await, ["40000 21500 21640 110 920"]);
    // What ends in a later slice is none of the one in which it begins.
    let early: [&[Part]; 1] = [&[(CLIENT, SERVER, (21_500, 21_640), 1), (SERVER, CLIENT, (21_500, 21_560), 2)]];
    let seen = flows(joined(&early, 6), "").await;
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[tokio::test]
async fn conditions_are_of_flows_and_not_of_parts() {
    for condition in ["src_ip = '10.0.0.1'", "dst_bytes = 900", "end_time > '1970-01-01T00:03:10Z'"] {
        let seen = flows(joined(&ONE, 6), &format!("WHERE {condition}")).await;
        assert_eq!(seen, ["40000 100 200 150 900"], "{condition}");
    }
    for condition in ["src_ip = '203.0.113.9'", "src_bytes = 50", "end_time < '1970-01-01T00:03:00Z'"] {
        assert!(flows(joined(&ONE, 6), &format!("WHERE {condition}")).await.is_empty(), "{condition}");
    }
    let time = lit(ScalarValue::TimestampMicrosecond(Some(1), Some("UTC".into())));
    let (inside, other): (Expr, Expr) = (col("end_time").gt(time.clone()), col("src_ip").eq(lit("10.0.0.1")));
    let both = inside.clone().and(other.clone());
    use TableProviderFilterPushDown::{Inexact, Unsupported};
    let can = joined(&ONE, 6).supports_filters_pushdown(&[&inside, &other, &both]).unwrap();
    assert_eq!(can, [Inexact, Unsupported, Inexact]);
}

/// A table that notes what is asked of it.
#[derive(Debug)]
struct Noting {
    parts: Arc<dyn TableProvider>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// Conditions and limit of a scan.
type Asked = (Vec<Expr>, Option<usize>);

#[async_trait]
impl TableProvider for Noting {
    fn schema(&self) -> SchemaRef {
        self.parts.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.asked.lock().unwrap().push((filters.to_vec(), limit));
        self.parts.scan(session, projection, filters, limit).await
    }
}

#[tokio::test]
async fn parts_are_asked_for_by_whole_slices() {
    let asked = Arc::new(Mutex::default());
    let JoinedFlows { parts, slice_length } = joined(&LONG, 6);
    let table = JoinedFlows { parts: Arc::new(Noting { parts, asked: Arc::clone(&asked) }), slice_length };
    let query = "SELECT dst_ip FROM flows WHERE end_time >= '1970-01-01T06:00:10Z' AND src_ip = '10.0.0.1' LIMIT 3";
    assert_eq!(texts(table, query).await, ["203.0.113.9"]);
    let sixth_hour = ScalarValue::TimestampMicrosecond(Some(6 * HOUR), Some("UTC".into()));
    assert_eq!(*asked.lock().unwrap(), [(vec![col("end_time").gt_eq(lit(sixth_hour))], None)]);
}

#[tokio::test]
async fn a_limit_is_one_of_flows() {
    let query = "SELECT CAST(dst_bytes AS VARCHAR) FROM flows LIMIT 1";
    assert_eq!(texts(joined(&ONE, 6), query).await, ["900"]);
    assert_eq!(texts(joined(&LONG, 6), query).await.len(), 1);
}

#[tokio::test]
async fn an_end_has_what_its_own_parts_say() {
    assert_eq!(texts(joined(&ONE, 6), "SELECT dst_mac FROM flows").await, ["02:00:00:00:00:02"]);
    assert_eq!(texts(joined(&ONE, 6), "SELECT src_mac FROM flows").await, ["-"]);
}

#[tokio::test]
async fn of_nothing_comes_nothing() {
    assert!(flows(joined(&[&[]], 6), "").await.is_empty());
    assert_eq!(texts(joined(&[&[]], 6), "SELECT CAST(count(*) AS VARCHAR) FROM flows").await, ["0"]);
    let no_address: [&[Part]; 1] = [&[(("10.0.0.256", 1), SERVER, (1, 2), 3), (CLIENT, SERVER, (1, 2), 3)]];
    assert_eq!(texts(joined(&no_address, 6), "SELECT src_ip FROM flows").await, ["10.0.0.1"]);
}
