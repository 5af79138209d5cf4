//! The time that is evaluated: what was analysed, without that in which plugins learn.

use std::{collections::BTreeMap, ops::Range};

use jiff::Timestamp;

use super::found::Looked;
use crate::{
    error::{Error, Result},
    lake::is_same_config,
    time::{DAY, HOUR},
    workspace::Workspace,
};

/// What was looked at, and when.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    /// Start of what was analysed, microseconds UTC.
    pub(super) start: i64,
    /// End of learning: what is before is not evaluated.
    pub(super) from: i64,
    /// End of what was analysed.
    pub(super) to: i64,
    /// Devices that sent something and were looked at, times the days for which they were.
    pub(super) device_days: Vec<(i64, f64)>,
    /// Slices of plugins, and those of them that were not complete.
    pub(super) slices: (u64, u64),
}

impl Window {
    /// Of these slices, in which so many devices sent something, without the first hours of `learning`: unless it is given, as
    /// many as the plugin asks for that asks for most.
    ///
    /// # Errors
    /// Nothing was analysed, another version of a plugin did it, or one with several settings; or nothing is left behind the
    /// learning.
    pub(super) fn new(
        workspace: &Workspace,
        looked: &[Looked],
        senders: &BTreeMap<i64, u64>,
        learning: Option<u32>,
    ) -> Result<Self> {
        let starts = looked.iter().map(|slice| slice.slice_start);
        let ends = looked.iter().map(|slice| slice.slice_end);
        let (Some(start), Some(to)) = (starts.min(), ends.max()) else {
            return Err(Error::usage("nothing was analysed, so that there is nothing to evaluate")
                .remedy("say `wardflow analyze`"));
        };
        check_versions(workspace, looked)?;
        check_settings(looked)?;
        let manifests = workspace.plugins.offered.iter().filter_map(|offered| offered.manifest.as_ref());
        let has_run = |id: &str| looked.iter().any(|slice| slice.plugin == id && slice.devices > 0);
        let ran = manifests.filter(|manifest| has_run(manifest.id.as_str()));
        let longest = ran.max_by_key(|manifest| manifest.least_learning_hours);
        let hours = learning.or_else(|| Some(longest?.least_learning_hours)).unwrap_or(0);
        let from = start.saturating_add(i64::from(hours).saturating_mul(HOUR));
        if from >= to {
            let days = (to - start) as f64 / DAY as f64;
            return Err(Error::usage(format!(
                "{hours} h of learning leave nothing to evaluate: {days:.1} days were analysed"
            ))
            .remedy(match longest.filter(|_| learning.is_none()) {
                None => "analyse more, or give a shorter --learning".to_owned(),
                Some(manifest) => {
                    format!("{} asks for so many: analyse more, or give a shorter --learning", manifest.id)
                }
            }));
        }
        let counted: Vec<_> = looked.iter().filter(|slice| slice.slice_start >= from).collect();
        let incomplete = counted.iter().filter(|slice| !slice.is_complete()).count() as u64;
        Ok(Self {
            start,
            from,
            to,
            device_days: device_days(&counted, senders),
            slices: (counted.len() as u64, incomplete),
        })
    }

    /// Whether a part of a stretch is in the time that is evaluated.
    pub(super) const fn overlaps(&self, first: i64, last: i64) -> bool {
        self.from <= last && first < self.to
    }

    /// Its hours since 1970.
    pub(super) const fn hours(&self) -> Range<i64> {
        self.from.div_euclid(HOUR)..(self.to + HOUR - 1).div_euclid(HOUR)
    }
}

/// By day, devices times days. Of a slice the plugin counts that looked at the most devices.
fn device_days(slices: &[&Looked], senders: &BTreeMap<i64, u64>) -> Vec<(i64, f64)> {
    let mut days = BTreeMap::<i64, f64>::new();
    for slice in slices.chunk_by(|one, other| one.slice_start == other.slice_start) {
        let ran = slice.iter().filter(|looked| looked.has_run());
        let looked_at = ran.map(|looked| looked.devices).max().unwrap_or_default();
        let devices = looked_at.min(senders.get(&slice[0].slice_start).copied().unwrap_or_default());
        let length = slice.first().map_or(0, |looked| looked.slice_end - looked.slice_start);
        let of = days.entry(slice[0].slice_start.div_euclid(DAY)).or_default();
        *of += devices as f64 * length as f64 / DAY as f64;
    }
    days.into_iter().collect()
}

/// Results of another version tell nothing of the one that is there.
fn check_versions(workspace: &Workspace, looked: &[Looked]) -> Result<()> {
    for offered in &workspace.plugins.offered {
        let (Some(id), Some(version), Some(digest)) = (&offered.id, &offered.version, &offered.digest) else {
            continue;
        };
        let is_other = |slice: &&Looked| slice.plugin_version != *version || slice.plugin_digest != *digest;
        let mut other = looked.iter().filter(|slice| slice.plugin == *id && slice.has_run()).filter(is_other);
        if let Some(slice) = other.next() {
            let at = Timestamp::from_microsecond(slice.slice_start).unwrap_or_default();
            let bytes = if slice.plugin_version == *version { "other bytes of " } else { "" };
            return Err(Error::usage(format!(
                "{bytes}{id} {} analysed the slice from {at}, and {version} is installed",
                slice.plugin_version
            ))
            .remedy("say `wardflow analyze --rerun`, so that one version is evaluated; `wardflow plugin list` tells whether it may run"));
        }
    }
    Ok(())
}

/// Results of several settings are those of no one plugin.
fn check_settings(looked: &[Looked]) -> Result<()> {
    let mut settings = BTreeMap::<&str, &str>::new();
    for slice in looked.iter().filter(|slice| slice.has_run()) {
        if !is_same_config(settings.entry(&slice.plugin).or_insert(&slice.config_digest), &slice.config_digest) {
            let at = Timestamp::from_microsecond(slice.slice_start).unwrap_or_default();
            return Err(Error::usage(format!(
                "{} analysed the slice from {at} with other settings than those before",
                slice.plugin
            ))
            .remedy("say `wardflow analyze --rerun`, so that one plugin is evaluated"));
        }
    }
    Ok(())
}
