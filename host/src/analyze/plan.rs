//! What is to be done: from which slice each plugin goes on, and with which states.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::left_out;
use crate::{
    archive::{ArchiveFile, EMPTY_SLICES, SliceDelivered, SliceInput},
    coverage::{Row, Status},
    detect::{Observed, Slice},
    error::Result,
    lake::{Kept, StateFile, StateSet, StateStore, is_same_config},
    workspace::ReadyPlugin,
};

/// A step through the archive's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    /// Its slice, or the slices of a long empty stretch taken together.
    pub(crate) slice: Slice,
    /// Flows in it.
    pub(crate) rows: u64,
    /// Digest of its flows.
    pub(crate) input_digest: String,
    /// How they were seen, where that is known.
    pub(crate) delivered: Option<SliceDelivered>,
    /// Positions of its files in the archive's listing.
    pub(crate) files: Vec<usize>,
    /// Whether it is passed over.
    pub(crate) is_skipped: bool,
}

impl Stage {
    /// What its flows were, where that is known without reading them.
    pub(crate) fn observed(&self) -> Option<Arc<Observed>> {
        let delivered = self.delivered.as_ref()?;
        Some(Arc::new(Observed::known(self.slice, self.rows, delivered.lacking(), delivered.minutes())))
    }
}

/// The stages of an archive. Of a stretch of slices without flows the first few are run, so that silence can be seen in
/// them. The rest of the stretch is passed over as blind: nothing can change in it any more.
pub(crate) fn stages(inputs: Vec<SliceInput>) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut empty = 0;
    for input in inputs {
        // Of Parquet from elsewhere it is known which slices it may reach into, not how many rows each has.
        empty = if input.files.is_empty() { empty + 1 } else { 0 };
        let slice = Slice { start: input.start, end: input.end };
        if empty > EMPTY_SLICES
            && let Some(last) = stages.last_mut().filter(|last| last.is_skipped)
        {
            last.slice.end = slice.end;
            continue;
        }
        stages.push(Stage {
            slice,
            rows: input.rows,
            input_digest: input.digest.to_string(),
            delivered: input.delivered,
            files: input.files,
            is_skipped: empty > EMPTY_SLICES,
        });
    }
    stages
}

/// What one plugin has to do.
#[derive(Debug)]
pub(crate) struct Route {
    /// The first stage to run; the number of stages if there is none.
    pub(crate) first: usize,
    /// The states to begin with; absent to begin anew.
    pub(crate) states: Option<StateFile>,
    /// Why learning begins anew although there is a past.
    pub(crate) anew: Option<String>,
    /// Stages that changed after they were analysed and that no kept state reaches back to.
    pub(crate) stale: Vec<usize>,
    /// Stages that are new or changed.
    pub(crate) pending: Vec<usize>,
    /// By file, the starts of those slices before the first to run that were analysed without it, since it cannot be read.
    pub(crate) lacking: BTreeMap<String, BTreeSet<i64>>,
}

/// What the user asked for beyond what is new.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    /// Begin at the stage that holds this time, microseconds UTC.
    pub(crate) from: Option<i64>,
    /// Do everything again, from the first stage or from `from`, learning anew.
    pub(crate) rerun: bool,
}

/// What a plugin's coverage says of each stage.
struct Covered<'a> {
    rows: BTreeMap<i64, &'a Row>,
    /// The archive's files.
    files: &'a [ArchiveFile],
}

impl<'a> Covered<'a> {
    fn of(plugin: &ReadyPlugin, files: &'a [ArchiveFile], coverage: &'a [Row]) -> Self {
        let own = coverage
            .iter()
            .filter(|row| row.device_id.is_none() && row.plugin.as_deref() == Some(plugin.id().as_str()));
        Self { rows: own.map(|row| (row.slice_start, row)).collect(), files }
    }

