//! `wardflow archive`: looks after the archive.

use std::collections::BTreeMap;

use serde::Serialize;
use wardflow::{
    archive::{self, CheckReport, CompactReport, ExpireReport, Expired, IngestAgain, Step},
    config::Config,
    error::Result,
};

use super::{Outcome, connect};
use crate::{
    args::{Archive, Expire},
    print::{BYTES, Look, Printer, Progress, Task, count, counted, size},
};

/// Does what is asked for.
///
/// # Errors
/// The archive is being written by another process, or cannot be read or written.
pub(super) async fn run(config: &Config, args: Archive, printer: &Printer) -> Result<Outcome> {
    let archive = connect::archive(config)?;
    archive.refuse_foreign()?;
    let told = |name| {
        let progress = Progress::new(printer, Task { name, unit: BYTES });
        move |step: Step| progress.at(step.bytes_read, step.bytes, step.flows)
    };
    match args {
        Archive::Compact => {
            let report = archive::compact(&archive.lock()?, &config.space, &told("compact")).await?;
            report_of(&report, compacted, printer)?;
            Ok(if report.refused.is_empty() { Outcome::Done } else { Outcome::Incomplete })
        }
        Archive::Check(check) => {
            let report = if check.repair {
                archive::repair(&archive.lock()?, &told("check")).await?
            } else {
                archive::check(&archive, &told("check")).await?
            };
            report_of(&report, checked, printer)?;
            Ok(match (report.is_mended(), report.ingest_again.is_empty()) {
                (true, true) => Outcome::Done,
                (true, false) => Outcome::Repaired,
                (false, _) => Outcome::Incomplete,
            })
        }
        Archive::Expire(Expire { before, dry_run }) => {
            let report = if dry_run {
                archive::would_expire(&archive, before).await?
            } else {
                archive::expire(&archive.lock()?, before).await?
            };
            let show = |report: &ExpireReport, printer: &Printer| expired(report, dry_run, printer);
            report_of(&report, show, printer)?;
            Ok(Outcome::Done)
        }
    }
}

fn report_of<R: Serialize>(report: &R, show: impl FnOnce(&R, &Printer) -> Result<()>, printer: &Printer) -> Result<()> {
    if printer.json { printer.object(report) } else { show(report, printer) }
}

fn compacted(report: &CompactReport, printer: &Printer) -> Result<()> {
    let row = |new: &archive::Compacted| {
        let sizes = [new.bytes_before, new.bytes].map(size);
        [new.file.clone(), count(new.replaces), count(new.rows)].into_iter().chain(sizes).collect()
    };
    let rows: Vec<Vec<String>> = report.compacted.iter().map(row).collect();
    if !rows.is_empty() {
        printer.grid(&["file", "replaces", "rows", "before", "after"], &rows)?;
    }
    for refused in &report.refused {
        printer.line(Look::Bad, &format!("{} stays as it is: {}", refused.place, refused.reason))?;
        remedy(refused.remedy.as_deref(), printer)?;
    }
    if report.growing > 0 {
        let captures = counted(report.growing, "capture");
        printer
            .line(Look::Plain, &format!("in files of their own, since they may grow: {captures} of the last week"))?;
    }
    if report.incomplete > 0 {
        let sources = counted(report.incomplete, "source");
        printer.line(Look::Bad, &format!("in files of their own, since flows are missing: {sources}"))?;
        remedy(Some("wardflow archive check"), printer)?;
    }
    let before = counted(report.compacted.iter().map(|new| new.replaces).sum(), "file");
    let after = counted(report.compacted.len() as u64, "file");
    printer.line(Look::Heading, &format!("{after} in place of {before}"))
}

