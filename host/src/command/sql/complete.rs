//! Completion at the prompt.

use rustyline::{
    Context, Helper, Highlighter, Hinter, Result,
    completion::Completer,
    validate::{ValidationContext, ValidationResult, Validator},
};
use wardflow_manifest::is_unprintable;

use super::{names::Names, statement::is_complete};

const KEYWORDS: [&str; 46] = [
    "ALL",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FILTER",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "SELECT",
    "THEN",
    "TRUE",
    "UNION",
    "WHERE",
    "WITH",
];

/// Commands of the prompt.
const META: [&str; 4] = ["\\d", "\\timing", "\\q", "\\?"];

/// What the prompt knows while a line is typed.
#[derive(Debug, Helper, Highlighter, Hinter)]
pub(super) struct Typing {
    names: Names,
}

impl Typing {
    pub(super) fn new(names: Names) -> Self {
        Self { names }
    }

    /// Where the word before the cursor begins, and what it may become. Behind FROM, JOIN and `\d` that is a table;
    /// behind a table and a dot, one of its columns.
    fn candidates(&self, line: &str, cursor: usize) -> (usize, Vec<String>) {
        let before = &line[..cursor];
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let start =
            before.rfind(|c| !is_word(c)).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let (context, word) = before.split_at(start);
        if let Some(command) = before.strip_prefix('\\').filter(|rest| !rest.contains(' ')) {
            let fits = META.iter().filter(|meta| meta[1..].starts_with(command));
            return (0, fits.map(|meta| (*meta).to_owned()).collect());
        }
        if let Some(owner) = context.strip_suffix('.') {
            let table = owner.rsplit(|c| !is_word(c)).next().unwrap_or_default();
            let columns =
                self.names.columns(table).map(|schema| schema.fields().iter().map(|field| field.name().as_str()));
            return (start, matching(word, columns.into_iter().flatten()));
        }
        let previous = context.split_whitespace().next_back().unwrap_or_default().to_uppercase();
        if matches!(previous.as_str(), "FROM" | "JOIN" | "DESCRIBE" | "\\D") {
            return (start, matching(word, self.names.tables().into_iter().chain(["detect", "evidence"])));
        }
        if word.is_empty() {
            return (start, Vec::new());
        }
        let mut found = matching(word, self.names.all_columns().chain(self.names.tables()));
        let is_lower = word.chars().all(|c| !c.is_uppercase());
        let keywords = KEYWORDS.iter().filter(|keyword| starts_with(keyword, word));
        found.extend(keywords.map(|keyword| if is_lower { keyword.to_lowercase() } else { (*keyword).to_owned() }));
        found.extend(matching(word, self.names.functions()));
        (start, found)
    }
}

impl Completer for Typing {
    type Candidate = String;

    fn complete(&self, line: &str, cursor: usize, _: &Context<'_>) -> Result<(usize, Vec<String>)> {
        Ok(self.candidates(line, cursor))
    }
}

impl Validator for Typing {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        let line = context.input();
        let is_done = line.trim().is_empty() || line.trim_start().starts_with('\\') || is_complete(line);
        Ok(if is_done { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

/// The names that begin with a word, each once, in order. Names that a terminal would obey are left out.
fn matching<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<_> =
        names.filter(|name| starts_with(name, word) && !name.contains(is_unprintable)).map(str::to_owned).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn starts_with(name: &str, word: &str) -> bool {
    name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::context, Typing};
    use crate::command::sql::names::Names;

    #[tokio::test]
    async fn completes_what_fits_the_place() {
        let typing = Typing::new(Names::load(&context()).await);
        for (line, start, expected) in [
            ("SELECT * FROM fi", 14, vec!["findings"]),
            ("select * from findings whe", 23, vec!["where"]),
            ("SELECT findings.", 16, vec!["device_id", "flow_count", "severity"]),
            ("SELECT findings.dev", 16, vec!["device_id"]),
            ("SELECT sev", 7, vec!["severity"]),
            ("SELECT * FROM ", 14, vec!["detect", "evidence", "findings"]),
            ("\\d fin", 3, vec!["findings"]),
            ("\\ti", 0, vec!["\\timing"]),
            ("SELECT ", 7, vec![]),
        ] {
            assert_eq!(
                typing.candidates(line, line.len()),
                (start, expected.into_iter().map(str::to_owned).collect()),
                "{line}"
            );
        }
    }
}
