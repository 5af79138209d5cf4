//! TOML that knows where each value stands, so that an error can show it.

use std::{ops::Range, path::Path};

use serde_json::Value as Json;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    error::{Error, Result},
    nearest::nearest,
};

/// The text of a file, for showing errors in it.
#[derive(Clone, Copy)]
pub(crate) struct Document<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
}

/// A table in the document.
#[derive(Clone)]
pub(crate) struct Table<'a> {
    document: Document<'a>,
    /// Its full key, empty for the document's own table.
    key: String,
    entries: &'a DeTable<'a>,
}

/// A value in the document.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    document: Document<'a>,
    /// Its full key, such as `infrastructure[0].hours`.
    key: String,
    span: Range<usize>,
    value: &'a DeValue<'a>,
}

impl<'a> Document<'a> {
    pub(crate) fn parse(self) -> Result<DeTable<'a>> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            self.error(&error.span().unwrap_or_default(), &message)
                .remedy("in TOML, text stands in \"quotes\", a list in [brackets], and a table begins with [its.name]")
        })?;
        Ok(table.into_inner())
    }

    pub(crate) fn table(self, entries: &'a DeTable<'a>) -> Table<'a> {
        Table { document: self, key: String::new(), entries }
    }

    /// An error at a place: the file, line and column, the message, and the line with the place underlined.
    pub(crate) fn error(self, span: &Range<usize>, message: &str) -> Error {
        let start = floor_boundary(self.text, span.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let number = before.matches('\n').count() + 1;
        let column = self.text[line_start..start].chars().count() + 1;
        let line_end = line_start + line.len();
        let end = floor_boundary(self.text, span.end.clamp(start, line_end.max(start)));
        let marks = "^".repeat(self.text[start..end].chars().count().max(1));
        let margin = " ".repeat(number.to_string().len());
        let indent: String = self.text[line_start..start].chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let path = self.path.display();
        Error::usage(format!("{path}:{number}:{column}: {message}")).excerpt([
            format!("{margin} |"),
            format!("{number} | {line}"),
            format!("{margin} | {indent}{marks}"),
        ])
    }
}

impl<'a> Table<'a> {
    /// The value of a key, if it is there.
    pub(crate) fn get(&self, key: &str) -> Option<Value<'a>> {
        self.entries.iter().find(|(name, _)| name.get_ref() == key).map(|(name, value)| self.value(name, value))
    }

    /// Every key with its value, in the order of the file.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.entries.iter().map(|(name, value)| (name.get_ref().as_ref(), self.value(name, value)))
    }

    /// Refuses a key that is not among the known ones.
    ///
    /// # Errors
    /// It names the first unknown key, the nearest known one, and all that are allowed.
    pub(crate) fn allow(&self, known: &[&str]) -> Result<()> {
        let Some((name, _)) = self.entries.iter().find(|(name, _)| !known.contains(&name.get_ref().as_ref())) else {
            return Ok(());
        };
        let place = if self.key.is_empty() { String::new() } else { format!(" in `{}`", self.key) };
        let allowed = known.join(", ");
        let remedy = match nearest(name.get_ref(), known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? Allowed: {allowed}"),
            None => format!("allowed: {allowed}"),
        };
        Err(self.document.error(&name.span(), &format!("unknown key `{}`{place}", name.get_ref())).remedy(remedy))
    }

    /// An error at a key itself.
    pub(crate) fn key_error(&self, key: &str, rule: &str) -> Error {
        let span = self.entries.keys().find(|name| name.get_ref() == key).map(Spanned::span).unwrap_or_default();
        self.document.error(&span, &format!("{key:?} is no {rule}"))
    }

    fn value(&self, name: &'a Spanned<std::borrow::Cow<'a, str>>, value: &'a Spanned<DeValue<'a>>) -> Value<'a> {
        let key = match self.key.as_str() {
            "" => name.get_ref().to_string(),
            outer => format!("{outer}.{}", name.get_ref()),
        };
        Value { document: self.document, key, span: value.span(), value: value.get_ref() }
    }
}

impl<'a> Value<'a> {
    /// Text that is not empty.
    pub(crate) fn text(&self) -> Result<&'a str> {
        match self.value {
            DeValue::String(text) if !text.is_empty() => Ok(text.as_ref()),
            _ => Err(self.error("text in quotes, not empty")),
        }
    }

    /// Text, which may be empty.
    pub(crate) fn any_text(&self) -> Result<&'a str> {
        self.value.as_str().ok_or_else(|| self.error("text in quotes"))
    }

    /// One of the texts that are known.
    pub(crate) fn one_of<T: Copy>(&self, known: &[(T, &str)]) -> Result<T> {
        let names = known.iter().map(|(_, name)| *name);
        let given = self.value.as_str();
        known.iter().find(|(_, name)| Some(*name) == given).map(|(value, _)| *value).ok_or_else(|| {
            let quoted: Vec<_> = names.clone().map(|name| format!("{name:?}")).collect();
            let error = self.error(&format!("one of {}", quoted.join(", ")));
            match given.and_then(|given| nearest(given, names)) {
                Some(near) => error.remedy(format!("did you mean {near:?}?")),
                None => error,
            }
        })
    }

    /// A whole number of at least one.
    pub(crate) fn positive(&self) -> Result<u64> {
        self.integer()
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| *number > 0)
            .ok_or_else(|| self.error("a whole number of at least 1"))
    }

    pub(crate) fn flag(&self) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.error("true or false"))
    }

    /// The items of a list.
    pub(crate) fn list(&self, rule: &str) -> Result<Vec<Value<'a>>> {
        let items = self.value.as_array().ok_or_else(|| self.error(rule))?;
        let item = |(i, item): (usize, &'a Spanned<DeValue<'a>>)| Value {
            document: self.document,
            key: format!("{}[{i}]", self.key),
            span: item.span(),
            value: item.get_ref(),
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// Where it stands in the text.
    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(crate) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// A table with any keys.
    pub(crate) fn table(&self) -> Result<Table<'a>> {
        let entries = self.value.as_table().ok_or_else(|| self.error("a table"))?;
        Ok(Table { document: self.document, key: self.key.clone(), entries })
    }

    /// The value as JSON; dates become text.
    pub(crate) fn json(&self) -> Result<Json> {
        Ok(match self.value {
            DeValue::String(text) => text.as_ref().into(),
            DeValue::Boolean(flag) => (*flag).into(),
            DeValue::Datetime(time) => time.to_string().into(),
            DeValue::Integer(_) => self.integer().ok_or_else(|| self.error("a number of 64 bits"))?.into(),
            DeValue::Float(float) => {
                let number = float.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                number.ok_or_else(|| self.error("a finite number"))?.into()
            }
            DeValue::Array(_) => self.list("a list")?.iter().map(Value::json).collect::<Result<Vec<_>>>()?.into(),
            DeValue::Table(_) => {
                let table = self.table()?;
                let pairs = table.entries().map(|(name, value)| Ok((name.to_owned(), value.json()?)));
                pairs.collect::<Result<serde_json::Map<_, _>>>()?.into()
            }
        })
    }

    /// An error that names the key, what it is, and what it must be.
    pub(crate) fn error(&self, rule: &str) -> Error {
        let given = match self.value {
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
                self.document.text.get(self.span.clone()).unwrap_or_default().to_owned()
            }
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.document.error(&self.span, &format!("`{}` is {given}; it must be {rule}", self.key))
    }

    fn integer(&self) -> Option<i64> {
        let integer = self.value.as_integer()?;
        i64::from_str_radix(integer.as_str(), integer.radix()).ok()
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
