//! CSV (RFC 4180). Text that a spreadsheet would take for a formula is made text; numbers are left as they are.

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
        rows.record(names.iter().map(|name| guard(name)))?;
        Ok(rows)
    }

    fn record<'a>(&mut self, cells: impl Iterator<Item = Cow<'a, str>>) -> Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let doing = || "cannot write the rows as CSV".to_owned();
        let terminal = self.destination.is_terminal();
        let shown = |cell: Cow<'a, str>| if terminal { visible(&cell).into_owned() } else { cell.into_owned() };
        writer.write_record(cells.map(shown)).context(doing)?;
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
            self.record(columns.iter().map(|column| Cow::Borrowed(column[row].as_str())))?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.destination.finish()
    }
}

/// A column's values, each guarded as its type needs.
fn cells(field: &FieldRef, column: &dyn Array) -> Result<Vec<String>, ArrowError> {
    if column.data_type().is_nested() {
        let options = EncoderOptions::default();
        let mut encoder = make_encoder(field, column, &options)?;
        let cell = |row| {
            let mut bytes = Vec::new();
            if !encoder.is_null(row) {
                encoder.encode(row, &mut bytes);
            }
            Ok(json::escape(&String::from_utf8_lossy(&bytes)))
        };
        return (0..column.len()).map(cell).collect();
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let is_text = is_text(column.data_type());
    let cell = |row| {
        let value = formatter.value(row).try_to_string()?;
        Ok(if is_text { guard(&value).into_owned() } else { value })
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

/// Puts an apostrophe before text that a spreadsheet would take for a formula (OWASP, "CSV Injection").
fn guard(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::{
        array::{ArrayRef, Float64Array, Int64Array, ListArray, StringArray, TimestampMicrosecondArray},
        datatypes::Int64Type,
        record_batch::RecordBatch,
    };
    use proptest::prelude::*;

    use super::{super::rows::RowWriter, CsvRows, guard};
    use crate::print::file::Destination;

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

    proptest! {
        #[test]
        fn no_cell_begins_as_a_formula_and_none_is_lost(text in "[=+@\t\r\n\"',a-]{0,12}") {
            let shown = written(vec![("t", Arc::new(StringArray::from(vec![text.as_str(), "end"])) as ArrayRef)]);
            let mut reader = csv::Reader::from_reader(shown.as_bytes());
            let cell = reader.records().next().unwrap().unwrap()[0].to_owned();
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
            prop_assert_eq!(&cell, &guard(&text));
            prop_assert!(cell == text || cell.strip_prefix('\'') == Some(&text));
        }
    }
}
