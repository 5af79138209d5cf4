//! `wardflow plugin bench`: what a plugin costs, beside one that does nothing.

use wardflow::{
    detector::Stop,
    error::Result,
    kit::measure::{self, Measured},
};

use super::{Outcome, load};
use crate::{
    args::Bench,
    command::connect,
    print::{Look, Printer, count, size},
};

/// Measures.
pub(super) async fn run(args: Bench, printer: &Printer) -> Result<Outcome> {
    let limits = load::limits(&args.limit)?;
    let bytes = load::read(&args.file, &limits)?;
    let compiler = connect::compiler(printer, &Stop::default())?;
    let told = |what: &str| printer.note(what);
    let measured = measure::measure(&bytes, &limits, compiler, args.flows, &told).await?;
    let outcome = if measured.missed.is_some() { Outcome::Incomplete } else { Outcome::Done };
    if printer.json {
        printer.object(&measured)?;
        return Ok(outcome);
    }
    show(&measured, printer)?;
    Ok(outcome)
}

fn show(measured: &Measured, printer: &Printer) -> Result<()> {
    let time = |[median, least, most]: [f64; 3]| format!("{median:.3} s ({least:.3} to {most:.3})");
    let rate = |[median, ..]: [f64; 3]| format!("{} flows/s", count((measured.flows as f64 / median) as u64));
    let rows = [
        ("run on one core", time(measured.seconds), "the median of five, reading included"),
        ("", rate(measured.seconds), ""),
        ("the null plugin", time(measured.null_seconds), "pulls the same columns and does nothing"),
        ("", rate(measured.null_seconds), ""),
        ("beside it", format!("{:.2}", measured.seconds[0] / measured.null_seconds[0]), "of its time"),
        ("in the guest", format!("{:.1} ns", measured.guest_ns), "a flow that a device is an end of"),
        ("crossed", format!("{:.1} bytes", measured.bytes), "the same; columns that were pulled"),
        ("memory", size(measured.memory as u64), "of the largest instance"),
        ("state", format!("{:.0} bytes ({:.0} at most)", measured.state[0], measured.state[1]), "of a device"),
        ("file", size(measured.file as u64), ""),
        ("compile", format!("{:.2} s", measured.compile), "once on a machine"),
        ("load, compiled", format!("{:.1} ms", measured.load * 1e3), "each start"),
        ("instantiate", format!("{:.0} µs", measured.instantiate), "each slice and shard of devices"),
    ];
    let rows: Vec<_> = rows.map(|(what, value, note)| vec![what.to_owned(), value, note.to_owned()]).into();
    printer.grid(&["what", "measured", "of"], &rows)?;
    let (flows, sessions) = (count(measured.flows), count(measured.sessions));
    printer.line(
        Look::Plain,
        &format!("{flows} flows of a synthetic hospital, {sessions} sessions, {} findings", count(measured.findings)),
    )?;
    match &measured.missed {
        Some(missed) => {
            printer.line(Look::Bad, &format!("Not everything was covered, so these figures mean little: {missed}"))
        }
        None => Ok(()),
    }
}
