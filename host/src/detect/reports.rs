//! The reports of a session on their way through the door.

use std::{collections::BTreeSet, net::IpAddr};

use wardflow_manifest::Column;

use super::{
    rows::PluginRows,
    session::{ShardRun, Subject},
};
use crate::{
    detector::{Fault, FaultKind, Report, Values},
    finding::{Admission, Finding, admit},
};

/// The findings of one session.
pub(super) struct Reports<'a> {
    run: &'a ShardRun<'a>,
    subject: &'a Subject<'a>,
    rows: &'a PluginRows,
    pub(super) findings: Vec<Finding>,
    /// Flows of the slice that the session was shown.
    pub(super) flows: u64,
}

impl<'a> Reports<'a> {
    pub(super) const fn new(run: &'a ShardRun<'a>, subject: &'a Subject<'a>, rows: &'a PluginRows) -> Self {
        Self { run, subject, rows, findings: Vec::new(), flows: 0 }
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
                flows: self.flows,
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
        let peers = self.rows.rows.column(Column::Peer).and_then(Values::as_u64)?;
        let ends = self.rows.rows.column(Column::EndTime).and_then(Values::as_i64)?;
        let rows = self.subject.rows?.rows.clone();
        let tables = self.run.context.directory.read();
        let met = |row: usize| tables.endpoint_of_peer(self.run.rows.peers()[row]);
        let mut of_peer = rows.clone().filter(|row| peers[*row] == pseudonym);
        if self.run.context.is_shared(pseudonym) {
            let own: BTreeSet<_> =
                of_peer.clone().map(met).filter(|met| met.pseudonym == pseudonym).map(|met| met.ip).collect();
            if own.len() > 1 {
                return None;
            }
        }
        // Rows that end together stand as threads brought them.
        let last = of_peer.next_back()?;
        let at_once = (rows.start..=last).rev().take_while(|row| ends[*row] == ends[last]);
        at_once.filter(|row| peers[*row] == pseudonym).map(|row| met(row).ip).max()
    }
}
