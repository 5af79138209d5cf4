//! The stream of flows: window by window, in the order of an archive, in bounded memory.

use crate::{
    Flow,
    cadence::Window,
    draw::Draw,
    plan::{self, Plan},
    site::Site,
    tap::Tap,
};

/// All flows of a hospital, ordered by [`Flow::archive_order`].
///
/// Holds the flows of one window of at most an hour, and those that began earlier and have not yet ended.
#[derive(Debug)]
pub struct Flows<'a> {
    site: &'a Site,
    plan: &'a Plan,
    /// Latest end first. Those that end before `horizon_us` are complete: nothing yet to come ends before them.
    pending: Vec<Flow>,
    horizon_us: i64,
    window: u64,
    /// How many of the incidents' flows, latest start first, are still to come.
    incidents_left: usize,
}

impl<'a> Flows<'a> {
    pub(crate) fn new(site: &'a Site, plan: &'a Plan) -> Self {
        Self {
            site,
            plan,
            pending: Vec::new(),
            horizon_us: site.calendar.start_us,
            window: 0,
            incidents_left: plan.played.flows.len(),
        }
    }

    /// Adds the flows that begin in the next window.
    fn advance(&mut self) {
        let from_us = self.horizon_us;
        let to_us = from_us + self.plan.window_us;
        let window = Window { from_us, to_us, hour: self.site.calendar.hour_at(from_us) };
        for (device, habits) in self.plan.habits.iter().enumerate() {
            let mut draw = Draw::new(self.site.seed, device as u64, self.window);
            let mut tap = Tap::new(self.site, &mut self.pending, device as u64, self.window);
            for (number, habit) in habits.iter().enumerate() {
                let key = plan::key(self.site, device, number);
                habit.act(key, &window, self.plan.pace, &self.site.calendar, &mut draw, &mut tap);
            }
        }
        let incidents = &self.plan.played.flows[..self.incidents_left];
        let begin = |flow: &&Flow| flow.start_us < to_us;
        self.pending.extend(incidents.iter().rev().take_while(begin).cloned());
        self.incidents_left -= incidents.iter().rev().take_while(begin).count();
        self.pending.sort_unstable_by(|a, b| b.archive_order(a));
        self.window += 1;
        self.horizon_us = to_us;
    }
}

impl Iterator for Flows<'_> {
    type Item = Flow;

    fn next(&mut self) -> Option<Flow> {
        loop {
            let over = self.horizon_us >= self.site.calendar.end_us;
            if self.pending.last().is_some_and(|flow| over || flow.end_us < self.horizon_us) {
                return self.pending.pop();
            }
            if over {
                return None;
            }
            self.advance();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Hospital, Options};

    #[test]
    fn memory_is_bounded_however_many_flows_there_are() {
        let options = Options { days: 1, flows: Some(4_000_000), ..Options::default() };
        let hospital = Hospital::new(options).unwrap();
        let mut flows = hospital.flows();
        let mut most = 0;
        while flows.next().is_some() {
            most = most.max(flows.pending.len());
        }
        assert!(most < 250_000, "{most} flows were held at once");
    }
}
