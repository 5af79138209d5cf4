//! Patterns, of which each that is used is compiled anew for every batch, and where a record fails for every record.

use datafusion::logical_expr::{Expr, Operator};
use regex::RegexBuilder;

use super::allowed::Refusal;

/// Bytes of a compiled pattern. One `\w` of Unicode takes some 50 thousand, and half a millisecond to compile.
const MOST_BYTES: usize = 1 << 17;

/// Whether an operator matches its right side as a regular expression.
pub(super) const fn is_match(operator: Operator) -> bool {
    use Operator::{RegexIMatch, RegexMatch, RegexNotIMatch, RegexNotMatch};
    matches!(operator, RegexMatch | RegexIMatch | RegexNotMatch | RegexNotIMatch)
}

/// Checks a regular expression: that it stands there, and what it compiles to, whichever case its letters have.
pub(super) fn check(pattern: &Expr) -> Result<(), Refusal> {
    written(pattern)?;
    let Expr::Literal(text, _) = pattern else { return Ok(()) };
    let Some(text) = text.try_as_str().flatten() else { return Ok(()) };
    match RegexBuilder::new(text).case_insensitive(true).size_limit(MOST_BYTES).build() {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(_)) => Err(Refusal {
            reason: format!("the pattern {text:?} compiles to more than {} KiB", MOST_BYTES >> 10),
            remedy: "write [0-9A-Za-z_] for \\w, and fewer repetitions with a number".to_owned(),
        }),
        Err(error) => Err(Refusal {
            // What is wrong stands in the last line, below a drawing of where.
            reason: format!("{text:?} is no pattern: {}", error.to_string().lines().last().unwrap_or_default()),
            remedy: "write a regular expression, with \\ before a character that stands for itself".to_owned(),
        }),
    }
}

/// Checks that a pattern, or what is said of it, is the same for every record.
pub(super) fn written(pattern: &Expr) -> Result<(), Refusal> {
    if matches!(pattern, Expr::Literal(..)) {
        return Ok(());
    }
    Err(Refusal {
        reason: format!("the pattern {pattern} may be another for each record"),
        remedy: "write the pattern and what goes with it in quotes; `strpos` and `starts_with` compare columns"
            .to_owned(),
    })
}
