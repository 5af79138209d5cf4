//! Tables for people.

use std::{io::Write, ops::ControlFlow};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use datafusion::arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, Float64Type, SchemaRef},
    error::ArrowError,
    record_batch::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use wardflow::error::{Context, Result};

use super::{
    Stream,
    file::Destination,
    rows::RowWriter,
    text::{visible, visible_lines},
    unwritable,
};

/// Most rows of a table: more than a person reads, and little enough to lay out in memory.
const MOST_ROWS: usize = 1_000;

/// Characters that a column needs to be read. Rows with more columns than fit are shown one below the other.
const COLUMN_WIDTH: usize = 10;

const TIME_FORMAT: Option<&str> = Some("%Y-%m-%d %H:%M:%S");

/// Gathers rows, then lays them out.
pub(super) struct TableRows {
    destination: Destination,
    stream: Stream,
    names: Vec<String>,
    numeric: Vec<bool>,
    /// Whether cells hold text of our own that has lines: the plans of EXPLAIN.
    has_lines: bool,
    rows: Vec<Vec<String>>,
    more: bool,
}

impl TableRows {
    pub(super) fn new(destination: Destination, schema: &SchemaRef, stream: Stream) -> Self {
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let numeric = schema.fields().iter().map(|field| field.data_type().is_numeric()).collect();
        let has_lines = names == ["plan_type", "plan"];
        Self { destination, stream, names, numeric, has_lines, rows: Vec::new(), more: false }
    }
}

