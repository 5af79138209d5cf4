use std::{path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, Int64Array, TimestampNanosecondArray},
    datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit},
};
use datafusion::{
    logical_expr::{Expr, col, lit},
    scalar::ScalarValue,
};

use super::{Mapping, Misfit, SHIPPED};
use crate::error::Error;

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    let fields = fields.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A mapping of a source with the canonical columns, but for one line.
fn mapping(line: &str) -> Result<Mapping, Error> {
    let key = line.split(' ').next().unwrap();
    let own = ["start_time", "end_time", "src_ip", "dst_ip", "src_port", "dst_port", "protocol"];
    let own = own.iter().filter(|name| **name != key).map(|name| format!("{name} = \"{name}\"\n"));
    Mapping::parse(Path::new("map.toml"), &format!("[columns]\n{line}\n{}", own.collect::<String>()))
}

fn source() -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, None);
    let traffic = Fields::from(vec![Field::new("bytes_out", DataType::Int64, true)]);
    schema(&[
        ("start_time", time()),
        ("end_time", time()),
        ("src_ip", DataType::Utf8),
        ("dst_ip", DataType::Utf8),
        ("src_port", DataType::Int32),
        ("dst_port", DataType::Int32),
        ("protocol", DataType::Int64),
        ("traffic", DataType::Struct(traffic)),
        ("epoch", DataType::Int64),
        ("Flags", DataType::Int16),
        ("day", DataType::Date32),
        ("nanos", DataType::Timestamp(TimeUnit::Nanosecond, None)),
        ("text", DataType::Utf8),
    ])
}

