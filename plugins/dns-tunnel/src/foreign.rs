//! Which name servers outside are foreign, and what is said of them.

use wardflow_sdk::{Bounded, Findings, Severity, Slice, surprise};

use crate::{DnsTunnel, SINGLE, resolvers::Standing, seen::Seen};

/// Devices of a class that share a name server, from which the class counts as known.
const CLASS_KNOWN: u32 = 5;

impl DnsTunnel {
    /// Reports name servers outside that nobody declared and that are new.
    pub(crate) fn report_foreign(&self, all: &Bounded<u64, Seen, 64>, slice: &Slice<'_>, findings: &mut Findings) {
        let resolvers = &self.state.resolvers;
        if resolvers.resolves_by_itself() {
            return;
        }
        let is_class_known = self.state.class >= CLASS_KNOWN;
        let standing = Standing { is_learned: self.is_learned(), is_class_known, shared_by: self.parameters.shared_by };
        let mut reported = 0;
        for (server, seen) in all.iter().filter(|(_, seen)| seen.answered >= 5 && !seen.is_declared) {
            let Some(foreign) = resolvers.foreign(*server, seen, standing, slice.end) else { continue };
            if reported == SINGLE {
                return;
            }
            reported += 1;
            let has_moved = foreign.is_settled && seen.queries >= 20 && !resolvers.asks_usual(all);
            let (severity, moved) = match (has_moved, foreign.is_first_seen) {
                (_, true) => (Severity::Informational, 0.0),
                (true, _) => (Severity::Medium, 10.0),
                (false, _) => (Severity::Low, 0.0),
            };
            let class = if foreign.others == 0 { surprise::of_novelty(self.state.class.into()) } else { 0.0 };
            let bits = surprise::of_novelty(f64::from(self.state.learning.hours()) / 24.0) + class + moved;
            let and = match (has_moved, foreign.is_first_seen) {
                (_, true) => "and nothing is known yet of what is usual",
                (true, _) => "and none of those that it used before",
                (false, _) => "beside those that it uses",
            };
            findings
                .report("foreign-resolver", seen.first, seen.last)
                .severity(severity)
                .score(surprise::score(bits))
                .confidence(if self.is_learned() { 0.8 } else { 0.5 })
                .peer(*server)
                .peer_port(seen.port)
                .flow_count(seen.flows)
                .measured("queries", seen.queries as f64, "1", ..)
                .measured("others-of-class", f64::from(foreign.others), "1", f64::from(self.parameters.shared_by)..)
                .examples(seen.examples.iter().copied())
                .summary(format_args!(
                    "asked a new name server outside {} times, {and}; {} other devices of the class use it",
                    seen.queries, foreign.others
                ));
        }
    }
}
