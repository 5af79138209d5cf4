//! Whether queries carry data, and what is said of it.

use wardflow_sdk::{Bounded, Findings, Severity, math, surprise};

use crate::{DnsTunnel, SINGLE, query, seen::Seen};

/// Queries that count of those that repeat one another.
const REPEATED: f64 = 8.0;
/// A name server has carried a good part of the day if it carried one in so many bytes in the slice.
const PART_OF_DAY: f64 = 8.0;
/// Most bits that the shape of queries adds.
const MOST_OF_SHAPE: f64 = 10.0;
/// Longest query that a name fits into: header, name, type and class, EDNS.
const LONGEST: f64 = 12.0 + 255.0 + 4.0 + 11.0;
/// Share of long queries from which a device asks for hardly anything else.
const NEARLY_ALL: f64 = 0.9;
/// Average size of answers from which they are large.
const LARGE_ANSWER: f64 = 256.0;

/// What is made of the queries to a name server.
#[derive(Clone, Copy)]
struct Verdict {
    bits: f64,
    severity: Severity,
    confidence: f64,
    usual: f64,
}

impl DnsTunnel {
    pub(crate) fn report_tunnels(&self, all: &Bounded<u64, Seen, 64>, findings: &mut Findings) {
        let looks = all.len() as f64;
        let mut found: Vec<_> =
            all.iter().filter_map(|(server, seen)| Some((*server, seen, self.judge(seen, looks)?))).collect();
        found.sort_by(|(_, _, one), (_, _, other)| other.bits.total_cmp(&one.bits));
        if !found.iter().any(|(_, seen, _)| seen.is_external && self.is_of_day(seen)) {
            let each = all.iter().map(|(_, seen)| seen).chain([&self.further]).filter(|seen| seen.is_external);
            if let Some(together) = Seen::together(each)
                && let Some(verdict) = self.judge_together(&together)
            {
                found.retain(|(_, seen, _)| !seen.is_external);
                self.report_tunnel(None, &together, verdict, findings);
            }
        }
        for (server, seen, verdict) in found.into_iter().take(SINGLE) {
            self.report_tunnel(Some(server), seen, verdict, findings);
        }
    }

    /// Reports a tunnel by a name server, or, without it, by those outside together.
    fn report_tunnel(&self, server: Option<u64>, seen: &Seen, verdict: Verdict, findings: &mut Findings) {
        let today = self.state.habit.today() as f64;
        let place = match server {
            Some(_) if seen.is_external => "a name server outside",
            Some(_) => "a name server inside",
            None => "name servers outside",
        };
        let draft = findings
            .report("dns-tunnel", seen.first, seen.last)
            .severity(verdict.severity)
            .score(surprise::score(verdict.bits))
            .confidence(verdict.confidence)
            .flow_count(seen.flows)
            .measured("carried-per-hour", seen.busiest_hour() as f64, "By/h", ..=verdict.usual)
            .measured("carried-today", today, "By/d", ..)
            .measured("long-share", seen.long_share(), "1", ..=self.state.habit.long_share())
            .measured("query-size", seen.query_size(), "By", ..=query::ORDINARY as f64)
            .measured("answer-size", seen.answer_size(), "By", ..=LARGE_ANSWER)
            .measured("queries", seen.queries as f64, "1", ..)
            .examples(seen.examples.iter().copied());
        match server {
            Some(server) => draft.peer(server).peer_port(seen.port),
            None => draft.cause_key("many-servers"),
        }
        .summary(format_args!(
            "{} queries of {:.0} bytes on average to {place}, {:.0} % of them long; beyond ordinary names they carried \
             {:.0} kB, {:.0} kB in the busiest hour, usual is {:.1} kB",
            seen.queries,
            seen.query_size(),
            seen.long_share() * 100.0,
            seen.carried as f64 / 1e3,
            seen.busiest_hour() as f64 / 1e3,
            verdict.usual / 1e3,
        ));
    }

    fn judge(&self, seen: &Seen, looks: f64) -> Option<Verdict> {
        let habit = &self.state.habit;
        let (hour, usual) = habit.of_hour(seen.busiest_hour() as f64, self.is_learned());
        let (carried, amount) = match self.is_of_day(seen) {
            true => (habit.today() as f64, hour.max(self.bits_of_day())),
            // What others carried, or what was earlier, is not laid to it.
            false => (seen.carried as f64, hour),
        };
        self.verdict(seen, carried, amount, looks, usual)
    }

    /// Judges the name servers outside as one, by the day: hours are learned of each.
    fn judge_together(&self, seen: &Seen) -> Option<Verdict> {
        let (_, usual) = self.state.habit.of_hour(0.0, self.is_learned());
        let today = self.state.habit.today() as f64;
        self.is_of_day(seen).then(|| self.verdict(seen, today, self.bits_of_day(), 1.0, usual))?
    }

    /// Whether a good part of what the day has carried so far is in it.
    fn is_of_day(&self, seen: &Seen) -> bool {
        seen.carried as f64 * PART_OF_DAY >= self.state.habit.today() as f64
    }

    fn bits_of_day(&self) -> f64 {
        if self.is_learned() { self.state.habit.of_day() } else { 0.0 }
    }

    /// What is made of so many carried bytes, whose amount has so many bits.
    fn verdict(&self, seen: &Seen, carried: f64, amount: f64, looks: f64, usual: f64) -> Option<Verdict> {
        if carried < self.parameters.least_bytes {
            return None;
        }
        let (habit, is_learned) = (&self.state.habit, self.is_learned());
        let shape = surprise::of_share(seen.long as f64, seen.queries as f64, habit.long_share());
        let bits = amount + (shape / REPEATED).min(MOST_OF_SHAPE) - math::log2(looks);
        if amount < 6.0 || shape < 15.0 || bits < 14.0 {
            return None;
        }
        let is_strange = seen.answer_size() >= LARGE_ANSWER
            || seen.query_size() > LONGEST
            || seen.long_share() >= NEARLY_ALL
            || (seen.is_external && !seen.is_declared && seen.prevalence < self.parameters.shared_by);
        let varies = seen.varies();
        let severity = match carried {
            _ if !is_learned || !varies => Severity::Low,
            1e6.. if bits >= 40.0 => Severity::High,
            1e5.. if amount >= 20.0 || is_strange => Severity::Medium,
            _ => Severity::Low,
        };
        let confidence = if is_learned { 0.85 } else { 0.5 } * if varies { 1.0 } else { 0.6 };
        Some(Verdict { bits, severity, confidence, usual })
    }
}
