//! CSV (RFC 4180). A spreadsheet reads it, and `cat` and `less` do: what a terminal would obey is made visible, and text
//! that a spreadsheet would take for a formula is made text. Numbers are left as they are. Exact values are JSON's and
//! Parquet's.

use std::{borrow::Cow, io::Write, ops::ControlFlow};

use datafusion::arrow::{
    array::Array,
    datatypes::{DataType, FieldRef, SchemaRef},
    error::ArrowError,
    json::writer::{EncoderOptions, make_encoder},
    record_batch::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use wardflow::error::{Context, Result};

use super::{file::Destination, json, rows::RowWriter, text::visible, unwritable};

/// Writes rows as CSV with a header. Times are RFC 3339, nested values JSON, missing values empty.
pub(super) struct CsvRows {
    destination: Destination,
}

impl CsvRows {
    pub(super) fn open(destination: Destination, schema: &SchemaRef) -> Result<Self> {
        let mut rows = Self { destination };
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().clone()).collect();
        rows.record(names.iter().map(|name| harmless(name)))?;
        Ok(rows)
    }

    /// Writes cells that have passed the door.
    fn record<T: AsRef<[u8]>>(&mut self, cells: impl Iterator<Item = T>) -> Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let doing = || "cannot write the rows as CSV".to_owned();
        writer.write_record(cells).context(doing)?;
        let line = writer.into_inner().map_err(csv::IntoInnerError::into_error).context(doing)?;
        self.destination.write_all(&line).map_err(unwritable)
    }
}

impl RowWriter for CsvRows {
    fn write(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>> {
        let doing = || "cannot write the rows as CSV".to_owned();
        let schema = batch.schema();
        let columns: Vec<_> = schema.fields().iter().zip(batch.columns()).collect();
        let columns: Vec<Vec<String>> =
            columns.into_iter().map(|(field, column)| cells(field, column)).collect::<Result<_, _>>().context(doing)?;
        for row in 0..batch.num_rows() {
            self.record(columns.iter().map(|column| &column[row]))?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.destination.finish()
    }
}

/// A column's values, each made harmless as its type needs.
fn cells(field: &FieldRef, column: &dyn Array) -> Result<Vec<String>, ArrowError> {
    if column.data_type().is_nested() {
        let options = EncoderOptions::default();
        let mut encoder = make_encoder(field, column, &options)?;
        let cell = |row| {
            let mut bytes = Vec::new();
            if !encoder.is_null(row) {
                encoder.encode(row, &mut bytes);
            }
            // In JSON it can only stand in strings.
            Ok(json::escape(&String::from_utf8_lossy(&bytes)).replace(SEPARATOR, "\\u003b"))
        };
        return (0..column.len()).map(cell).collect();
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let is_text = is_text(column.data_type());
    let cell = |row| {
        let value = formatter.value(row).try_to_string()?;
        Ok(if is_text { harmless(&value) } else { value })
    };
    (0..column.len()).map(cell).collect()
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        DataType::RunEndEncoded(_, values) => is_text(values.data_type()),
        _ => false,
    }
}

/// What ends a cell besides a comma, where a spreadsheet's language has the comma in its numbers.
const SEPARATOR: char = ';';

/// The door: text as it may stand in a cell.
fn harmless(text: &str) -> String {
    let text = visible(text);
    text.split(SEPARATOR).map(guard).collect::<Vec<_>>().join(";")
}

/// Puts an apostrophe before text that a spreadsheet would take for a formula (OWASP, "CSV Injection").
fn guard(text: &str) -> Cow<'_, str> {
    let begins = text.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
    if begins.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹢', '﹣', '﹦', '﹫', '−']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::{
        array::{
            ArrayRef, Float64Array, Int64Array, ListArray, ListBuilder, StringArray, StringBuilder,
            TimestampMicrosecondArray,
        },
        datatypes::Int64Type,
        record_batch::RecordBatch,
    };
    use proptest::prelude::*;
    use wardflow_manifest::is_unprintable;

    use super::{super::rows::RowWriter, CsvRows, guard};
    use crate::print::{file::Destination, text::visible};

