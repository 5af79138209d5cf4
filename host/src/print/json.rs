//! JSON, one object a line. Controls, direction marks and zero-width characters are escaped, so that a line is one line
//! and shows what it holds wherever it is read.

use std::{fmt::Write as _, io::Write, ops::ControlFlow};

use datafusion::arrow::{
    json::{LineDelimitedWriter, WriterBuilder, writer::LineDelimited},
    record_batch::RecordBatch,
};
use serde::Serialize;
use wardflow::error::{Context, Error, Result};
use wardflow_manifest::is_unprintable;

use super::{file::Destination, rows::RowWriter, unwritable};

/// Writes rows as JSON; a column without value is `null`, so that every line has the same keys.
pub(super) struct JsonRows(pub(super) Destination);

impl RowWriter for JsonRows {
    fn write(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>> {
        let builder = WriterBuilder::new().with_explicit_nulls(true);
        let mut writer: LineDelimitedWriter<Vec<u8>> = builder.build::<_, LineDelimited>(Vec::new());
        let doing = || "cannot write the rows as JSON".to_owned();
        writer.write(batch).context(doing)?;
        writer.finish().context(doing)?;
        let text = String::from_utf8(writer.into_inner()).context(doing)?;
        self.0.write_all(escape(&text).as_bytes()).map_err(unwritable)?;
        Ok(ControlFlow::Continue(()))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.0.finish()
    }
}

/// A report as one line.
pub(super) fn object(report: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(report);
    text.map(|text| escape(&text)).map_err(|error| Error::failed("cannot write the report as JSON").because(error))
}

/// A value as one line, with its end.
pub(super) fn line(value: &serde_json::Value) -> String {
    escape(&format!("{value}\n"))
}

/// Escapes what JSON leaves raw. In JSON text such characters can only stand in strings; line feeds are between rows.
pub(super) fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unprintable(c) {
            // Two units beyond the basic plane (RFC 8259, section 7); writing to a string does not fail.
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(escaped, "\\u{unit:04x}").unwrap_or_default();
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wardflow_manifest::is_unprintable;

    use super::object;

    #[test]
    fn escapes_tags_as_two_units() {
        assert_eq!(object(&"\u{e0041}").unwrap(), r#""\udb40\udc41""#);
    }

    proptest! {
        #[test]
        fn keeps_every_string_and_shows_no_control(text in "(\\PC|\\pC|[\u{0}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{202e}]){0,40}") {
            let line = object(&text).unwrap();
            prop_assert!(!line.contains(is_unprintable), "{line:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
