//! `wardflow plugin capture`: the flows behind a finding, for the plugin's maker.

use std::{
    io::{self, BufRead, IsTerminal},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use wardflow::{
    catalog,
    config::Config,
    detector::Stop,
    error::{Error, Result},
    kit::{
        capture::{self, Capture},
        case::Case,
        expected,
        seen::Seen,
        trial::{self, Asked},
    },
    workspace::Workspace,
};

use super::{Outcome, load, warn_of_broken};
use crate::{
    args::Capture as Args,
    command::connect,
    print::{Look, Printer, count, counted},
};

/// Flows that are shown before anything is written.
const SHOWN: usize = 5;

#[derive(Debug, Serialize)]
struct Report {
    contents: Vec<String>,
    sample: Vec<String>,
    /// Where it was written, if it was.
    written: Option<PathBuf>,
    /// Findings that the plugin has in the case.
    findings: Option<u64>,
    /// Whether one of them is of the captured finding's kind.
    is_shown: Option<bool>,
}

/// Shows what would be given away, and writes it if that is wanted.
pub(super) async fn run(dir: &Path, args: Args, printer: &Printer) -> Result<Outcome> {
    let workspace = Arc::new(connect::open(&Config::read(dir)?).await?);
    let compiler = connect::compiler(printer, &Stop::default())?;
    let context = catalog::context(&workspace, compiler, connect::session_config(None)).await?;
    warn_of_broken(&workspace, printer);
    let outcome = if workspace.listing.broken.is_empty() { Outcome::Done } else { Outcome::Incomplete };
    let captured = capture::capture(&context, &workspace, &args.finding, args.days).await?;
    let mut report = Report {
        contents: captured.describe(),
        sample: captured.sample(SHOWN).collect(),
        written: None,
        findings: None,
        is_shown: None,
    };
    if !printer.json {
        printer.line(Look::Heading, "What the case would hold")?;
        report.contents.iter().try_for_each(|line| printer.line(Look::Plain, &format!("  {line}")))?;
        printer.line(Look::Heading, "Its first flows")?;
        report.sample.iter().try_for_each(|line| printer.line(Look::Plain, &format!("  {line}")))?;
    }
    match &args.output {
        None => printer.note("Nothing was written: name a directory with -o to write it."),
        Some(output) => {
            if !args.yes && !agreed(output, printer)? {
                printer.note("Nothing was written.");
                return Ok(Outcome::Done);
            }
            let unfinished = captured.write(output)?;
            let found = expect(&captured, unfinished.directory(), &workspace, printer).await?;
            report.is_shown = Some(found.iter().any(|seen| seen.kind == captured.kind));
            report.findings = Some(found.len() as u64);
            unfinished.finish()?;
            report.written = Some(output.clone());
        }
    }
    if printer.json {
        printer.object(&report)?;
    } else if let (Some(written), Some(findings)) = (&report.written, report.findings) {
        let found = counted(findings, "finding");
        printer.line(
            Look::Good,
            &format!(
                "{}: {} flows, {found} expected. Look at its files before you send them.",
                written.display(),
                count(captured.flows)
            ),
        )?;
    }
    if report.is_shown == Some(false) {
        let left = match captured.parameters.1.as_slice() {
            [] => String::new(),
            left => format!(", or it depends on what was left out ({})", left.join(", ")),
        };
        printer.warn(&format!(
            "the plugin reports no {} in the case: it may have learned from more than {} before, which --days takes along{left}",
            captured.kind,
            counted(args.days.into(), "day")
        ));
        return Ok(Outcome::Incomplete);
    }
    Ok(outcome)
}

/// Asks the person at the terminal.
fn agreed(output: &Path, printer: &Printer) -> Result<bool> {
    if printer.json || !io::stdin().is_terminal() {
        return Err(Error::usage("nobody is there to agree that this is written")
            .remedy("look at it without -o, then say --yes"));
    }
    printer.line(Look::Heading, &format!("Write this to {}? Only \"yes\" does.", output.display()))?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Error::failed("the answer cannot be read").because(error))?;
    Ok(answer.trim() == "yes")
}

/// Runs the plugin over the case, so that the maker knows what the hospital saw.
async fn expect(captured: &Capture, directory: &Path, workspace: &Workspace, printer: &Printer) -> Result<Vec<Seen>> {
    let detector = load::load(&captured.plugin_file, &workspace.config.limits, printer)?;
    let case = Case { name: "captured".to_owned(), directory: directory.to_owned() };
    let made = case.workspace().await?;
    let asked = Asked { gaps: made.gaps.clone(), ..Asked::default() };
    let (trial, _) = trial::run(&made.workspace, detector, &asked).await?;
    expected::bless(directory, &trial.findings)?;
    Ok(trial.findings)
}
