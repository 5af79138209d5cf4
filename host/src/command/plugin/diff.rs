//! `wardflow plugin diff`: the archive under two versions of a plugin.

use std::path::Path;

use wardflow::{
    config::Config,
    error::{Error, Result},
    kit::{
        changes::{self, Cause, Changes},
        terms::Term,
        trial::Asked,
    },
};

use super::{Outcome, load, warn_of_broken};
use crate::{
    args::Diff,
    command::connect,
    print::{Look, Printer, count, counted},
};

/// Causes of each sort that are shown; all of them are in the JSON.
const SHOWN: usize = 50;

/// Compares what two plugins find in the workspace's archive.
pub(super) async fn run(dir: &Path, args: Diff, printer: &Printer) -> Result<Outcome> {
    let workspace = connect::open(&Config::read(dir)?).await?;
    let limits = &workspace.config.limits;
    let (old, new) = (load::load(&args.old, limits, printer)?, load::load(&args.new, limits, printer)?);
    if old.manifest().id != new.manifest().id {
        printer.warn(&format!(
            "{} and {} are two plugins, not two versions of one",
            old.manifest().id,
            new.manifest().id
        ));
    }
    let versions = format!("{} {} -> {}", old.manifest().id, old.manifest().version, new.manifest().version);
    if old.manifest().version == new.manifest().version && old.digest() != new.digest() {
        printer
            .warn(&format!("both say that they are version {}; a changed plugin has another", old.manifest().version));
    }
    warn_of_broken(&workspace, printer);
    if workspace.listing.files.is_empty() {
        return Err(Error::usage(format!("there are no flows in {}", workspace.config.archive))
            .remedy("`wardflow ingest` brings some; two versions are compared by what they find in them"));
    }
    printer.note("running both over the archive, from nothing learned");
    let changes = changes::compare(&workspace, old, new, &Asked::default()).await?;
    let is_whole = changes.missed == (0, 0) && workspace.listing.broken.is_empty();
    let outcome = if is_whole { Outcome::Done } else { Outcome::Incomplete };
    if printer.json {
        printer.object(&changes)?;
        return Ok(outcome);
    }
    printer.line(Look::Heading, &versions)?;
    show(&changes, printer)?;
    Ok(outcome)
}

fn show(changes: &Changes, printer: &Printer) -> Result<()> {
    if !changes.terms.is_empty() {
        printer.line(Look::Heading, "The plugin says of itself")?;
        let line = |Term { place, old, new }: &Term| match (old, new) {
            (Some(old), Some(new)) => format!("  {place}: {old} -> {new}"),
            (Some(old), None) => format!("- {place}: {old}"),
            (None, new) => format!("+ {place}: {}", new.as_deref().unwrap_or_default()),
        };
        changes.terms.iter().try_for_each(|term| printer.line(Look::Plain, &line(term)))?;
    }
    if changes.terms.iter().any(|term| term.place == "state_version") {
        printer.line(Look::Plain, "With another state_version it begins to learn anew on every device.")?;
    }
    for (heading, causes) in [("Gone", &changes.gone), ("New", &changes.new)] {
        if causes.is_empty() {
            continue;
        }
        printer.line(Look::Heading, &format!("{heading}: {}", count(causes.len() as u64)))?;
        let row = |cause: &Cause| {
            vec![
                cause.severity.clone(),
                cause.device_id.clone(),
                cause.kind.clone(),
                peer(cause),
                format!("{:.3}", cause.score),
                cause.summary.clone(),
            ]
        };
        printer.grid(
            &["severity", "device", "kind", "peer", "score", "summary"],
            &causes.iter().take(SHOWN).map(row).collect::<Vec<_>>(),
        )?;
        rest(causes.len(), printer)?;
    }
    if !changes.changed.is_empty() {
        printer.line(Look::Heading, &format!("Changed: {}", count(changes.changed.len() as u64)))?;
        let row = |(old, new): &(Cause, Cause)| {
            let both = |old: String, new: String| if old == new { old } else { format!("{old} -> {new}") };
            vec![
                both(old.severity.clone(), new.severity.clone()),
                new.device_id.clone(),
                new.kind.clone(),
                peer(new),
                both(format!("{:.3}", old.score), format!("{:.3}", new.score)),
                both(count(old.slices), count(new.slices)),
                both(old.summary.clone(), new.summary.clone()),
            ]
        };
        printer.grid(
            &["severity", "device", "kind", "peer", "score", "slices", "summary"],
            &changes.changed.iter().take(SHOWN).map(row).collect::<Vec<_>>(),
        )?;
        rest(changes.changed.len(), printer)?;
    }
    let (gone, new, changed) = (changes.gone.len() as u64, changes.new.len() as u64, changes.changed.len() as u64);
    printer.line(
        Look::Plain,
        &format!(
            "{} gone, {} new, {} changed, {} the same",
            count(gone),
            count(new),
            count(changed),
            count(changes.same)
        ),
    )?;
    match changes.missed {
        (0, 0) => Ok(()),
        (old, new) => printer.line(
            Look::Bad,
            &format!(
                "Not everything was covered: the old one lost {}, the new one {}",
                counted(old, "device and slice"),
                counted(new, "device and slice")
            ),
        ),
    }
}

fn peer(cause: &Cause) -> String {
    let port = cause.peer_port.map(|port| format!(" port {port}")).unwrap_or_default();
    cause.peer_ip.as_ref().map_or_else(|| "-".to_owned(), |ip| format!("{ip}{port}"))
}

fn rest(all: usize, printer: &Printer) -> Result<()> {
    match all.saturating_sub(SHOWN) {
        0 => Ok(()),
        rest => printer.line(Look::Plain, &format!("and {} more: --json has them all", count(rest as u64))),
    }
}