impl RowWriter for TableRows {
    fn write(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>> {
        let fitting = batch.num_rows().min(MOST_ROWS - self.rows.len());
        self.more |= fitting < batch.num_rows();
        let batch = batch.slice(0, fitting);
        let doing = || "cannot show the rows".to_owned();
        let columns: Vec<Vec<String>> =
            batch.columns().iter().map(|column| cells(column)).collect::<Result<_, _>>().context(doing)?;
        let rows = (0..fitting).map(|row| columns.iter().map(|column| column[row].clone()).collect());
        self.rows.extend(rows);
        Ok(if self.more { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let width = self.stream.terminal.then(terminal_width).flatten();
        let shown = if width.is_some_and(|width| self.names.len() * COLUMN_WIDTH > width && !self.has_lines) {
            one_below_the_other(&self.names, &self.rows)
        } else {
            layout(&self.names, &self.rows, &self.numeric, self.has_lines, self.stream)
        };
        let count = match (self.rows.len(), self.more) {
            (rows, true) => format!("(the first {rows} rows; --format csv or a LIMIT gives the others)"),
            (1, false) => "(1 row)".to_owned(),
            (rows, false) => format!("({rows} rows)"),
        };
        writeln!(self.destination, "{shown}\n{count}").map_err(unwritable)?;
        self.destination.finish()
    }
}

/// A table of words, to be printed on a stream.
pub(crate) fn grid(header: &[&str], rows: &[Vec<String>], stream: Stream) -> String {
    let is_number = |text: &str| text.replace(',', "").parse::<f64>().is_ok();
    let numeric: Vec<_> = (0..header.len())
        .map(|i| !rows.is_empty() && rows.iter().all(|row| is_number(&row[i]) || row[i] == "-"))
        .collect();
    layout(header, rows, &numeric, false, stream)
}

fn layout<S: AsRef<str>>(
    names: &[S],
    rows: &[Vec<String>],
    numeric: &[bool],
    has_lines: bool,
    stream: Stream,
) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    match stream.terminal.then(terminal_width).flatten() {
        Some(width) => drop(table.set_width(u16::try_from(width).unwrap_or(u16::MAX))),
        None => drop(table.set_content_arrangement(ContentArrangement::Disabled)),
    }
    if stream.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(names.iter().map(|name| Cell::new(visible(name.as_ref())).add_attribute(Attribute::Bold)));
    for row in rows {
        table.add_row(row.iter().zip(names).map(|(text, name)| {
            let cell = Cell::new(if has_lines { visible_lines(text.trim_end()) } else { visible(text) });
            match color(name.as_ref(), text) {
                Some(color) => cell.fg(color),
                None => cell,
            }
        }));
    }
    for (i, _) in numeric.iter().enumerate().filter(|(_, numeric)| **numeric) {
        if let Some(column) = table.column_mut(i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// Rows as `name │ value`, a block a row.
fn one_below_the_other(names: &[String], rows: &[Vec<String>]) -> String {
    let names: Vec<_> = names.iter().map(|name| visible(name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let block = |(i, row): (usize, &Vec<String>)| {
        let lines = names.iter().zip(row).map(|(name, cell)| format!("{name:<width$} │ {}", visible(cell)));
        format!("─ row {} {}\n{}", i + 1, "─".repeat(width), lines.collect::<Vec<_>>().join("\n"))
    };
    rows.iter().enumerate().map(block).collect::<Vec<_>>().join("\n")
}

/// The colour of the words that carry weight.
fn color(column: &str, text: &str) -> Option<Color> {
    match (column, text) {
        ("severity", "critical" | "high") | ("status", "faulted" | "not_run" | "refused" | "changed") => {
            Some(Color::Red)
        }
        ("severity", "medium") | ("status", "unsuited" | "blind" | "new") => Some(Color::Yellow),
        ("severity", "low" | "informational") => Some(Color::Cyan),
        ("status", "complete" | "pinned") => Some(Color::Green),
        _ => None,
    }
}

fn cells(column: &dyn Array) -> Result<Vec<String>, ArrowError> {
    if let DataType::Float64 = column.data_type() {
        let numbers = column.as_primitive::<Float64Type>();
        return Ok(numbers.iter().map(|number| number.map(short).unwrap_or_default()).collect());
    }
    let options = FormatOptions::default()
        .with_timestamp_tz_format(TIME_FORMAT)
        .with_timestamp_format(TIME_FORMAT)
        .with_datetime_format(TIME_FORMAT);
    let formatter = ArrayFormatter::try_new(column, &options)?;
    (0..column.len()).map(|row| formatter.value(row).try_to_string()).collect()
}

/// A number with at most four decimals, where they say something.
fn short(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-3..1e15).contains(&size) {
        return format!("{number:e}");
    }
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn terminal_width() -> Option<usize> {
    Table::new().width().map(usize::from)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::{
        array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray},
        record_batch::RecordBatch,
    };

    use proptest::prelude::*;
    use wardflow_manifest::is_unprintable;

    use super::{super::rows::RowWriter, MOST_ROWS, TableRows, grid, one_below_the_other, short};
    use crate::print::{Stream, file::Destination};

    fn shown(batches: &[RecordBatch]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table");
        let mut table = TableRows::new(Destination::file(&path).unwrap(), &batches[0].schema(), Stream::default());
        for batch in batches {
            if table.write(batch).unwrap().is_break() {
                break;
            }
        }
        Box::new(table).finish().unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn aligns_numbers_and_hides_nothing() {
        let batch = RecordBatch::try_from_iter(vec![
            ("device_id", Arc::new(StringArray::from(vec![Some("pump-1"), None, Some("\u{1b}[31m\n")])) as ArrayRef),
            ("flows", Arc::new(Int64Array::from(vec![12_345, 7, 0]))),
            ("score", Arc::new(Float64Array::from(vec![0.5, 0.123456, 1.0]))),
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![1_772_460_309_500_000; 3]).with_timezone("UTC"))),
        ])
        .unwrap();
        assert_eq!(
            shown(&[batch]),
            "┌──────────────┬───────┬────────┬─────────────────────┐
│ device_id    ┆ flows ┆  score ┆ at                  │
╞══════════════╪═══════╪════════╪═════════════════════╡
│ pump-1       ┆ 12345 ┆    0.5 ┆ 2026-03-02 14:05:09 │
│              ┆     7 ┆ 0.1235 ┆ 2026-03-02 14:05:09 │
│ \\u{1b}[31m\\n ┆     0 ┆      1 ┆ 2026-03-02 14:05:09 │
└──────────────┴───────┴────────┴─────────────────────┘
(3 rows)
"
        );
    }

    #[test]
    fn says_that_there_are_more_rows() {
        let numbers = Arc::new(Int64Array::from_iter_values(0..MOST_ROWS as i64)) as ArrayRef;
        let batch = RecordBatch::try_from_iter(vec![("n", numbers)]).unwrap();
        let text = shown(&[batch.clone(), batch.clone()]);
        assert!(text.ends_with("(the first 1000 rows; --format csv or a LIMIT gives the others)\n"), "{text}");
        assert!(shown(&[batch]).ends_with("(1000 rows)\n"));
    }

    #[test]
    fn shows_wide_rows_one_below_the_other() {
        let rows = vec![vec!["pump-1".into(), "a\u{202e}b".into()], vec!["pump-2".into(), String::new()]];
        assert_eq!(
            one_below_the_other(&["device_id".into(), "zone".into()], &rows),
            "─ row 1 ─────────\ndevice_id │ pump-1\nzone      │ a\\u{202e}b\n─ row 2 ─────────\ndevice_id │ \
             pump-2\nzone      │ "
        );
    }

    #[test]
    fn shortens_numbers() {
        for (number, expected) in [
            (0.0, "0"),
            (0.1 + 0.2, "0.3"),
            (-1234.56789, "-1234.5679"),
            (1e-5, "1e-5"),
            (1e18, "1e18"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(short(number), expected);
        }
    }

    proptest! {
        #[test]
        fn a_cell_stays_in_its_row(text in "(\\PC|\\pC|[\u{0}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{202e}]){0,40}") {
            let column = |text: &str| Arc::new(StringArray::from(vec![text, "end"])) as ArrayRef;
            let batch = RecordBatch::try_from_iter(vec![(text.as_str(), column(&text)), ("b", column("c"))]).unwrap();
            let rows = vec![vec![text.clone(), "c".to_owned()]; 2];
            let names = [text.clone(), "b".to_owned()];
            for (shown, lines) in [
                (shown(&[batch]), 7),
                (grid(&[text.as_str(), "b"], &rows, Stream::default()), 6),
                (one_below_the_other(&names, &rows), 6),
            ] {
                prop_assert!(!shown.contains(|c| c != '\n' && is_unprintable(c)), "{:?}", shown);
                prop_assert_eq!(shown.lines().count(), lines, "{}", shown);
            }
        }
    }
}