    fn row(&self, stage: &Stage) -> Option<&'a Row> {
        self.rows.get(&stage.slice.start).copied()
    }

    /// Whether a stage was analysed as it is now. A stage that was committed before its predecessor was followed by a
    /// run that redid the predecessor and did not get as far as this.
    fn is_current(&self, stage: &Stage, before: Option<&Stage>) -> bool {
        let Some(row) = self.row(stage) else { return false };
        let predecessor = before.and_then(|before| self.row(before));
        left_out::is_of(row, &stage.input_digest, self.files)
            && row.slice_end == stage.slice.end
            && row.status != Status::NotRun
            && predecessor.is_none_or(|predecessor| predecessor.commit <= row.commit)
    }
}

/// Finds where a plugin goes on.
///
/// # Errors
/// The lake's states cannot be listed.
pub(crate) async fn route(
    plugin: &ReadyPlugin,
    stages: &[Stage],
    files: &[ArchiveFile],
    coverage: &[Row],
    states: &StateStore,
    asked: Asked,
) -> Result<Route> {
    let covered = Covered::of(plugin, files, coverage);
    let mut route = goes_on(plugin, stages, &covered, states, asked).await?;
    let stays = |i: &usize| *i < route.first && !route.pending.contains(i);
    for row in (0..stages.len()).filter(stays).filter_map(|i| covered.row(&stages[i])) {
        for file in left_out::of(row, files) {
            route.lacking.entry(file.path.clone()).or_default().insert(row.slice_start);
        }
    }
    Ok(route)
}

async fn goes_on(
    plugin: &ReadyPlugin,
    stages: &[Stage],
    covered: &Covered<'_>,
    states: &StateStore,
    asked: Asked,
) -> Result<Route> {
    let is_current = |i: usize| covered.is_current(&stages[i], i.checked_sub(1).map(|before| &stages[before]));
    let todo: Vec<usize> = (0..stages.len()).filter(|i| !is_current(*i)).collect();
    let (stale, lacking, pending) = (Vec::new(), BTreeMap::new(), todo.clone());
    let mut route = Route { first: stages.len(), states: None, anew: None, stale, pending, lacking };
    let stage_of = |time: i64| stages.iter().position(|stage| time < stage.slice.end).unwrap_or(stages.len());
    if asked.rerun {
        route.first = asked.from.map_or(0, stage_of);
        return Ok(route);
    }
    let is_usable = |file: &StateFile| {
        covered.rows.values().any(|row| {
            row.slice_end == file.slice_end
                && row.state_digest == file.digest
                && is_same_config(&row.config_digest, &plugin.config_digest)
        })
    };
    let wanted = match asked.from {
        Some(from) => vec![stage_of(from)],
        None => todo,
    };
    // A run that was killed may have committed slices and not kept what was learned of them: they are done again.
    if let Some(last) = stages.last().filter(|_| wanted.is_empty())
        && states.list(plugin.id()).await?.iter().all(|file| file.slice_end < last.slice.end)
        && let Some(file) = states.newest_before(plugin.id(), last.slice.end, is_usable).await?
    {
        route.first = stage_of(file.slice_end);
        route.states = Some(file);
        return Ok(route);
    }
    for first in wanted {
        let Some(stage) = stages.get(first) else { break };
        if let Some(file) = states.newest_before(plugin.id(), stage.slice.start, is_usable).await? {
            route.first = stage_of(file.slice_end);
            route.states = Some(file);
            return Ok(route);
        }
        let predecessor = first.checked_sub(1).and_then(|before| covered.row(&stages[before]));
        let settings_changed =
            predecessor.is_some_and(|row| !is_same_config(&row.config_digest, &plugin.config_digest));
        let is_changed = covered.row(stage).is_some_and(|row| row.status != Status::NotRun);
        // Before the first stage nothing was learned, so that it can always be done again.
        if first > 0 && is_changed && !covered.rows.is_empty() && has_later_state(states, plugin, stage).await? {
            route.stale.push(first);
            continue;
        }
        // Nothing is kept that fits: learn anew, from the beginning unless the settings are what changed.
        route.first = if settings_changed || asked.from.is_some() { first } else { 0 };
        route.anew = settings_changed.then(|| anew("its settings or the pseudonym key changed"));
        return Ok(route);
    }
    Ok(route)
}