#[track_caller]
fn check_wrong(text: &str, expected: &str) {
    let error = Mapping::parse(Path::new("map.toml"), text).unwrap_err();
    let shown = format!("{}\n{}", error.reason(), error.remedy_text().unwrap_or_default());
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn what_is_wrong_in_itself_is_shown_at_its_place() {
    check_wrong("[source]\n", "the mapping map.toml has no table `columns`\ngive an expression for each of start_time");
    check_wrong("[columns]\nstart_time = \"a\"\n", "`columns` has no `end_time`, without which a record is no flow");
    check_wrong("[columns]\nscr_ip = \"a\"\n", "map.toml:2:1: unknown key `scr_ip` in `columns`");
    check_wrong("[columns]\nscr_ip = \"a\"\n", "did you mean `src_ip`?");
    check_wrong(
        "[columns]\nstart_time = \"a +\"\n",
        "map.toml:2:14: `columns.start_time` is \"a +\"; it must be a SQL",
    );
    check_wrong("[columns]\nstart_time = \"(case when\"\n", "stands in double quotes: write '\"end\"'");
    check_wrong("[columns]\nstart_time = []\n", "a SQL expression in quotes, or a list of them");
    check_wrong("[source]\ndelimiter = \"||\"\n[columns]\n", "`source.delimiter` is \"||\"; it must be one character");
    check_wrong("[source]\nheader = false\n[columns]\n", "true where no `columns` are named");
    check_wrong("[source]\ndelimitr = \",\"\n[columns]\n", "did you mean `delimiter`?");
}

#[track_caller]
fn check_misfit(line: &str, expected: &str) {
    let mapping = mapping(line).unwrap();
    let misfit: Misfit = mapping.fit(source()).expect_err(line);
    assert_eq!(misfit.to_string(), expected);
    let error = mapping.error(&misfit, "a.parquet").to_string();
    assert!(error.starts_with("map.toml:2:") && error.contains(line), "{error}");
}

#[test]
fn what_does_not_fit_a_source_is_told_with_what_is_nearest() {
    let there = "there are start_time, end_time, src_ip, dst_ip, src_port, dst_port, protocol, traffic, epoch, Flags, \
                 day, nanos, text";
    check_misfit(
        "src_bytes = \"trafic + 1\"",
        &format!("`src_bytes` needs the column \"trafic\", which is not there; did you mean \"traffic\"? {there}"),
    );
    check_misfit(
        "tcp_flags = \"flags\"",
        &format!("`tcp_flags` needs the column \"flags\", which is not there; did you mean \"Flags\"? {there}"),
    );
    check_misfit(
        "src_bytes = [\"traffic['bytes_ot']\", \"bytes\"]",
        "`src_bytes` needs the field of traffic \"bytes_ot\", which is not there; did you mean \"bytes_out\"? \
         there are bytes_out",
    );
    check_misfit(
        "start_time = \"epoch\"",
        "`start_time` is Int64; it must be a time; say what the number counts since 1970: to_timestamp_seconds(epoch), \
         to_timestamp_millis(epoch), to_timestamp_micros(epoch) or to_timestamp_nanos(epoch)",
    );
    check_misfit("src_port = \"start_time\"", "`src_port` is Timestamp(µs); it must be a whole number from 0 to 65535");
    check_misfit("src_ip = \"protocol\"", "`src_ip` is Int64; it must be an IP address");
    check_misfit("dst_ip = \"NULL\"", "`dst_ip` is Null; it must be an IP address");
    check_misfit("service = \"traffic\"", "`service` is Struct(\"bytes_out\": Int64); it must be text");
    let mapping = mapping("src_bytes = \"sum(epoch)\"").unwrap();
    assert!(mapping.fit(source()).unwrap_err().to_string().starts_with("`src_bytes` cannot be computed: "));
}

#[test]
fn the_first_expression_that_fits_counts() {
    for (line, expected) in [
        ("src_bytes = [\"traffic['bytes']\", \"traffic['bytes_out']\"]", "get_field(traffic, Utf8(\"bytes_out\"))"),
        ("src_bytes = [\"bytes\", \"traffic.bytes_out\"]", "get_field(traffic, Utf8(\"bytes_out\"))"),
        ("src_bytes = [\"bytes\", \"NULL\"]", "NULL"),
        ("tcp_flags = [\"Flags\", \"none\"]", "Flags"),
    ] {
        let fit = mapping(line).unwrap().fit(source()).unwrap();
        let column = line.split(' ').next().unwrap();
        assert_eq!(fit.column(column).unwrap().to_string(), expected);
    }
}

#[test]
fn digests_follow_the_expressions() {
    let digest = |line: &str| mapping(line).unwrap().fit(source()).unwrap().digest();
    assert_eq!(digest("src_bytes = \"epoch\""), digest("src_bytes = [\"missing\", \"epoch\"]"));
    assert_ne!(digest("src_bytes = \"epoch\""), digest("dst_bytes = \"epoch\""));
    assert_ne!(digest("src_bytes = \"epoch\""), digest("src_bytes = \"epoch + 1\""));
}

#[test]
fn those_that_come_along_fit_what_they_are_for() {
    for (name, _) in SHIPPED {
        Mapping::find(name, Path::new("/")).unwrap();
    }
    let error = Mapping::find("aws-vcp", Path::new("/")).unwrap_err();
    assert_eq!(error.to_string(), "there is no mapping \"aws-vcp\": neither a file nor one that comes along");
    assert!(error.remedy_text().unwrap().starts_with("did you mean \"aws-vpc\"?"));

    // The default format, as Parquet has it, then with all fields as text.
    let vpc = Mapping::find("aws-vpc", Path::new("/")).unwrap();
    use DataType::{Int32, Int64, Utf8, Utf8View};
    let fields = [
        ("version", Int32),
        ("account_id", Utf8),
        ("interface_id", Utf8),
        ("srcaddr", Utf8),
        ("dstaddr", Utf8),
        ("srcport", Int32),
        ("dstport", Int32),
        ("protocol", Int32),
        ("packets", Int64),
        ("bytes", Int64),
        ("start", Int64),
        ("end", Int64),
        ("action", Utf8),
        ("log_status", Utf8),
    ];
    let fit = vpc.fit(schema(&fields)).unwrap();
    assert_eq!(fit.end_time_columns().unwrap(), ["end"]);
    assert_eq!(fit.column("tcp_flags").unwrap().to_string(), "NULL");
    let fit = vpc.fit(schema(&fields.map(|(name, _)| (name, Utf8View)))).unwrap();
    assert_eq!(fit.end_time_columns(), None);
}

/// The columns that an end time comes from, and what it is for three of their values.
#[track_caller]
fn check_clock(expression: &str, columns: Option<&[&str]>, values: ArrayRef, expected: &[i64]) {
    let mapping = mapping(&format!("end_time = '{expression}'")).unwrap();
    let fit = mapping.fit(source()).unwrap();
    let found = fit.end_time_columns();
    assert_eq!(found, columns.map(|names| names.iter().map(ToString::to_string).collect()), "{expression}");
    if let Some([first, ..]) = found.as_deref() {
        assert_eq!(fit.end_times_of(first, values).unwrap().values(), expected, "{expression}");
    }
}

#[test]
fn a_simple_time_is_known_from_its_column() {
    let numbers = || Arc::new(Int64Array::from(vec![0, 2])) as ArrayRef;
    let nanos = || Arc::new(TimestampNanosecondArray::from(vec![1_999, 4_000])) as ArrayRef;
    check_clock("to_timestamp_seconds(epoch)", Some(&["epoch"]), numbers(), &[0, 2_000_000]);
    check_clock("to_timestamp_seconds(CAST(epoch AS BIGINT) * 60)", Some(&["epoch"]), numbers(), &[0, 120_000_000]);
    check_clock("to_timestamp_millis(epoch)", Some(&["epoch"]), numbers(), &[0, 2_000]);
    check_clock("CAST(nanos AS TIMESTAMP(3))", Some(&["nanos"]), nanos(), &[0, 0]);
    check_clock("nanos", Some(&["nanos"]), nanos(), &[1, 4]);
    check_clock("coalesce(nanos, to_timestamp(epoch))", Some(&["nanos", "epoch"]), nanos(), &[1, 4]);
    for other in ["to_timestamp(text)", "to_timestamp_seconds(epoch * -1)", "to_timestamp_seconds(epoch % 60)"] {
        check_clock(other, None, numbers(), &[]);
    }
}

/// What a condition on the end time comes to for the columns of the source.
#[track_caller]
fn check_hint(expression: &str, filter: &Expr, expected: Option<&str>) {
    let fit = mapping(&format!("end_time = '{expression}'")).unwrap().fit(source()).unwrap();
    assert_eq!(fit.hint(filter).map(|hint| hint.to_string()).as_deref(), expected, "{expression}");
}

#[test]
fn a_condition_on_a_time_is_one_on_its_column() {
    let at = |micros: i64| lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())));
    let from = col("end_time").gt_eq(at(100_000_000));
    check_hint("to_timestamp_seconds(epoch)", &from, Some("epoch >= Int64(99)"));
    check_hint("to_timestamp_millis(epoch)", &at(100_000_000).gt(col("end_time")), Some("epoch <= Int64(101001)"));
    check_hint("nanos", &from, Some("nanos >= TimestampNanosecond(99000000000, None)"));
    check_hint(
        "coalesce(nanos, to_timestamp(epoch))",
        &from,
        Some("nanos >= TimestampNanosecond(99000000000, None) OR epoch >= Int64(99)"),
    );
    check_hint("to_timestamp_seconds(epoch)", &col("end_time").not_eq(at(1)), None);
    check_hint("to_timestamp_seconds(epoch)", &col("src_port").eq(lit(1)), None);
    check_hint("to_timestamp(text)", &from, None);
}
