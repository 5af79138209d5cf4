//! How many flows and packets each minute of a slice had, of one service.

use std::collections::BTreeMap;

/// Minutes in which flows that are reported now may have started.
const OPEN: usize = 8;

/// Counts by the minute of the start, from flows that come in order of their end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Minutes {
    /// Of the minutes that may still get flows, at `minute % OPEN`.
    open: [Count; OPEN],
    /// The latest minute that was seen.
    latest: Option<i64>,
    /// Minutes of a flow or more by how many they had, in steps of [`STEP`].
    busy: BTreeMap<u32, Busy>,
    most_flows: u32,
    /// As `busy`, by the weight of packets in steps of [`PACKETS`].
    loud: BTreeMap<u32, Busy>,
    loudest: Packets,
    /// The most certain weight of a minute.
    certain: f64,
    /// The busiest minute of each hour, in hours since 1970, and the weight of packets of the loudest.
    hours: BTreeMap<i64, (u32, f64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    flows: u32,
    /// The latest minute that one of them ended in.
    last: i64,
    packets: Packets,
}

/// Packets that nobody answered, a minute.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Packets {
    pub(crate) count: f64,
    /// What they count.
    pub(crate) weight: f64,
    /// What those of them count of which it is certain that nobody answered.
    pub(crate) certain: f64,
}

/// Minutes that are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Busy {
    pub(crate) minutes: usize,
    pub(crate) flows: u64,
    /// The first of them, and the last that a flow of them ended in, in minutes since 1970.
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// Flows a minute that are told apart.
const STEP: u32 = 4;
/// Weights a minute that are told apart.
const PACKETS: f64 = 1_000.0;

impl Minutes {
    /// Adds a flow by the minutes of its start and end. Returns how many flows, and what weight of packets, that minute has
    /// by now.
    pub(crate) fn add(&mut self, start: i64, end: i64, packets: Packets) -> (u32, f64) {
        let latest = self.latest.map_or(end, |latest| latest.max(end));
        if let Some(before) = self.latest {
            (before - OPEN as i64 + 1..=before.min(latest - OPEN as i64)).for_each(|minute| self.close(minute));
        }
        self.latest = Some(latest);
        let is_open = latest - start < OPEN as i64;
        // Of a long connection the packets still count, as those of a minute like any other of it.
        let minute = if is_open { start } else { latest };
        let count = &mut self.open[slot(minute)];
        count.flows += u32::from(is_open);
        count.last = latest;
        count.packets.add(packets);
        (count.flows, count.packets.weight)
    }

    /// Counts what is still open.
    pub(crate) fn finish(&mut self) {
        if let Some(latest) = self.latest.take() {
            (latest - OPEN as i64 + 1..=latest).for_each(|minute| self.close(minute));
        }
    }

    fn close(&mut self, minute: i64) {
        let Count { flows, last, packets } = std::mem::take(&mut self.open[slot(minute)]);
        if flows == 0 && packets.count == 0.0 {
            return;
        }
        self.most_flows = self.most_flows.max(flows);
        self.busy.entry(flows / STEP).or_default().add(minute, last, flows);
        if packets.weight > self.loudest.weight {
            self.loudest = packets;
        }
        self.certain = self.certain.max(packets.certain);
        if packets.weight >= PACKETS {
            self.loud.entry((packets.weight / PACKETS) as u32).or_default().add(minute, last, flows);
        }
        let (most, loudest) = self.hours.entry(minute.div_euclid(60)).or_default();
        (*most, *loudest) = (flows.max(*most), packets.weight.max(*loudest));
    }

    pub(crate) fn most_flows(&self) -> u32 {
        self.most_flows
    }

    /// The packets of the minute whose weigh most.
    pub(crate) fn loudest(&self) -> Packets {
        self.loudest
    }

    /// The most weight of a minute of which it is certain that nobody answered.
    pub(crate) fn most_certain(&self) -> f64 {
        self.certain
    }

    /// The minutes that had so many flows or more.
    pub(crate) fn with_flows(&self, least: f64) -> Busy {
        together(&self.busy, (least / f64::from(STEP)) as u32)
    }

    /// The minutes whose packets weigh so much or more.
    pub(crate) fn with_packets(&self, least: f64) -> Busy {
        together(&self.loud, (least / PACKETS) as u32)
    }

    /// Hours with flows, the flows of the busiest minute of each, and the weight of the packets of the loudest.
    pub(crate) fn hours(&self) -> impl Iterator<Item = (i64, u32, f64)> {
        self.hours.iter().map(|(hour, (flows, packets))| (*hour, *flows, *packets))
    }
}

impl Packets {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.weight += other.weight;
        self.certain += other.certain;
    }

    /// What a packet counts, on average.
    pub(crate) fn average(self) -> f64 {
        if self.count > 0.0 { self.weight / self.count } else { 1.0 }
    }
}

impl Busy {
    fn add(&mut self, minute: i64, last: i64, flows: u32) {
        self.merge(Self { minutes: 1, flows: flows.into(), first: minute, last });
    }

    fn merge(&mut self, other: Self) {
        self.first = if self.minutes == 0 { other.first } else { self.first.min(other.first) };
        self.last = if self.minutes == 0 { other.last } else { self.last.max(other.last) };
        self.minutes += other.minutes;
        self.flows += other.flows;
    }
}

fn together(minutes: &BTreeMap<u32, Busy>, least: u32) -> Busy {
    let mut all = Busy::default();
    minutes.range(least..).for_each(|(_, busy)| all.merge(*busy));
    all
}

fn slot(minute: i64) -> usize {
    minute.rem_euclid(OPEN as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::{Busy, Minutes, Packets};

    #[test]
    fn flows_count_in_the_minute_of_their_start() {
        let mut minutes = Minutes::default();
        for (start, end) in [(10, 10), (10, 11), (9, 11), (10, 12), (3, 12), (70, 70), (69, 70), (70, 71)] {
            let certain = if start == 70 { 600.0 } else { 0.0 };
            minutes.add(start, end, Packets { count: 300.0, weight: 600.0, certain });
        }
        minutes.finish();
        assert_eq!(minutes.most_flows(), 3);
        let loudest = minutes.loudest();
        assert!((loudest.weight - 1_800.0).abs() < 1e-9 && (loudest.average() - 2.0).abs() < 1e-9, "{minutes:?}");
        assert!((minutes.most_certain() - 1_200.0).abs() < 1e-9, "{minutes:?}");
        assert_eq!(minutes.hours().map(|(hour, flows, _)| (hour, flows)).collect::<Vec<_>>(), [(0, 3), (1, 2)]);
        assert_eq!((minutes.with_packets(1_000.0).minutes, minutes.with_flows(4.0)), (2, Busy::default()));
        assert_eq!(minutes.with_flows(0.0), Busy { minutes: 5, flows: 7, first: 9, last: 71 });
    }
}
