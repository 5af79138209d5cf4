//! The reports of a session on their way through the door.

use std::{collections::BTreeSet, net::IpAddr};

use super::{rows::Flows, session::ShardRun};
use crate::{
    detector::{Fault, FaultKind, Report},
    finding::{Admission, Finding, admit},
};

/// The findings of one session.
pub(super) struct Reports<'a> {
    run: &'a ShardRun<'a>,
    flows: &'a Flows,
    pub(super) findings: Vec<Finding>,
    /// Flows of the slice that the session was shown.
    pub(super) shown: u64,
}

impl<'a> Reports<'a> {
    pub(super) const fn new(run: &'a ShardRun<'a>, flows: &'a Flows) -> Self {
        Self { run, flows, findings: Vec::new(), shown: 0 }
    }

    /// Admits what a call reported.
    ///
    /// # Errors
    /// A report breaks the contract, or there are too many.
    pub(super) fn admit(&mut self, call: &'static str, reports: Vec<Report>) -> Result<(), Fault> {
        let most = self.run.plugin.most_findings;
        let asked = self.findings.len() + reports.len();
        if asked > most {
            let message =
                format!("findings of a session in a slice: {asked} asked, {most} allowed (findings in [limits])");
            return Err(Fault::new(call, FaultKind::Limit, message));
        }
        for report in reports {
            let admission = Admission {
                manifest: self.run.plugin.detector.manifest(),
                call,
                slice_end: self.run.slice.end,
                flows: self.shown,
                peer: &|pseudonym| self.address(pseudonym),
            };
            let finding = admit(report, &admission)?;
            self.findings.push(finding);
        }
        Ok(())
    }

    /// The address behind a pseudonym among this session's flows: the last one, if a known device moved, and of several at
    /// once the highest. Two addresses whose own pseudonyms are equal cannot be told apart, and neither is named.
    fn address(&self, pseudonym: u64) -> Option<IpAddr> {
        let context = self.run.context;
        let tables = context.directory.read();
        let mut met = self.flows.met().filter(|(_, peer)| context.peer(*peer).pseudonym == pseudonym);
        let (last, peer) = met.next()?;
        let ip = |peer| tables.endpoint_of_peer(peer).ip;
        let (mut highest, mut own) = (ip(peer), BTreeSet::new());
        let is_shared = context.is_shared(pseudonym);
        for (end, peer) in [(last, peer)].into_iter().chain(met) {
            // Rows that end together stand as threads brought them.
            if end == last {
                highest = highest.max(ip(peer));
            } else if !is_shared {
                break;
            }
            let endpoint = tables.endpoint_of_peer(peer);
            if endpoint.pseudonym == pseudonym {
                own.insert(endpoint.ip);
            }
        }
        (!is_shared || own.len() <= 1).then_some(highest)
    }
}
