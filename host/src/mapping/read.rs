//! The file of a mapping, as far as it can be checked without a source.

use std::path::Path;

use super::{
    Expression, Mapped, Mapping, Misfit, SHIPPED, SQL, Source,
    allowed::{MOST_BYTES, Refusal, check_written},
    told,
};
use crate::{
    config::document::{Document, Value},
    error::{Context, Error, Result},
    files, flow,
    nearest::nearest,
};

impl Default for Source {
    fn default() -> Self {
        let null = vec![String::new()];
        Self { delimiter: b',', header: true, columns: Vec::new(), comment: None, null, parts: false }
    }
}

impl Mapping {
    /// The mapping of this name that comes along, or the one in this file; relative paths start at `root`.
    ///
    /// # Errors
    /// There is no such mapping, or it is wrong: the error shows the place, what is wrong there, and what is right.
    pub fn find(name: &str, root: &Path) -> Result<Self> {
        if let Some((name, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            return Self::parse(Path::new(&format!("{name}.toml")), text);
        }
        let path = root.join(name);
        if !path.is_file() {
            let names = SHIPPED.map(|(shipped, _)| shipped);
            let error = Error::usage(format!("there is no mapping {name:?}: neither a file nor one that comes along"));
            let known = format!("those that come along are {}", names.join(", "));
            return Err(match nearest(name, names) {
                Some(near) => error.remedy(format!("did you mean {near:?}? {known}")),
                None => error.remedy(format!("name a file; {known}")),
            });
        }
        let text = files::read_text(&path).context(|| format!("cannot read the mapping {}", path.display()))?;
        Self::parse(&path, &text)
    }

    /// What it is found by again: its name if it comes along, else its path from the root.
    pub fn name(&self) -> String {
        let is_shipped = self.path.parent().is_none_or(|parent| parent.as_os_str().is_empty());
        match std::path::absolute(&self.path) {
            Ok(path) if !is_shipped => path.display().to_string(),
            _ => self.path.with_extension("").display().to_string(),
        }
    }

    /// Reads the text of a mapping that is at `path`.
    ///
    /// # Errors
    /// As [`Mapping::find`].
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let document = Document { path, text };
        let entries = document.parse()?;
        let top = document.table(&entries);
        top.allow(&["source", "columns"])?;
        let (source, condition) = match top.get("source") {
            Some(value) => source(&value)?,
            None => (Source::default(), Vec::new()),
        };
        let Some(value) = top.get("columns") else {
            return Err(Error::usage(format!("the mapping {} has no table `columns`", path.display()))
                .remedy(format!("give an expression for each of {} under [columns]", flow::REQUIRED.join(", "))));
        };
        let table = value.table()?;
        let names: Vec<_> = flow::COLUMNS.iter().map(|column| column.name).collect();
        table.allow(&names)?;
        let mut columns = Vec::new();
        for column in flow::COLUMNS {
            match table.get(column.name) {
                Some(value) => columns.push(Mapped { column, expressions: expressions(&value)? }),
                None if flow::REQUIRED.contains(&column.name) => {
                    let rule = format!("`columns` has no `{}`, without which a record is no flow", column.name);
                    return Err(document.error(&value.span(), &rule).remedy(format!(
                        "under [columns] write {} = \"...\", a SQL expression over the columns of the source: {}",
                        column.name, column.doc
                    )));
                }
                None => {}
            }
        }
        Ok(Self { source, path: path.to_owned(), text: text.to_owned(), columns, condition })
    }

    /// Shows what does not fit at its place in the mapping. `source` says of what it is the mapping.
    pub fn error(&self, misfit: &Misfit, source: &str) -> Error {
        let document = Document { path: &self.path, text: &self.text };
        let error = document.error(&misfit.span, &format!("{} (in {source})", misfit.rule));
        match &misfit.remedy {
            Some(remedy) => error.remedy(remedy),
            None => error,
        }
    }
}

fn source(value: &Value<'_>) -> Result<(Source, Vec<Expression>)> {
    let table = value.table()?;
    table.allow(&["where", "parts", "delimiter", "header", "columns", "comment", "null"])?;
    let mut source = Source::default();
    if let Some(value) = table.get("delimiter") {
        source.delimiter = one_byte(&value, "one character of ASCII such as \",\" or \"\\t\"")?;
    }
    if let Some(value) = table.get("comment") {
        source.comment = Some(one_byte(&value, "the one character of ASCII that comments begin with, such as \"#\"")?);
    }
    if let Some(value) = table.get("columns") {
        let names = value.list("a list of the columns' names, in their order")?;
        source.columns = names.iter().map(|name| name.text().map(str::to_owned)).collect::<Result<_>>()?;
        source.header = false;
    }
    if let Some(value) = table.get("header") {
        source.header = value.flag()?;
        if !source.header && source.columns.is_empty() {
            return Err(value
                .error("true where no `columns` are named")
                .remedy("name the columns in their order: columns = [\"start\", \"end\", ...]"));
        }
    }
    if let Some(value) = table.get("null") {
        let rule = "a list of the texts that stand for no value, such as [\"-\", \"\"]";
        let texts = value.list(rule)?.iter().map(|item| item.any_text().map(str::to_owned)).collect::<Result<_>>();
        source.null = texts?;
    }
    source.parts = table.get("parts").map_or(Ok(false), |value| value.flag())?;
    let condition = table.get("where").map_or_else(|| Ok(Vec::new()), |value| expressions(&value))?;
    Ok((source, condition))
}

fn one_byte(value: &Value<'_>, rule: &str) -> Result<u8> {
    match value.text().map(str::as_bytes) {
        Ok(&[byte]) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(byte),
        _ => Err(value.error(rule)),
    }
}

/// An expression, or a list of them.
fn expressions(value: &Value<'_>) -> Result<Vec<Expression>> {
    let rule = "a SQL expression in quotes, or a list of them, of which the first that fits counts";
    let values = match value.text() {
        Ok(_) => vec![value.clone()],
        Err(_) => value.list(rule)?,
    };
    if values.is_empty() {
        return Err(value.error(rule));
    }
    values.iter().map(|value| expression(value, rule)).collect()
}

fn expression(value: &Value<'_>, rule: &str) -> Result<Expression> {
    let sql = value.text().map_err(|_| value.error(rule))?;
    if sql.len() > MOST_BYTES {
        return Err(value
            .error(&format!("a SQL expression of at most {MOST_BYTES} bytes"))
            .remedy("make it shorter: `column IN (...)` stands for many comparisons"));
    }
    let written = SQL.sql_to_expr(sql, &SQL.config().options().sql_parser.dialect).map_err(|error| {
        value.error("a SQL expression").because(told(&error)).remedy(
            "a column whose name is a word of SQL or has other characters than letters, digits and _ stands in double \
             quotes: write '\"end\"'",
        )
    })?;
    check_written(&written).map_err(|Refusal { reason, remedy }| {
        value.error("a SQL expression of one record").because(reason).remedy(remedy)
    })?;
    Ok(Expression { sql: sql.to_owned(), span: value.span() })
}
