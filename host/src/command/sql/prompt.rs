//! The prompt.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, time::Instant};

use datafusion::prelude::SessionContext;
use rustyline::{Config, Editor, error::ReadlineError, history::FileHistory};
use wardflow::{
    error::{Context, Error, Result},
    nearest::nearest,
};

use super::{
    Output, abandon_when_interrupted,
    complete::Typing,
    meta::{HELP, Meta},
    names::{Names, type_name},
    run_all, statement,
};
use crate::print::{Look, Printer};

/// The history's name in the workspace. Queries name devices and addresses, so only their writer can read it.
const HISTORY: &str = ".wardflow_history";

/// Reads and runs statements until the end. A statement that fails is shown, and the prompt goes on.
///
/// # Errors
/// The terminal cannot be read, or nobody reads the output.
pub(super) async fn run(context: &SessionContext, output: &Output, root: &Path) -> Result<()> {
    let printer = &output.printer;
    let names = Names::load(context).await;
    let mut editor = editor(&names).context(|| "cannot open the prompt".to_owned())?;
    let history = root.join(HISTORY);
    // Without a history the prompt still serves, as in a workspace that is read-only.
    let private = OpenOptions::new().create(true).append(true).mode(0o600).open(&history).is_ok();
    if private {
        editor.load_history(&history).unwrap_or_default();
    }
    printer.note("\\? for help, \\q to leave");
    let mut is_timing = false;
    loop {
        let line = match editor.readline("wardflow> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(Error::failed("cannot read from the terminal").because(error)),
        };
        if line.trim().is_empty() {
            continue;
        }
        if editor.add_history_entry(line.as_str()).unwrap_or(false) && private {
            editor.append_history(&history).unwrap_or_default();
        }
        let done = match Meta::parse(&line) {
            Some(Meta::Quit) => return Ok(()),
            Some(Meta::Timing) => {
                is_timing = !is_timing;
                printer.line(Look::Plain, if is_timing { "timing is on" } else { "timing is off" })
            }
            Some(meta) => answer(&meta, &names, printer),
            None => {
                let began = Instant::now();
                let done = run_statements(context, &line, output).await;
                if is_timing && done.is_ok() {
                    printer.line(Look::Plain, &format!("{:.3} s", began.elapsed().as_secs_f64()))?;
                }
                done
            }
        };
        if let Err(error) = done {
            if crate::print::exit_code(&error) == std::process::ExitCode::SUCCESS {
                return Err(error);
            }
            printer.failure(&error);
        }
    }
}

fn editor(names: &Names) -> rustyline::Result<Editor<Typing, FileHistory>> {
    let config = Config::builder()
        .max_history_size(10_000)?
        .history_ignore_space(true)
        .completion_type(rustyline::CompletionType::List)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Typing::new(names.clone())));
    Ok(editor)
}

async fn run_statements(context: &SessionContext, text: &str, output: &Output) -> Result<()> {
    let (text, context, on) = (text.to_owned(), context.clone(), output.clone());
    let work = async move { run_all(&context, statement::parse(&text)?, &on).await };
    match abandon_when_interrupted(work).await? {
        Some(done) => done.map(drop),
        None => {
            output.printer.note("stopped");
            Ok(())
        }
    }
}

fn answer(meta: &Meta, names: &Names, printer: &Printer) -> Result<()> {
    match meta {
        Meta::Tables => {
            let columns = |table: &str| names.columns(table).map_or(0, |schema| schema.fields().len()).to_string();
            let rows: Vec<_> = names.tables().iter().map(|table| vec![(*table).to_owned(), columns(table)]).collect();
            printer.grid(&["table", "columns"], &rows)
        }
        Meta::Table(table) => {
            let Some(schema) = names.columns(table) else {
                let near = nearest(table, names.tables()).map(|near| format!("did you mean {near}?"));
                return Err(Error::usage(format!("there is no table {table:?}"))
                    .remedy(near.unwrap_or_else(|| "\\d lists the tables".to_owned())));
            };
            let rows: Vec<_> =
                schema.fields().iter().map(|field| vec![field.name().clone(), type_name(field.data_type())]).collect();
            printer.grid(&["column", "type"], &rows)
        }
        Meta::Unknown(line) => {
            Err(Error::usage(format!("the prompt has no command {line:?}")).remedy("\\? lists the commands"))
        }
        Meta::Help | Meta::Timing | Meta::Quit => HELP.lines().try_for_each(|line| printer.line(Look::Plain, line)),
    }
}