fn checked(report: &CheckReport, printer: &Printer) -> Result<()> {
    for problem in &report.problems {
        let look = if problem.mended { Look::Plain } else { Look::Bad };
        let state = if problem.mended { " (put right)" } else { "" };
        printer.line(look, &format!("{}: {}{state}", problem.file, problem.what))?;
        remedy(Some(&problem.remedy), printer)?;
    }
    if !report.ingest_again.is_empty() {
        printer.line(Look::Heading, "To be ingested again")?;
        let mut rest: Vec<&IngestAgain> = report.ingest_again.iter().collect();
        while !rest.is_empty() {
            let source = rest.remove(0);
            let others: Vec<_> = rest.extract_if(.., |other| source.goes_with(other)).collect();
            if let Some(file) = &source.without {
                printer.line(Look::Plain, &format!("  once {file} is taken out of the archive:"))?;
            }
            printer.line(Look::Plain, &format!("  {}", source.command(&others)))?;
        }
    }
    printer.line(if report.is_mended() { Look::Good } else { Look::Bad }, &summary(report))
}

/// What is sound, what was put right, and what is left to do.
fn summary(report: &CheckReport) -> String {
    let mut parts = vec![format!("{} in {} are sound", counted(report.flows, "flow"), counted(report.files, "file"))];
    let mended = report.problems.iter().filter(|problem| problem.mended).count();
    for (number, what, rest) in [
        (mended, "problem", "put right"),
        (report.ingest_again.len(), "source", "to be ingested again, as said above"),
        (report.problems.len() - mended, "problem", "to be seen to"),
    ] {
        if number > 0 {
            parts.push(format!("{} {rest}", counted(number as u64, what)));
        }
    }
    parts.join("; ")
}

/// Places that are shown of each end of a long list.
const SHOWN: usize = 8;

fn expired(report: &ExpireReport, is_dry_run: bool, printer: &Printer) -> Result<()> {
    let mut places: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for Expired { file, flows, bytes } in report.files.iter().chain(&report.tables) {
        let place = places.entry(file.rsplit_once('/').map_or("", |(place, _)| place)).or_default();
        *place = (place.0 + 1, place.1 + flows, place.2 + bytes);
    }
    let row = |(place, (files, flows, bytes)): (&&str, &(u64, u64, u64))| {
        vec![(*place).to_owned(), count(*files), count(*flows), size(*bytes)]
    };
    let mut rows: Vec<Vec<String>> = places.iter().map(row).collect();
    if rows.len() > 2 * SHOWN {
        let left_out = [["...", "", "", ""].map(str::to_owned).to_vec()];
        rows.splice(SHOWN..rows.len() - SHOWN, left_out);
    }
    if !rows.is_empty() {
        printer.grid(&["place", "files", "flows", "size"], &rows)?;
    }
    if report.reaching > 0 {
        let (files, flows) = (counted(report.reaching, "file"), counted(report.flows_reaching, "old flow"));
        printer.line(Look::Plain, &format!("{flows} stay, in {files} that reach over that time"))?;
    }
    if !report.foreign.is_empty() {
        let files = counted(report.foreign.len() as u64, "file");
        printer.line(
            Look::Plain,
            &format!("{files} of other programs are as old and stay: {}", report.foreign.join(", ")),
        )?;
    }
    let flows = counted(report.files.iter().map(|file| file.flows).sum(), "flow");
    let files = counted((report.files.len() + report.tables.len()) as u64, "file");
    let done = if is_dry_run { "would be deleted" } else { "deleted" };
    printer.line(Look::Heading, &format!("{flows} {done}, in {files}"))
}

fn remedy(remedy: Option<&str>, printer: &Printer) -> Result<()> {
    remedy.map_or(Ok(()), |remedy| printer.line(Look::Plain, &format!("  {remedy}")))
}

#[cfg(test)]
mod tests {
    use wardflow::archive::{CheckReport, IngestAgain, Problem};

    use super::summary;

    #[test]
    fn tells_what_was_put_right_from_what_stays() {
        let problem = |mended| Problem { file: "f".into(), what: "w".into(), remedy: "r".into(), mended };
        let mut report = CheckReport { files: 1, flows: 3, ..CheckReport::default() };
        assert_eq!(summary(&report), "3 flows in 1 file are sound");
        report.problems = vec![problem(true), problem(true)];
        report.ingest_again.push(IngestAgain::default());
        let mended = "3 flows in 1 file are sound; 2 problems put right; 1 source to be ingested again, as said above";
        assert_eq!(summary(&report), mended);
        report.problems.push(problem(false));
        assert_eq!(summary(&report), format!("{mended}; 1 problem to be seen to"));
    }
}
