//! What is still to be done.

use std::collections::BTreeSet;

use super::{Asked, KeptOut, Stage, route, stages};
use crate::{
    coverage::{Row, Status},
    error::Result,
    lake::{id_at, is_same_config},
    workspace::{ReadyPlugin, Workspace},
};

/// How a plugin stands to a workspace's archive: slices, by their start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The plugin's id.
    pub plugin: String,
    /// New or changed.
    pub pending: BTreeSet<i64>,
    /// Those after them that the next run does again, since learning goes from slice to slice.
    pub again: BTreeSet<i64>,
    /// Of those that are pending the ones that only `--rerun` reaches.
    pub stale: BTreeSet<i64>,
    /// Analysed with other bytes of the plugin, under another configuration, with another device list, or before a baseline
    /// was reset that they begin after.
    pub outdated: BTreeSet<i64>,
    /// Analysed without files that could not be read, and that are the same since.
    pub lacking: BTreeSet<i64>,
}

/// How a workspace's plugins stand to its archive: those that can run, and those that are kept out, of which nothing can
/// be outdated.
///
/// # Errors
/// The lake cannot be read.
pub async fn standing(workspace: &Workspace, plugins: &[ReadyPlugin], kept_out: &[KeptOut]) -> Result<Vec<Standing>> {
    let states = workspace.lake.states();
    let coverage = workspace.lake.current_coverage().await?;
    let stages = stages(workspace.slices(workspace.config.slice_hours));
    // Who may not read the key is told all but what is outdated.
    let world_digest = workspace.world.digest().ok();
    let mut standings = Vec::new();
    for plugin in plugins {
        let files = &workspace.listing.files;
        let route = route(plugin, &stages, files, &coverage, states, Asked::default()).await?;
        let id = plugin.id().to_string();
        let resets = &workspace.world.resets;
        let learned = if resets.is_empty() { None } else { states.newest(plugin.id()).await? };
        let knows = |device: &str| learned.as_ref().is_some_and(|set| set.of_device(device).is_some());
        let resets = resets.of_plugin(&id, knows);
        let is_reset = |row: &Row| resets.last_said(row.slice_start).is_some_and(|said| row.run_id < id_at(said));
        let is_outdated = |row: &&Row| {
            is_reset(row)
                || world_digest.as_ref().is_some_and(|digest| row.world_digest != *digest)
                || !is_same_config(&row.config_digest, &plugin.config_digest)
                || row.plugin_digest != plugin.detector.digest()
        };
        let own = coverage.iter().filter(|row| row.plugin.as_deref() == Some(&id));
        let is_analysed = |row: &&Row| row.device_id.is_none() && !matches!(row.status, Status::NotRun | Status::Blind);
        let analysed = own.filter(is_analysed);
        let starts = |indices: &[usize]| indices.iter().map(|index| stages[*index].slice.start).collect();
        let again: Vec<_> = (route.first..stages.len()).filter(|index| !route.pending.contains(index)).collect();
        standings.push(Standing {
            plugin: id.clone(),
            pending: starts(&route.pending),
            stale: starts(&route.stale),
            again: starts(&again),
            outdated: analysed.filter(is_outdated).map(|row| row.slice_start).collect(),
            lacking: route.lacking.into_values().flatten().collect(),
        });
    }
    for KeptOut { id, .. } in kept_out {
        let pending = unanalysed(id, &stages, &coverage);
        standings.push(Standing { plugin: id.clone(), pending, ..Standing::default() });
    }
    Ok(standings)
}

/// The slices that a plugin never looked at.
pub(super) fn unanalysed(plugin: &str, stages: &[Stage], coverage: &[Row]) -> BTreeSet<i64> {
    let own = coverage.iter().filter(|row| row.plugin.as_deref() == Some(plugin) && row.status != Status::NotRun);
    let analysed: BTreeSet<_> = own.map(|row| row.slice_start).collect();
    stages.iter().map(|stage| stage.slice.start).filter(|start| !analysed.contains(start)).collect()
}
