//! A plan: who has which habits, and at what pace, so that about as many flows come out as were asked for.

use crate::{
    Options, behaviour,
    cadence::Pace,
    calendar::HOUR_US,
    draw::mix,
    habit::Habit,
    incident::{self, Played},
    oddity,
    site::{Party, Site},
};

/// The share of a target that incidents may take up.
const INCIDENTS_AT_MOST: f64 = 0.2;
/// The share of a target that what has fixed hours may take up.
const SCHEDULED_AT_MOST: f64 = 0.1;
/// The share of a target that is left to what has no fixed hours, come what may.
const FREE_AT_LEAST: f64 = 0.1;
/// The flows that a window may hold, which bounds memory.
const WINDOW_FLOWS: f64 = 100_000.0;
/// The most parts that an hour is cut into.
const PARTS_AT_MOST: i64 = 64;

/// What will be done, and how often.
#[derive(Debug)]
pub(crate) struct Plan {
    /// By device.
    pub(crate) habits: Vec<Vec<Habit>>,
    pub(crate) pace: Pace,
    pub(crate) window_us: i64,
    pub(crate) played: Played,
    /// The flows to expect.
    pub(crate) expected: f64,
}

impl Plan {
    pub(crate) fn new(site: &Site, options: &Options) -> Self {
        let mut habits = behaviour::habits(site);
        oddity::habits(site, options, &mut habits);
        let mut played = incident::play(site, options, 1.0);
        let mut pace = Pace { rate: 1.0, kept: 1.0 };
        let mut scheduled = expected(site, &habits, 1.0, true);
        let free = expected(site, &habits, 1.0, false);
        if let Some(target) = options.flows.map(|flows| flows as f64) {
            let intensity = INCIDENTS_AT_MOST * target / played.flows.len() as f64;
            if intensity < 1.0 {
                played = incident::play(site, options, intensity);
            }
            pace.kept = (SCHEDULED_AT_MOST * target / scheduled).min(1.0);
            scheduled = expected(site, &habits, pace.kept, true);
            let left = target - played.flows.len() as f64 - scheduled;
            pace.rate = left.max(FREE_AT_LEAST * target) / free;
        }
        let expected = played.flows.len() as f64 + scheduled + free * pace.rate;
        Self { window_us: window_us(expected, site), habits, pace, played, expected }
    }
}

/// The number of a habit of a device, which no other habit has.
pub(crate) fn key(site: &Site, device: usize, number: usize) -> u64 {
    mix(site.seed ^ mix(((device as u64) << 32) | number as u64))
}

/// The flows to expect of habits that keep fixed hours, or of the others at natural pace.
fn expected(site: &Site, habits: &[Vec<Habit>], kept: f64, scheduled: bool) -> f64 {
    let of_device = |(device, own): (usize, &Vec<Habit>)| {
        let chosen = own.iter().enumerate().filter(|(_, habit)| habit.when.is_scheduled() == scheduled);
        let flows = |(number, habit): (usize, &Habit)| {
            habit.expected(key(site, device, number), &site.calendar, kept) * presence(site, habit.from)
        };
        chosen.map(flows).sum::<f64>()
    };
    habits.iter().enumerate().map(of_device).sum()
}

/// The share of the span in which a party is there.
fn presence(site: &Site, party: Party) -> f64 {
    let (Party::Device(device) | Party::Booting(device)) = party else {
        return 1.0;
    };
    let away_us: i64 = site.away(device).iter().map(|(from_us, to_us)| to_us - from_us).sum();
    1.0 - away_us as f64 / site.calendar.length_us() as f64
}

/// The longest part of an hour, by halving, that does not hold too many flows.
fn window_us(expected: f64, site: &Site) -> i64 {
    let hourly = expected * HOUR_US as f64 / site.calendar.length_us() as f64;
    let mut parts = 1;
    while parts < PARTS_AT_MOST && hourly / parts as f64 > WINDOW_FLOWS {
        parts *= 2;
    }
    HOUR_US / parts
}
