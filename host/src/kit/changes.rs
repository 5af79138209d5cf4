//! What another version of a plugin finds in the same archive: the base for a hospital's decision to upgrade.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{
    seen::Seen,
    terms::{self, Term},
    trial::{self, Asked, Trial},
};
use crate::{detector::Detector, error::Result, workspace::Workspace};

/// A cause, its slices taken together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// One cause has one id.
    pub finding_id: String,
    /// The device's id.
    pub device_id: String,
    /// What kind it is.
    pub kind: String,
    /// The peer, if it is about one.
    pub peer_ip: Option<String>,
    /// The peer's port, if it is about one.
    pub peer_port: Option<i32>,
    /// The highest of its slices.
    pub severity: String,
    /// The highest of its slices.
    pub score: f64,
    /// Slices that show it.
    pub slices: u64,
    /// Flows that show it, over all of them.
    pub flows: i64,
    /// Of the slice with the highest score.
    pub summary: String,
}

/// What changes from one version to another.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Changes {
    /// What the new one says of itself otherwise.
    pub terms: Vec<Term>,
    /// The new one finds them no more.
    pub gone: Vec<Cause>,
    /// The old one did not find them.
    pub new: Vec<Cause>,
    /// Both find them, with another severity, score, summary or number of slices or flows: old and new.
    pub changed: Vec<(Cause, Cause)>,
    /// How many are the same.
    pub same: u64,
    /// Devices and slices that a version lost: how often the old, how often the new.
    pub missed: (u64, u64),
}

/// Compares two plugins over a workspace's archive, each from nothing learned, with the workspace's settings.
///
/// # Errors
/// The archive cannot be read, or a setting does not fit a plugin.
pub async fn compare(
    workspace: &Workspace,
    old: Arc<dyn Detector>,
    new: Arc<dyn Detector>,
    asked: &Asked,
) -> Result<Changes> {
    let terms = terms::changes(old.manifest(), new.manifest());
    let (old, _) = trial::run(workspace, old, asked).await?;
    let (new, _) = trial::run(workspace, new, asked).await?;
    Ok(Changes { terms, ..of(&old, &new) })
}

fn of(old: &Trial, new: &Trial) -> Changes {
    let missed = |trial: &Trial| trial.missed.len() as u64;
    let mut changes = Changes { missed: (missed(old), missed(new)), ..Changes::default() };
    let mut after = causes(&new.findings);
    for (id, cause) in causes(&old.findings) {
        match after.remove(&id) {
            None => changes.gone.push(cause),
            Some(other) => {
                let told = |cause: &Cause| {
                    (cause.score, cause.severity.clone(), cause.slices, cause.flows, cause.summary.clone())
                };
                let is_same = told(&cause) == told(&other);
                if is_same { changes.same += 1 } else { changes.changed.push((cause, other)) }
            }
        }
    }
    changes.new = after.into_values().collect();
    let worst_first = |a: &Cause, b: &Cause| b.score.total_cmp(&a.score).then_with(|| a.finding_id.cmp(&b.finding_id));
    changes.gone.sort_by(worst_first);
    changes.new.sort_by(worst_first);
    let by_change = |(old, new): &(Cause, Cause)| (new.score - old.score).abs();
    changes.changed.sort_by(|a, b| by_change(b).total_cmp(&by_change(a)).then_with(|| worst_first(&a.0, &b.0)));
    changes
}

/// Findings by the cause that they have in common, without what a plugin's id has to do with it: two versions may have two
/// ids while they are compared.
fn causes(findings: &[Seen]) -> BTreeMap<impl Ord + use<>, Cause> {
    let mut causes = BTreeMap::new();
    for seen in findings {
        let Seen { device_id, kind, peer_ip, peer_port, protocol, cause_key, .. } = seen.clone();
        let key = (device_id.clone(), kind.clone(), peer_ip.clone(), peer_port, protocol, cause_key);
        let cause = causes.entry(key).or_insert_with(|| Cause {
            finding_id: seen.finding_id.clone(),
            device_id,
            kind,
            peer_ip,
            peer_port,
            severity: seen.severity.clone(),
            score: f64::NEG_INFINITY,
            slices: 0,
            flows: 0,
            summary: String::new(),
        });
        cause.slices += 1;
        cause.flows += seen.flow_count;
        if rank(&seen.severity) > rank(&cause.severity) {
            cause.severity.clone_from(&seen.severity);
        }
        if seen.score > cause.score {
            cause.score = seen.score;
            cause.summary.clone_from(&seen.summary);
        }
    }
    causes
}

fn rank(severity: &str) -> Option<usize> {
    wardflow_manifest::Severity::ALL.iter().position(|known| known.name() == severity)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::of;
    use crate::kit::{seen::Seen, trial::Trial};

    fn trial(found: &[(&str, f64, &str)]) -> Trial {
        let seen = |(device, score, severity): &(&str, f64, &str)| Seen {
            slice_start: Timestamp::UNIX_EPOCH,
            device_id: (*device).to_owned(),
            kind: "loud".into(),
            severity: (*severity).to_owned(),
            score: *score,
            confidence: 1.0,
            first_seen: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
            peer_ip: None,
            peer_port: None,
            protocol: None,
            flow_count: 1,
            summary: format!("score {score}"),
            cause_key: String::new(),
            observations: BTreeMap::new(),
            finding_id: (*device).to_owned(),
        };
        Trial { findings: found.iter().map(seen).collect(), ..Trial::default() }
    }

    #[test]
    fn causes_are_compared_over_slices() {
        let old = trial(&[("a", 0.5, "low"), ("a", 0.9, "high"), ("b", 0.5, "low"), ("c", 0.5, "low")]);
        let new = trial(&[("a", 0.9, "low"), ("b", 0.5, "low"), ("d", 0.1, "low")]);
        let changes = of(&old, &new);
        let devices = |causes: &[super::Cause]| causes.iter().map(|cause| cause.device_id.clone()).collect::<Vec<_>>();
        assert_eq!(
            (devices(&changes.gone), devices(&changes.new), changes.same),
            (vec!["c".into()], vec!["d".into()], 1)
        );
        let [(before, after)] = changes.changed.as_slice() else { panic!("{changes:?}") };
        assert_eq!((before.slices, before.severity.as_str(), before.summary.as_str()), (2, "high", "score 0.9"));
        assert_eq!((after.slices, after.severity.as_str()), (1, "low"));
    }
}
