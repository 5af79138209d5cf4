//! A plugin between slices: its states, and what goes with them.

use std::{collections::HashSet, sync::Arc};

use crate::{
    detect::{Budget, Contact, PluginRun, Prevalence, Slice, StateRow},
    error::{Context, Result},
    lake::StateSet,
    workspace::ReadyPlugin,
};

/// A plugin on its way through the slices.
#[derive(Debug)]
pub(crate) struct Traveller {
    pub(crate) plugin: ReadyPlugin,
    pub(crate) states: Arc<StateSet>,
    /// Why learning begins anew, until it was said.
    pub(crate) anew: Option<String>,
    /// Whether the states are others than those that are kept.
    pub(crate) has_moved: bool,
    prevalence: Arc<Prevalence>,
    budget: Arc<Budget>,
}

impl Traveller {
    /// At the beginning, or after the slices that `states` includes.
    ///
    /// # Errors
    /// What is kept beside the states cannot be read.
    pub(crate) fn new(plugin: ReadyPlugin, states: Option<StateSet>, start: i64) -> Result<Self> {
        let manifest = plugin.detector.manifest();
        let empty = || StateSet::new(manifest.id.clone(), manifest.state_version, plugin.config_digest.clone(), start);
        let states = states.unwrap_or_else(empty);
        let mut prevalence = Prevalence::default();
        if !states.extra.is_empty() {
            let contacts: Vec<Contact> = postcard::from_bytes(&states.extra)
                .context(|| format!("the peer prevalence kept for {} cannot be read", manifest.id))?;
            prevalence.add(contacts);
        }
        let budget = plugin.budget();
        Ok(Self {
            plugin,
            states: Arc::new(states),
            anew: None,
            has_moved: false,
            prevalence: Arc::new(prevalence),
            budget,
        })
    }

    pub(super) fn id(&self) -> &str {
        self.plugin.id().as_str()
    }

    pub(super) fn run(&self) -> PluginRun {
        PluginRun {
            detector: Arc::clone(&self.plugin.detector),
            parameters: Arc::clone(&self.plugin.parameters),
            groups: Arc::clone(&self.plugin.groups),
            states: Arc::clone(&self.states),
            prevalence: Arc::clone(&self.prevalence),
            most_findings: self.plugin.most_findings,
            budget: Arc::new(self.budget.copy()),
        }
    }

    /// Moves past a slice that was not looked into.
    pub(crate) fn skip_to(&mut self, end: i64) {
        Arc::make_mut(&mut self.states).slice_end = end;
        self.has_moved = true;
    }

    /// Goes on counting what faults cost from here.
    pub(super) fn has_spent(&mut self, budget: Arc<Budget>) {
        self.budget = budget;
    }

    /// Takes over what a slice made of the states.
    pub(super) fn take_over(
        &mut self,
        slice: Slice,
        rows: Vec<Vec<StateRow>>,
        contacts: Vec<Contact>,
        is_whole: bool,
    ) -> Result<()> {
        let states = Arc::make_mut(&mut self.states);
        states.slice_end = slice.end;
        self.has_moved = true;
        if is_whole {
            let kept: HashSet<_> = rows.iter().flatten().map(|row| &row.key).collect();
            let gone: Vec<_> = states.iter().map(|(key, _)| key).filter(|key| !kept.contains(key)).cloned().collect();
            for key in gone {
                states.remove(&key);
            }
            for row in rows.into_iter().flatten() {
                states.insert(row.key, row.state);
            }
        }
        if is_whole && !contacts.is_empty() {
            let prevalence = Arc::make_mut(&mut self.prevalence);
            prevalence.add(contacts);
            let room = Vec::with_capacity(size_of_val(prevalence.contacts()));
            states.extra = postcard::to_extend(prevalence.contacts(), room)
                .context(|| format!("the peer prevalence of {} cannot be kept", states.plugin))?;
        }
        Ok(())
    }
}
