//! `wardflow sql`: a query, statements from a pipe, or a prompt.

mod complete;
mod meta;
mod mistake;
mod names;
mod prompt;
mod statement;

use std::{
    io::{self, IsTerminal, Read},
    path::PathBuf,
};

use datafusion::{arrow::record_batch::RecordBatch, prelude::SessionContext, sql::parser::Statement};
use futures::StreamExt;
use wardflow::{
    config::Config,
    error::{Context, Error, Result},
};

use super::{Outcome, interrupt::abandon_when_interrupted};
use crate::{
    args::{Format, Sql},
    print::{Printer, Rows},
};

/// Runs what was asked: the query, else the prompt on a terminal, else what comes from stdin.
///
/// # Errors
/// A statement is wrong, may not be run here, or fails.
pub(super) async fn run(config: &Config, args: Sql, printer: &Printer) -> Result<Outcome> {
    let by_name = || args.output.as_deref().and_then(Format::of_file);
    let format = args.format.or_else(by_name).unwrap_or(if printer.json { Format::Json } else { Format::Table });
    let output = Output { printer: printer.clone(), format, file: args.output };
    let (context, seen) = super::connect::context(config, args.memory, printer).await?;
    let text = match args.query {
        Some(query) => query,
        None if io::stdin().is_terminal() && output.file.is_none() => {
            prompt::run(&context, &output, &config.root).await?;
            return Ok(Outcome::Done);
        }
        None => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).context(|| "cannot read statements from stdin".to_owned())?;
            text
        }
    };
    let work = async move {
        let statements = statement::parse(&text)?;
        output.check(statements.len())?;
        run_all(&context, statements, &output).await
    };
    match abandon_when_interrupted(work).await? {
        Some(done) => done.map(|_| if seen.is_all() { Outcome::Done } else { Outcome::Incomplete }),
        None => Ok(Outcome::Interrupted),
    }
}

/// How rows are written, and where.
#[derive(Clone, Debug)]
struct Output {
    printer: Printer,
    format: Format,
    file: Option<PathBuf>,
}

impl Output {
    /// Whether so many results can be written.
    fn check(&self, statements: usize) -> Result<()> {
        let is_one_file = self.file.is_some() || self.format == Format::Parquet;
        match statements {
            0 => Err(Error::usage("no statement was given").remedy("give one, such as `SELECT * FROM findings`")),
            2.. if is_one_file => Err(Error::usage(format!("{statements} statements, and one file for their rows"))
                .remedy("give one statement for each file")),
            _ => Ok(()),
        }
    }
}

/// Plans every statement before it runs the first, so that a slip in a later one costs nothing. Returns the rows.
async fn run_all(
    context: &SessionContext,
    statements: impl IntoIterator<Item = Statement>,
    output: &Output,
) -> Result<usize> {
    let mut frames = Vec::new();
    for statement in statements {
        frames.push(statement::plan(context, statement).await?);
    }
    let mut count = 0;
    for frame in frames {
        let mut stream = match frame.execute_stream().await {
            Ok(stream) => stream,
            Err(error) => return Err(mistake::explain(context, error).await),
        };
        let mut rows = Rows::open(&output.printer, output.format, output.file.as_deref(), &stream.schema())?;
        while let Some(batch) = stream.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Err(mistake::explain(context, error).await),
            };
            if rows.write(&batch)?.is_break() {
                break;
            }
        }
        count += rows.finish()?;
    }
    Ok(count)
}

/// The rows of one query of our own.
///
/// # Errors
/// As of [`run`].
pub(super) async fn query(context: &SessionContext, query: &str) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for statement in statement::parse(query)? {
        let frame = statement::plan(context, statement).await?;
        match frame.collect().await {
            Ok(found) => batches.extend(found),
            Err(error) => return Err(mistake::explain(context, error).await),
        }
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::{
        arrow::{
            array::{ArrayRef, Int64Array, StringArray},
            record_batch::RecordBatch,
        },
        prelude::{SessionConfig, SessionContext},
    };

    /// A context with one table.
    pub(super) fn context() -> SessionContext {
        let context = SessionContext::new_with_config(SessionConfig::new().with_information_schema(true));
        let batch = RecordBatch::try_from_iter(vec![
            ("device_id", Arc::new(StringArray::from(vec!["pump-1", "pump-2"])) as ArrayRef),
            ("severity", Arc::new(StringArray::from(vec!["high", "low"]))),
            ("flow_count", Arc::new(Int64Array::from(vec![3, 4]))),
        ])
        .unwrap();
        context.register_batch("findings", batch).unwrap();
        context
    }
}
