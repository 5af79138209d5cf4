//! Statements: parsed, and planned if they only read.

use std::collections::VecDeque;

use datafusion::{
    execution::context::SQLOptions,
    prelude::{DataFrame, SessionContext},
    sql::{
        parser::{DFParser, Statement},
        sqlparser::{
            dialect::GenericDialect,
            tokenizer::{Token, Tokenizer},
        },
    },
};
use wardflow::error::Result;

use super::mistake;

/// The statements of a text, separated by `;`.
///
/// # Errors
/// The text is no SQL.
pub(super) fn parse(text: &str) -> Result<VecDeque<Statement>> {
    DFParser::parse_sql(text).map_err(|error| mistake::of_syntax(&error))
}

/// What statements that only read begin with.
const READING: [&str; 7] = ["SELECT", "WITH", "VALUES", "SHOW", "DESCRIBE", "DESC", ""];

/// Plans a statement that only reads.
///
/// # Errors
/// It names what is not there, it is wrong, or it does more than read.
pub(super) async fn plan(context: &SessionContext, statement: Statement) -> Result<DataFrame> {
    let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let text = statement.to_string().to_uppercase();
    let verb =
        text.split_whitespace().find(|word| !matches!(*word, "EXPLAIN" | "ANALYZE" | "VERBOSE")).unwrap_or_default();
    let plan = match context.state().statement_to_plan(statement).await {
        Ok(plan) => plan,
        Err(_) if !READING.contains(&verb.trim_matches('(')) => return Err(mistake::not_reading(verb)),
        Err(error) => return Err(mistake::explain(context, error).await),
    };
    reading.verify_plan(&plan).map_err(|_| mistake::not_reading(verb))?;
    match context.execute_logical_plan(plan).await {
        Ok(frame) => Ok(frame),
        Err(error) => Err(mistake::explain(context, error).await),
    }
}

/// Whether a text that is being typed ends a statement: its last token is a `;` outside of quotes and comments.
pub(super) fn is_complete(text: &str) -> bool {
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize().unwrap_or_default();
    let mut spoken = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_) | Token::EOF));
    matches!(spoken.next_back(), Some(Token::SemiColon))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::context, is_complete, parse, plan};

    fn ends(text: &str, expected: bool) {
        assert_eq!(is_complete(text), expected, "{text:?}");
    }

    #[test]
    fn a_statement_ends_at_a_semicolon_outside_of_quotes() {
        ends("SELECT 1", false);
        ends("SELECT 1;", true);
        ends("SELECT 1; -- done\n", true);
        ends("SELECT 1 -- ;\n", false);
        ends("SELECT ';", false);
        ends("SELECT ';'", false);
        ends("SELECT ';';", true);
        ends("SELECT \"a;\" /* ; */", false);
        ends("", false);
    }

    fn count(text: &str, expected: usize) {
        assert_eq!(parse(text).unwrap().len(), expected, "{text:?}");
    }

    #[test]
    fn texts_have_several_statements() {
        count("", 0);
        count("SELECT 1", 1);
        count("SELECT 1; SELECT ';';\n-- end\n", 2);
        count("SELECT 1;;SELECT 2;", 2);
        let error = parse("SELECT 1; SELEKT 2").unwrap_err();
        assert!(error.to_string().starts_with("this is not SQL: Expected: an SQL statement, found: SELEKT"), "{error}");
    }

    async fn refused(text: &str, verb: &str) {
        let error = plan(&context(), parse(text).unwrap().remove(0).unwrap()).await.expect_err(text);
        assert_eq!(error.to_string(), format!("{verb} is not allowed: here, SQL only reads"), "{text}");
    }

    #[tokio::test]
    async fn only_reading_is_allowed() {
        refused("CREATE TABLE t AS SELECT 1", "CREATE").await;
        refused("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "CREATE").await;
        refused("DROP TABLE findings", "DROP").await;
        refused("INSERT INTO findings VALUES ('a', 'b', 1)", "INSERT").await;
        refused("INSERT INTO findings VALUES (1)", "INSERT").await;
        refused("COPY findings TO '/tmp/never.csv' STORED AS CSV", "COPY").await;
        refused("EXPLAIN ANALYZE COPY findings TO '/tmp/never.csv' STORED AS CSV", "COPY").await;
        refused("SET datafusion.execution.batch_size = 1", "SET").await;
        for text in [
            "SELECT 1",
            "WITH t AS (SELECT 1) SELECT * FROM t",
            "VALUES (1)",
            "EXPLAIN SELECT * FROM findings",
            "SHOW TABLES",
            "DESCRIBE findings",
        ] {
            assert!(plan(&context(), parse(text).unwrap().remove(0).unwrap()).await.is_ok(), "{text}");
        }
    }
}
