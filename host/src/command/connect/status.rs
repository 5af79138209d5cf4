//! `wardflow status`: gathers how a workspace stands.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use wardflow::{
    analyze as analysis,
    config::Config,
    coverage::{Row, Status},
    detector::Stop,
    error::{Context, Result},
    lake::Table,
    workspace::{self, Offered, PinStatus, Workspace},
};

use super::{
    compiler, excepted, name, not_run, open, runtime, session_config, settings_of_nobody, union, warn_of_resets,
};
use crate::{command::status, print::Printer};

/// How a workspace stands.
pub(in crate::command) async fn status(config: &Config, printer: &Printer) -> Result<status::Report> {
    let workspace = Arc::new(open(config).await?);
    warn_of_resets(&workspace, printer);
    let settings_of_nobody = settings_of_nobody(&workspace)?;
    let (ready, refused) = workspace.ready(compiler(printer, &Stop::default())?, |_| true)?;
    let kept_out: Vec<_> = refused.iter().filter_map(not_run).collect();
    let standings = analysis::standing(&workspace, &ready, &kept_out).await?;
    let coverage = workspace.lake.current_coverage().await?;
    let whole = || coverage.iter().filter(|row| row.device_id.is_none());
    let unwatched = || whole().filter(|row| row.plugin.is_none());
    let time = |at: i64| Timestamp::from_microsecond(at).ok();
    let slices = workspace.slices(config.slice_hours);
    let filled = || slices.iter().filter(|slice| slice.rows > 0);
    let mut statuses: Vec<(String, u64)> = Vec::new();
    for row in whole().filter(|row| row.plugin.is_some()) {
        match statuses.iter_mut().find(|(name, _)| name == row.status.name()) {
            Some((_, count)) => *count += 1,
            None => statuses.push((row.status.name().to_owned(), 1)),
        }
    }
    statuses.sort();
    let plugin = |offered: &Offered| {
        let id = name(offered);
        let refusal = refused.iter().find(|refusal| std::ptr::eq(refusal.offered, offered));
        let analysed = || whole().filter(|row| row.plugin.as_deref() == Some(&id) && row.status != Status::NotRun);
        let standing = standings.iter().find(|standing| standing.plugin == id).cloned().unwrap_or_default();
        status::Plugin {
            version: offered.version.clone().unwrap_or_default(),
            status: match refusal.is_some() {
                true if !matches!(offered.status, PinStatus::Changed | PinStatus::Missing) => {
                    PinStatus::Refused.name().to_owned()
                }
                _ => offered.status.name().to_owned(),
            },
            kept_out: refusal.map(|refusal| refusal.reason.clone()),
            analysed_to: analysed().map(|row| row.slice_end).max().and_then(time),
            is_idle: analysed().next().is_some()
                && analysed().all(|row| row.devices == 0 && row.status != Status::Unsuited),
            pending: standing.pending.len() as u64,
            stale: standing.stale.len() as u64,
            outdated: standing.outdated.len() as u64,
            id,
        }
    };
    let of_status = |status: Status| {
        let of_plugins = whole().filter(|row| row.plugin.is_some() && row.status == status);
        of_plugins.map(|row| row.slice_start).collect::<BTreeSet<_>>().len() as u64
    };
    let can_run = || standings.iter().filter(|standing| kept_out.iter().all(|out| out.id != standing.plugin));
    let reachable: Vec<_> = can_run().map(|standing| &standing.pending - &standing.stale).collect();
    let slices_open = status::SlicesOpen {
        pending: union(reachable.iter()),
        stale: union(can_run().map(|standing| &standing.stale)),
        outdated: union(can_run().map(|standing| &standing.outdated)),
        again: union(can_run().map(|standing| &standing.again)),
        lacking: union(can_run().map(|standing| &standing.lacking)),
        faulted: of_status(Status::Faulted),
        not_run: of_status(Status::NotRun),
        unsuited: of_status(Status::Unsuited),
        blind: of_status(Status::Blind),
    };
    let mut lost_tables = Vec::new();
    for table in Table::ALL {
        let lost = workspace.lake.lost(table).await?.or(workspace.lake.lacks_file(table).await?);
        lost_tables.extend(lost.map(|lost| workspace::describe(&lost)));
    }
    let inventory = config.inventory.as_ref().map(|path| status::Inventory {
        place: path.display().to_string(),
        devices: workspace.world.inventory.device_ids().count() as u64,
    });
    Ok(status::Report {
        archive: status::Archive {
            place: workspace.archive.describe(),
            is_mapped: workspace.archive.mapping().is_some(),
            is_joined: workspace.archive.mapping().is_some_and(|mapping| mapping.source.parts),
            files: workspace.listing.files.len() as u64,
            bytes: workspace.listing.files.iter().map(|file| file.object.size).sum(),
            flows: workspace.listing.files.iter().map(|file| file.rows).sum(),
            first: filled().next().and_then(|slice| time(slice.start)),
            last: filled().next_back().and_then(|slice| time(slice.end)),
            slices: filled().count() as u64,
            rows: workspace.archive.known_rows(&workspace.listing.files),
            broken: workspace.listing.broken.iter().map(|file| (file.path.clone(), file.reason.clone())).collect(),
            taken_out: workspace.archive.unfinished().await?,
            lacking: workspace.archive.lacking(&workspace.listing).await?,
        },
        inventory,
        plugins: workspace.plugins.offered.iter().map(plugin).collect(),
        settings_of_nobody,
        last_run: last_run(&workspace).await?,
        lost_tables,
        coverage: statuses,
        slices_open,
        excepted: excepted(&workspace, printer, session_config(None), runtime(None)?).await?,
        devices_without_plugin: unwatched().map(|row| row.devices).max().unwrap_or(0),
        devices_unsuited: devices_unsuited(&coverage),
        flows_without_device: unwatched().filter(|row| row.devices == 0).map(|row| row.flows).sum(),
    })
}

/// Devices whose records lack what a plugin needs, each counted once for however many plugins and slices.
fn devices_unsuited(coverage: &[Row]) -> u64 {
    let of_one =
        coverage.iter().filter(|row| row.status == Status::Unsuited).filter_map(|row| row.device_id.as_deref());
    of_one.collect::<BTreeSet<_>>().len() as u64
}

async fn last_run(workspace: &Workspace) -> Result<Option<status::Run>> {
    let time = |at: i64| Timestamp::from_microsecond(at).context(|| "a run has no time".to_owned());
    let Some(run) = workspace.lake.last_run().await? else { return Ok(None) };
    Ok(Some(status::Run {
        run_id: run.run_id,
        started: time(run.started_at)?,
        ended: run.ended_at.map(time).transpose()?,
        status: run.status.to_string(),
        slices: run.slices,
        flows: run.flows,
        findings: run.findings,
    }))
}