    fn written(columns: Vec<(&str, ArrayRef)>) -> String {
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.csv");
        let mut rows = CsvRows::open(Destination::file(&path).unwrap(), &batch.schema()).unwrap();
        assert!(rows.write(&batch).unwrap().is_continue());
        Box::new(rows).finish().unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn guards_text_and_leaves_numbers() {
        let nested = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(-1), None]), None]);
        let shown = written(vec![
            ("=name", Arc::new(StringArray::from(vec![Some("=HYPERLINK(\"x\")"), None])) as ArrayRef),
            ("n", Arc::new(Int64Array::from(vec![-5, 7]))),
            ("x", Arc::new(Float64Array::from(vec![-0.5, 2.0]))),
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![0, 1_500_000]).with_timezone("UTC"))),
            ("list", Arc::new(nested)),
        ]);
        assert_eq!(
            shown,
            "'=name,n,x,at,list\n\"'=HYPERLINK(\"\"x\"\")\",-5,-0.5,1970-01-01T00:00:00Z,\"[-1,null]\"\n\
             ,7,2.0,1970-01-01T00:00:01.500Z,\n"
        );
    }

    /// The cell that a spreadsheet reads, whose columns end at `delimiter`.
    fn read(shown: &str, delimiter: u8) -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new();
        reader.delimiter(delimiter).has_headers(false).flexible(true);
        let records = reader.from_reader(shown.as_bytes()).into_records();
        records.flat_map(|record| record.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn cells_are_shown_as_they_would_be_obeyed() {
        for (text, expected) in [
            ("pump-7 Größe", "pump-7 Größe"),
            ("\u{1b}]52;c;=\u{7}", "\\u{1b}]52;c;'=\\u{7}"),
            ("a\r\nb,\"c\"", "\"a\\r\\nb,\"\"c\"\"\""),
            ("\t=1", "\\t=1"),
            ("  =1", "'  =1"),
            ("\"=1", "\"'\"\"=1\""),
            ("x;\"+1", "\"x;'\"\"+1\""),
            ("－1", "'－1"),
        ] {
            let shown = written(vec![("t", Arc::new(StringArray::from(vec![text])) as ArrayRef)]);
            assert_eq!(shown, format!("t\n{expected}\n"), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_cell_is_obeyed_and_none_is_lost(
            text in "[=+@\t\r\n\"',;a-]{0,12}|(\\PC|\\pC|[\u{0}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{202e}]){0,40}"
        ) {
            let shown = written(vec![
                ("n", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
                ("t", Arc::new(StringArray::from(vec![text.as_str(), "end"]))),
            ]);
            prop_assert!(!shown.contains(|c| c != '\n' && is_unprintable(c)), "{:?}", shown);
            prop_assert_eq!(shown.lines().count(), 3);
            // Without the apostrophes it is the text that a terminal would be shown.
            let cells = read(&shown, b',');
            prop_assert_eq!(cells.len(), 6);
            prop_assert_eq!(cells[3].replace('\'', ""), visible(&text).replace('\'', ""));
            for delimiter in [b',', b';', b'\t'] {
                for cell in read(&shown, delimiter) {
                    prop_assert_eq!(&guard(&cell), &cell, "{:?} at {:?}", shown, delimiter as char);
                }
            }
        }

        #[test]
        fn nested_cells_are_json_of_the_same_value(text in "[=+@\t\r\n\"',;a\u{1b}\u{9b}\u{202e}-]{0,12}") {
            let mut lists = ListBuilder::new(StringBuilder::new());
            lists.append_value([Some(&text)]);
            let shown = written(vec![("t", Arc::new(lists.finish()) as ArrayRef)]);
            prop_assert!(!shown.contains(|c| c != '\n' && is_unprintable(c)), "{:?}", shown);
            let value: Vec<String> = serde_json::from_str(&read(&shown, b',')[1]).unwrap();
            prop_assert_eq!(value, vec![text]);
            prop_assert!(!shown.contains(';'));
        }
    }
}
