//! One slice: the operator run, its rows gathered, the states moved on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::{
    array::{AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::Int32Type,
};
use datafusion::{catalog::TableProvider, physical_plan::execute_stream, prelude::SessionContext};
use futures::StreamExt;
use wardflow_manifest::Severity;

use super::traveller::Traveller;
use crate::{
    coverage::Status,
    detect::{
        Budget, Contact, DetectTable, Directory, Observed, Only, Output, ShardCoverage, Slice, StateRow, UNREADABLE,
    },
    detector::Stop,
    error::{Context, Error, Result},
};

/// What a slice came to.
#[derive(Debug, Default)]
pub(crate) struct SliceOutcome {
    pub(crate) findings: Vec<RecordBatch>,
    pub(crate) observations: Vec<RecordBatch>,
    /// By plugin id.
    pub(crate) plugins: BTreeMap<String, PluginOutcome>,
    /// Devices in no plugin's scope, and their flows.
    pub(crate) unwatched: (u64, u64),
    /// Flows of the slice.
    pub(crate) flows: u64,
    /// Flows of the slice of which no device is an end.
    pub(crate) unresolved: u64,
}

/// What became of a plugin in a slice.
#[derive(Debug)]
pub(crate) struct PluginOutcome {
    pub(crate) status: Status,
    pub(crate) fault: Option<String>,
    /// Why the learning of all its devices began anew.
    pub(crate) anew: Option<String>,
    pub(crate) devices: u64,
    pub(crate) flows: u64,
    /// Devices of which there is something to say.
    pub(crate) single: Vec<ShardCoverage>,
    /// Findings by their id.
    pub(crate) findings: BTreeMap<String, Severity>,
}

impl PluginOutcome {
    /// Says of all devices why learning began anew, unless there is worse to say.
    pub(crate) fn began_anew(&mut self, why: Option<String>) {
        if self.status == Status::Complete && self.fault.is_none() {
            self.fault.clone_from(&why);
            self.anew = why;
        }
    }

    /// Says which files were left out, whatever else there is to say.
    pub(crate) fn without_files(&mut self, left_out: Option<String>) {
        let Some(left_out) = left_out else { return };
        if self.status == Status::Complete {
            self.status = Status::Blind;
        }
        self.fault = Some(self.fault.take().map_or(left_out.clone(), |fault| format!("{left_out}; {fault}")));
    }

    /// Says what the sensors missed: what was analysed is not all that was.
    pub(crate) fn blinded(&mut self, trouble: Option<String>) {
        if let (Status::Complete, Some(trouble)) = (self.status, trouble) {
            self.status = Status::Blind;
            self.fault = Some(self.fault.take().map_or(trouble.clone(), |fault| format!("{trouble}; {fault}")));
        }
    }

    /// How many devices began to learn anew although nothing about them changed, and why the first did.
    pub(crate) fn anew(&self) -> (u64, Option<&str>) {
        match &self.anew {
            Some(why) => (self.devices, Some(why)),
            None => {
                let faults = self.single.iter().filter_map(|row| row.fault.as_deref());
                let unreadable: Vec<_> = faults.filter(|fault| fault.starts_with(UNREADABLE)).collect();
                (unreadable.len() as u64, unreadable.first().copied())
            }
        }
    }
}

/// What plugins saw in a slice, which they have not been moved past.
pub(crate) struct Looked {
    slice: Slice,
    gathered: Gathered,
    observed: Arc<Observed>,
    /// What their faults have cost with those of the slice, in their order.
    budgets: Vec<Arc<Budget>>,
}

/// Runs plugins over one slice and moves them past it.
///
/// # Errors
/// The flows cannot be read, memory is short, or the run was stopped. The travellers stand where they stood.
pub(crate) async fn step(
    session: &SessionContext,
    flows: Arc<dyn TableProvider>,
    directory: &Arc<Directory>,
    slice: Slice,
    travellers: &mut [&mut Traveller],
    only: Option<Only>,
    stop: &Stop,
) -> Result<SliceOutcome> {
    look(session, flows, directory, slice, travellers, only, stop).await?.take_over(travellers)
}

