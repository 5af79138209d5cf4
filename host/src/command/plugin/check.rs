//! `wardflow plugin check`: everything that a hospital's host would refuse or dislike.

use serde::Serialize;
use wardflow::{
    detector::Stop,
    error::Result,
    kit::{
        case::Case,
        check::{self, Checked, Weight},
    },
};

use super::{Outcome, load};
use crate::{
    args::Check,
    command::connect,
    print::{Look, Printer, count, counted},
};

#[derive(Debug, Serialize)]
struct Report {
    #[serde(serialize_with = "super::as_text")]
    file: std::path::PathBuf,
    #[serde(flatten)]
    checked: Checked,
}

/// Checks, and tells everything at once.
pub(super) async fn run(args: Check, printer: &Printer) -> Result<Outcome> {
    let limits = load::limits(&args.limit)?;
    let bytes = load::read(&args.file, &limits)?;
    let cases = args.cases.as_deref().map(Case::all).transpose()?.unwrap_or_default();
    let compiler = connect::compiler(printer, &Stop::default())?;
    let told = |what: &str| printer.note(what);
    let checked = check::check(&bytes, &limits, &cases, compiler, &told).await?;
    let outcome = if checked.is_refused() { Outcome::Incomplete } else { Outcome::Done };
    let report = Report { file: args.file, checked };
    if printer.json {
        printer.object(&report)?;
        return Ok(outcome);
    }
    show(&report, printer)?;
    Ok(outcome)
}

fn show(Report { file, checked }: &Report, printer: &Printer) -> Result<()> {
    for (weight, look, heading) in [
        (Weight::Refused, Look::Bad, "A hospital's host would refuse"),
        (Weight::Disliked, Look::Plain, "A hospital may dislike"),
    ] {
        let remarks: Vec<_> = checked.remarks.iter().filter(|remark| remark.weight == weight).collect();
        if remarks.is_empty() {
            continue;
        }
        printer.line(Look::Heading, heading)?;
        for remark in remarks {
            printer.line(look, &format!("  {}: {}", remark.place, remark.what))?;
            printer.line(Look::Plain, &format!("    {}", remark.remedy))?;
        }
    }
    if !checked.used.is_empty() {
        let row = |(name, used): (&&str, &check::Used)| {
            let share = used.most as f64 * 100.0 / used.allowed.max(1) as f64;
            let unit = |number: u64| format!("{} {}", count(number), used.unit).trim_end().to_owned();
            vec![(*name).to_owned(), unit(used.most), unit(used.allowed), format!("{share:.1} %")]
        };
        printer.line(Look::Heading, "Most used of each limit")?;
        printer.grid(&["limit", "used", "allowed", "share"], &checked.used.iter().map(row).collect::<Vec<_>>())?;
    }
    let refused = checked.remarks.iter().filter(|remark| remark.weight == Weight::Refused).count() as u64;
    let disliked = checked.remarks.len() as u64 - refused;
    let tried = checked.tried.join(", ");
    match refused {
        0 => printer.line(
            Look::Good,
            &format!("{} would be taken ({}; tried: {tried})", file.display(), counted(disliked, "remark")),
        ),
        _ => printer.line(
            Look::Bad,
            &format!("{} would be refused: {} (tried: {tried})", file.display(), counted(refused, "reason")),
        ),
    }
}