/// Whether states of a later time are kept, so that going back to the beginning is not what the user expects.
async fn has_later_state(states: &StateStore, plugin: &ReadyPlugin, stage: &Stage) -> Result<bool> {
    Ok(states.list(plugin.id()).await?.iter().any(|file| file.slice_end > stage.slice.start))
}

/// Where a plugin goes on, and the states that it goes on with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) route: Route,
    pub(crate) states: Option<StateSet>,
    /// Kept states that were damaged, and what is done about it.
    pub(crate) damaged: Vec<String>,
}

/// Finds where a plugin goes on, and reads its states. Damaged ones are put aside: those before them lead to the same
/// results, after more work. It costs this plugin alone.
///
/// # Errors
/// The lake's states cannot be listed, read or renamed.
pub(crate) async fn start(
    plugin: &ReadyPlugin,
    stages: &[Stage],
    files: &[ArchiveFile],
    coverage: &[Row],
    states: &StateStore,
    asked: Asked,
) -> Result<Start> {
    let mut damaged = Vec::new();
    loop {
        let mut route = route(plugin, stages, files, coverage, states, asked).await?;
        let found = match &route.states {
            Some(file) => states.load(plugin.id(), file).await?,
            None => Kept::Gone,
        };
        let set = match (found, &route.states) {
            (Kept::Damaged(error), Some(file)) => {
                let aside = states.put_aside(plugin.id(), file).await?;
                damaged.push(format!("{}; the file is now {aside}, and is used no more", error.reason()));
                continue;
            }
            (Kept::Whole(set), _) => fitting(plugin, *set, &mut route),
            _ => None,
        };
        let is_first = |row: &&Row| stages.first().is_some_and(|first| row.slice_start < first.slice.start);
        let own = coverage.iter().filter(|row| row.plugin.as_deref() == Some(plugin.id().as_str()));
        if set.is_none() && !damaged.is_empty() && route.first < stages.len() && own.filter(is_first).count() > 0 {
            // What it learned from is not in the archive any more.
            route.anew.get_or_insert_with(|| anew("its kept states were damaged"));
        }
        return Ok(Start { route, states: set, damaged });
    }
}

/// A route's states, if they still fit; if not, the route says why learning begins anew.
fn fitting(plugin: &ReadyPlugin, set: StateSet, route: &mut Route) -> Option<StateSet> {
    let manifest = plugin.detector.manifest();
    if set.state_version != manifest.state_version {
        let (old, new) = (set.state_version, manifest.state_version);
        route.anew = Some(anew(&format!("the plugin's state_version was {old} and is {new}")));
        return None;
    }
    Some(set).filter(|set| is_same_config(&set.config_digest, &plugin.config_digest))
}

fn anew(why: &str) -> String {
    format!("{why}: learning began anew")
}

#[cfg(test)]
mod tests {
    use super::stages;
    use crate::archive::{FlowsDigest, SliceInput};

    #[test]
    fn a_long_empty_stretch_is_one_stage() {
        let input = |i: i64| {
            let files = if i == 0 || i == 20 { vec![0] } else { Vec::new() };
            let (digest, delivered) = (FlowsDigest::default(), None);
            // A file from elsewhere tells of its rows in the first of its slices alone.
            SliceInput { start: i * 10, end: i * 10 + 10, rows: u64::from(i == 0), digest, delivered, files }
        };
        let stages = stages((0..=20).map(input).collect());
        let spans: Vec<_> = stages.iter().map(|s| (s.slice.start, s.slice.end, s.is_skipped)).collect();
        assert_eq!(
            spans,
            [
                (0, 10, false),
                (10, 20, false),
                (20, 30, false),
                (30, 40, false),
                (40, 50, false),
                (50, 200, true),
                (200, 210, false)
            ]
        );
    }
}