/// Runs plugins over one slice, and leaves them where they stand.
///
/// # Errors
/// As those of [`step`].
pub(super) async fn look(
    session: &SessionContext,
    flows: Arc<dyn TableProvider>,
    directory: &Arc<Directory>,
    slice: Slice,
    travellers: &[&mut Traveller],
    only: Option<Only>,
    stop: &Stop,
) -> Result<Looked> {
    let doing = || {
        let start = jiff::Timestamp::from_microsecond(slice.start)
            .map_or_else(|_| slice.start.to_string(), |at| at.to_string());
        format!("the slice that begins {start} could not be analysed")
    };
    let runs: Vec<_> = travellers.iter().map(|traveller| traveller.run()).collect();
    let budgets = runs.iter().map(|run| Arc::clone(&run.budget)).collect();
    let table = DetectTable::new(flows, Arc::clone(directory), slice, runs, only, stop.clone());
    let observed = Arc::clone(table.observed());
    let frame = session.read_table(Arc::new(table)).context(doing)?;
    let task = frame.task_ctx();
    let plan = frame.create_physical_plan().await.context(doing)?;
    let mut stream = execute_stream(plan, Arc::new(task)).context(doing)?;
    let mut gathered = Gathered::default();
    while let Some(batch) = stream.next().await {
        let batch = batch.context(doing)?;
        gathered.add(Output::from_batch(&batch).context(doing)?);
    }
    drop(stream);
    if stop.is_stopped() {
        return Err(Error::failed(doing()).because("the run was stopped"));
    }
    Ok(Looked { slice, gathered, observed, budgets })
}

impl Looked {
    /// Flows that were seen.
    pub(super) fn flows(&self) -> u64 {
        self.observed.flows()
    }

    /// Moves the plugins past the slice.
    ///
    /// # Errors
    /// What is kept beside their states cannot be written.
    pub(super) fn take_over(self, travellers: &mut [&mut Traveller]) -> Result<SliceOutcome> {
        for (traveller, budget) in travellers.iter_mut().zip(self.budgets) {
            traveller.has_spent(budget);
        }
        self.gathered.finish(self.slice, &self.observed, travellers)
    }
}

/// The operator's rows, as they come.
#[derive(Default)]
struct Gathered {
    findings: Vec<RecordBatch>,
    observations: Vec<RecordBatch>,
    /// As they came: a million devices' in one vector would be moved when it grows.
    states: BTreeMap<Arc<str>, Vec<Vec<StateRow>>>,
    contacts: BTreeMap<String, Vec<Contact>>,
    coverage: BTreeMap<Option<String>, Vec<ShardCoverage>>,
}

impl Gathered {
    fn add(&mut self, output: Output) {
        match output {
            Output::Findings(batch) => self.findings.push(batch),
            Output::Observations(batch) => self.observations.push(batch),
            Output::States(rows) => {
                if let Some(first) = rows.first() {
                    self.states.entry(Arc::clone(&first.plugin)).or_default().push(rows);
                }
            }
            Output::Contacts(plugin, rows) => self.contacts.entry(plugin).or_default().extend(rows),
            Output::Coverage(rows) => {
                for row in rows {
                    self.coverage.entry(row.plugin.clone()).or_default().push(row);
                }
            }
        }
    }

