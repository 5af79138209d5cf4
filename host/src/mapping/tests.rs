use std::{path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray},
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
    check_misfit(
        "src_bytes = \"epoch + text\"",
        "`src_bytes` cannot be computed as `epoch + text`: Cannot coerce arithmetic expression Int64 + Utf8 to valid \
         types; epoch is Int64, text is Utf8: change what does not go together, with CAST(column AS type) where another \
         type is wanted",
    );
}

/// What becomes of an expression that no mapping may have, wherever that shows.
#[track_caller]
fn check_refused(sql: &str, expected: &str) {
    let shown = match mapping(&format!("service = '''{sql}'''")) {
        Err(error) => format!("{}; {}", error.reason(), error.remedy_text().unwrap_or_default()),
        Ok(mapping) => mapping.fit(source()).expect_err(sql).to_string(),
    };
    assert!(shown.contains(expected), "{sql}: {shown}");
    for own in ["DataFusion", "bug", "not implemented"] {
        assert!(!shown.contains(own), "{sql}: {shown}");
    }
}

#[test]
fn an_expression_is_of_one_record_and_comes_to_the_same_and_to_no_more() {
    check_refused("random()", "`random` comes to another value each time");
    check_refused("CAST(now() AS TEXT)", "`now` comes to another value each time");
    check_refused("UUID()", "`uuid` comes to another value each time");
    check_refused("input_file_name()", "`input_file_name` comes to another value");
    check_refused("sum(epoch)", "`sum` is of many records, and an expression is of one");
    check_refused("row_number() OVER ()", "`row_number` is of many records");
    check_refused("(SELECT 1)", "a query is nothing of one record");
    check_refused("epoch IN (SELECT 1)", "a query is nothing of one record");
    check_refused("EXISTS (SELECT 1)", "a query is nothing of one record");
    check_refused("$1", "a variable is nothing of one record");
    check_refused("repeat(text, 1000000000)", "`repeat` is none of the functions that a mapping may use");
    check_refused("lpad(text, 1000000000)", "`lpad` is none of the functions");
    check_refused("[text, text]", "`make_array` is none of the functions");
    check_refused("unnest([1, 2])", "`unnest`");
    check_refused("lwer(text)", "there is no function `lwer`; did you mean `lower`? functions are abs, ");
    check_refused("lower(text, text)", "`service` cannot be computed as `lower(text, text)`: ");
    check_refused("replace(text, 'a', 'aaaa')", "give it two texts in quotes, the second no longer than the first");
    check_refused("replace(text, '', text)", "`replace` puts in what may be longer than what it takes out");
    check_refused(
        "regexp_match(text, text)[1]",
        "the pattern text may be another for each record; write the pattern and",
    );
    check_refused(
        "CASE WHEN text ~ lower(text) THEN 'x' END",
        "the pattern lower(text) may be another for each record",
    );
    check_refused("CASE WHEN text LIKE text THEN 'x' END", "the pattern text may be another for each record");
    check_refused("regexp_match(text, 'a', text)[1]", "the pattern text may be another for each record");
    check_refused("regexp_match(text, '(a')[1]", "\"(a\" is no pattern: error: unclosed group");
    let too_big = "compiles to more than 128 KiB; write [0-9A-Za-z_] for \\w, and fewer repetitions";
    check_refused("regexp_match(text, '(\\w{1,20})')[1]", too_big);
    check_refused("CASE WHEN text !~* '(([a-z]{50}){50}){50}' THEN 'x' END", too_big);
    check_refused("CASE WHEN text SIMILAR TO '(a{100}){100}' THEN 'x' END", too_big);
    check_refused(&format!("text{}", " || text".repeat(64)), "it puts more than 64 texts one behind the other");
    check_refused(&format!("text{}", " || text".repeat(512)), "it must be a SQL expression of at most 4096 bytes");
}

#[test]
fn what_mappings_are_made_of_is_allowed() {
    for sql in [
        "SUBSTRING(text FROM 1 FOR 3) || trim(text) || position('x' IN text) || length(text)",
        "regexp_match(text, '([0-9]+):')[1]",
        "regexp_match(text, 'src=(\\S+) .* dst=(\\S+) ([A-Za-z]{2,8}) (\\d+)', 'i')[2]",
        "regexp_match(text, '(\\w+)')[1]",
        "replace(replace(text, '-', ':'), ' ', '')",
        "CASE WHEN text ~ '^a' OR text LIKE 'b%' THEN 'x' WHEN epoch BETWEEN 1 AND 2 THEN ifnull(text, 'y') END",
        "CAST(EXTRACT(year FROM nanos) AS TEXT)",
        "nanos::date::text",
        "split_part(text, '.', 1)",
    ] {
        let mapping =
            mapping(&format!("service = '''{sql}'''")).unwrap_or_else(|error| panic!("{sql}: {}", error.reason()));
        mapping.fit(source()).unwrap_or_else(|misfit| panic!("{sql}: {misfit}"));
    }
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
    // Of parts come other flows.
    let mut parts = mapping("src_bytes = \"epoch\"").unwrap();
    parts.source.parts = true;
    assert_ne!(digest("src_bytes = \"epoch\""), parts.fit(source()).unwrap().digest());
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

#[test]
fn what_fails_for_a_value_is_null_for_that_value() {
    let text = ["2024-05-01T00:00:00Z", "x", "1970-01-01T00:00:01Z", "", "1970-01-01T00:00:02Z"];
    let columns = vec![
        Arc::new(StringArray::from_iter_values(text)) as ArrayRef,
        Arc::new(Int64Array::from(vec![0, 1, 2, 3, 4])),
    ];
    let schema = schema(&[("text", DataType::Utf8), ("epoch", DataType::Int64)]);
    let batch = RecordBatch::try_new(schema, columns).unwrap();
    let times = |expression: &str| {
        let fit = mapping(&format!("end_time = \"{expression}\"")).unwrap().fit(source()).unwrap();
        fit.end_times(&batch).unwrap().iter().collect::<Vec<_>>()
    };
    assert_eq!(
        times("to_timestamp(text)"),
        [Some(1_714_521_600_000_000), None, Some(1_000_000), None, Some(2_000_000)]
    );
    assert_eq!(
        times("to_timestamp_seconds(12 / epoch)"),
        [None, Some(12_000_000), Some(6_000_000), Some(4_000_000), Some(3_000_000)]
    );
    assert_eq!(
        times("coalesce(to_timestamp_seconds(length(substr(text, 1, epoch - 3))), to_timestamp_seconds(9))"),
        [9, 9, 9, 0, 1].map(|seconds| Some(seconds * 1_000_000))
    );
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
