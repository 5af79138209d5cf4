//! `wardflow baseline`: what was learned, and that it does not count any more.

use jiff::Timestamp;
use wardflow::{
    config::Config,
    error::{Error, Result},
    lake::Table,
    reset::Reset as Remark,
};

use super::{Outcome, connect};
use crate::{
    args::{Baseline, Reset},
    print::{Look, Printer},
};

/// Has a device learned anew.
///
/// # Errors
/// There is no such device or plugin, or the lake cannot be read or written.
pub(super) async fn run(config: &Config, args: Baseline, printer: &Printer) -> Result<Outcome> {
    let Baseline::Reset(Reset { device, plugin, since, reason }) = args;
    let workspace = connect::open(config).await?;
    if let Some(id) = plugin.as_deref().filter(|id| !is_there(&workspace.plugins.offered, id)) {
        return Err(Error::usage(format!("there is no plugin {id}")).remedy("`wardflow plugin list` lists them"));
    }
    let coverage = workspace.lake.current_coverage().await?;
    let is_of_it = |only: Option<&str>| plugin.as_deref().is_none_or(|id| only == Some(id));
    let analysed = coverage.iter().filter(|row| row.plugin.is_some() && is_of_it(row.plugin.as_deref()));
    let analysed = analysed.map(|row| row.slice_end).max();
    let now = Timestamp::now();
    // A record of a clock that is wrong moves the end of what was analysed into time to come.
    let reached = analysed.and_then(|end| Timestamp::from_microsecond(end).ok()).map(|end| end.min(now));
    let Some(since) = since.or(reached) else {
        return Err(Error::usage("nothing was analysed yet, so that nothing was learned")
            .remedy("say `wardflow analyze` first, or --since"));
    };
    if since > now && analysed.is_none_or(|end| since.as_microsecond() > end) {
        return Err(Error::usage(format!("--since {since} is to come"))
            .remedy("give the time from which the device behaves otherwise, or none for what is analysed next"));
    }
    if !knows(&workspace, plugin.as_deref(), &device).await? {
        let by = plugin.as_ref().map(|id| format!(" by {id}")).unwrap_or_default();
        return Err(Error::usage(format!("nothing was learned{by} of a device {device:?}"))
            .remedy("wardflow sql 'SELECT plugin, device_id FROM baselines'"));
    }
    let remark = Remark { time: now, device_id: device, plugin, since, reason };
    workspace.lake.remark(Table::Resets, std::slice::from_ref(&remark)).await?;
    if printer.json {
        printer.object(&remark)?;
        return Ok(Outcome::Done);
    }
    let (device, since) = (&remark.device_id, remark.since);
    printer
        .line(Look::Good, &format!("{device} is learned anew from the first slice that begins at {since} or later."))?;
    if analysed.is_some_and(|end| since.as_microsecond() < end) {
        printer.note("What was analysed since stays as it is until `wardflow analyze --rerun`.");
    }
    Ok(Outcome::Done)
}

fn is_there(offered: &[wardflow::workspace::Offered], id: &str) -> bool {
    offered.iter().any(|offered| offered.id.as_deref() == Some(id))
}

/// Whether a plugin, or else any or the device list, knows a device.
async fn knows(workspace: &wardflow::workspace::Workspace, plugin: Option<&str>, device: &str) -> Result<bool> {
    if plugin.is_none() && workspace.world.inventory.has(device) {
        return Ok(true);
    }
    let manifests = workspace.plugins.offered.iter().filter_map(|offered| offered.manifest.as_ref());
    for manifest in manifests.filter(|manifest| plugin.is_none_or(|only| only == manifest.id.as_str())) {
        if let Some(states) = workspace.lake.states().newest(&manifest.id).await?
            && states.of_device(device).is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}