    fn finish(mut self, slice: Slice, observed: &Observed, travellers: &mut [&mut Traveller]) -> Result<SliceOutcome> {
        let flows = observed.flows();
        let unwatched = self.coverage.remove(&None).unwrap_or_default();
        let mut outcome = SliceOutcome {
            unwatched: unwatched
                .iter()
                .fold((0, 0), |(devices, flows), row| (devices + row.devices, flows + row.flows)),
            flows,
            unresolved: observed.unresolved(),
            ..SliceOutcome::default()
        };
        let mut discarded = BTreeSet::new();
        for traveller in travellers {
            let id = traveller.id().to_owned();
            let plugin = summarise(self.coverage.remove(&Some(id.clone())).unwrap_or_default(), flows);
            let is_whole = matches!(plugin.status, Status::Complete | Status::Faulted | Status::Blind);
            if !is_whole {
                discarded.insert(id.clone());
            }
            let states = self.states.remove(id.as_str()).unwrap_or_default();
            let contacts = self.contacts.remove(&id).unwrap_or_default();
            traveller.take_over(slice, states, contacts, is_whole)?;
            outcome.plugins.insert(id, plugin);
        }
        outcome.findings = keep_rows(self.findings, &discarded)?;
        outcome.observations = keep_rows(self.observations, &discarded)?;
        for batch in &outcome.findings {
            for ((plugin, id), severity) in plugins_of(batch).into_iter().zip(ids_of(batch)).zip(severities_of(batch)) {
                if let Some(plugin) = plugin.and_then(|plugin| outcome.plugins.get_mut(plugin)) {
                    plugin.findings.insert(id.to_owned(), severity);
                }
            }
        }
        Ok(outcome)
    }
}

/// The shards' coverage taken together. A slice in which a plugin was stopped half-way counts for nothing, so that its
/// findings do not depend on which shards came first.
fn summarise(rows: Vec<ShardCoverage>, slice_flows: u64) -> PluginOutcome {
    let (single, shards): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.device_id.is_some());
    let lost = single.iter().filter(|row| row.status == Status::Faulted);
    let whole = |status| shards.iter().find(|row| row.status == status);
    let (status, fault) = if let Some(row) = whole(Status::NotRun) {
        (Status::NotRun, row.fault.clone())
    } else if let Some(row) = whole(Status::Unsuited) {
        (Status::Unsuited, row.fault.clone())
    } else if let Some(first) = lost.min_by(|a, b| a.device_id.cmp(&b.device_id)) {
        (Status::Faulted, first.fault.clone())
    } else if slice_flows == 0 {
        (Status::Blind, Some("the sensors delivered no flow".to_owned()))
    } else {
        (Status::Complete, None)
    };
    let sum = |value: fn(&ShardCoverage) -> u64| shards.iter().map(value).sum();
    let flows = if status == Status::NotRun { 0 } else { sum(|row| row.flows) };
    PluginOutcome {
        status,
        fault,
        anew: None,
        devices: sum(|row| row.devices),
        flows,
        single,
        findings: BTreeMap::new(),
    }
}

/// The rows of other plugins than these.
fn keep_rows(batches: Vec<RecordBatch>, without: &BTreeSet<String>) -> Result<Vec<RecordBatch>> {
    if without.is_empty() {
        return Ok(batches);
    }
    let keep = |batch: &RecordBatch| {
        let wanted: BooleanArray =
            plugins_of(batch).into_iter().map(|plugin| Some(plugin.is_none_or(|id| !without.contains(id)))).collect();
        filter_record_batch(batch, &wanted).context(|| "gathering findings".to_owned())
    };
    batches.iter().map(keep).collect()
}

fn plugins_of(batch: &RecordBatch) -> Vec<Option<&str>> {
    let ids = batch.column_by_name("plugin").and_then(|column| column.as_string_opt::<i32>());
    ids.map(|ids| ids.iter().collect()).unwrap_or_default()
}

fn ids_of(batch: &RecordBatch) -> Vec<&str> {
    let ids = batch.column_by_name("finding_id").and_then(|column| column.as_string_opt::<i32>());
    ids.map(|ids| ids.iter().flatten().collect()).unwrap_or_default()
}

fn severities_of(batch: &RecordBatch) -> Vec<Severity> {
    let ids = batch.column_by_name("severity_id").and_then(|column| column.as_primitive_opt::<Int32Type>());
    let severity = |id: &i32| Severity::ALL.into_iter().find(|severity| *severity as i32 == *id);
    ids.map(|ids| ids.values().iter().filter_map(severity).collect()).unwrap_or_default()
}
