//! One peer at one service: tries in a row, and what is usual.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{DAY, Flows, HOUR, SECOND, math};

use crate::login::Login;

/// Tries further apart than this are not of one run, nor is a session later than this its success.
const PATIENCE: i64 = HOUR;
/// Days with tries before they are the pair's habit: what began yesterday is none yet.
const HABIT_DAYS: u16 = 2;
/// Days that the habit remembers.
const MEMORY: u16 = 14;
/// Tries after a session that show that short connections are simply what the pair does; save after so many in a row,
/// which no work is, or so soon, as those that guess in parallel have tries on the way when one succeeds.
const AFTERWARDS: usize = 3;
const COUNTLESS: u32 = 100;
const ON_THE_WAY: i64 = 60 * SECOND;
/// Flows that are kept as examples.
const EXAMPLES: usize = 8;

/// What is remembered of a peer at a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Track {
    /// The initiator's port of the last connection, and what it had so far.
    port: u16,
    start: i64,
    end: i64,
    bytes: u64,
    pub(crate) run: Run,
    /// The day that is going on, in days since 1970, its tries, and the last hour that had some.
    day: i64,
    pub(crate) tries: u32,
    hours: u32,
    hour: i64,
    /// Days with tries before, and tries in each hour that had some.
    days: u16,
    hourly: f32,
    /// Days with sessions, and the last of them.
    pub(crate) session_days: u16,
    session_day: i64,
    /// Whether there ever was a try, and whether a session came soon after one.
    pub(crate) was_tried: bool,
    pub(crate) was_opened: bool,
    /// Whether it was reported today.
    pub(crate) is_reported: bool,
    /// What this slice shows of it.
    #[serde(skip)]
    pub(crate) seen: Option<Seen>,
}

/// Tries in a row, without a session between them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) tries: u32,
    pub(crate) first: i64,
    /// Starts of the latest tries, in order; zero for none.
    latest: [i64; AFTERWARDS],
    size: Spread,
    interval: Spread,
    /// Payload of the session that followed, in bytes, and its start; zero for none.
    pub(crate) success: u64,
    opened: i64,
}

/// Mean and variance (Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products", Technometrics
/// 4, 1962).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Spread {
    values: u32,
    mean: f32,
    squares: f32,
}

/// What one slice shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) flows: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) examples: Vec<u32>,
}

impl Track {
    pub(crate) fn new(login: &Login) -> Self {
        Self {
            port: 0,
            start: login.start,
            end: login.end,
            bytes: 0,
            run: Run::default(),
            day: login.end.div_euclid(DAY),
            tries: 0,
            hours: 0,
            hour: 0,
            days: 0,
            hourly: 0.0,
            session_days: 0,
            session_day: 0,
            was_tried: false,
            was_opened: false,
            is_reported: false,
            seen: None,
        }
    }

    /// Takes the next connection. Returns the tries of each hour with tries of a day that is over, unless they were
    /// reported.
    pub(crate) fn add(&mut self, flows: &Flows<'_>, row: usize, login: Login) -> Option<f64> {
        let ended = self.end_day(login.end.div_euclid(DAY));
        let mut login = login;
        let goes_on = self.goes_on(&login);
        if goes_on {
            (login.start, login.bytes) = (self.start.min(login.start), self.bytes.saturating_add(login.bytes));
        }
        (self.port, self.start, self.end, self.bytes) = (login.port, login.start, login.end, login.bytes);
        if login.is_session() {
            self.take_session(&login);
        } else if login.is_try() && !goes_on {
            self.take_try(&login);
        }
        let seen = self.seen.get_or_insert_with(|| Seen { first: login.start, ..Seen::default() });
        seen.flows += 1;
        (seen.first, seen.last) = (seen.first.min(flows.start_time()[row]), flows.end_time()[row]);
        // The first ones, and the last.
        seen.examples.truncate(EXAMPLES - 1);
        seen.examples.push(flows.position(row));
        ended
    }

    /// Whether it is a piece of the connection before: on the same port, and begun while that lasted or, as pieces are,
    /// without a handshake. A port that begins with a handshake is in use again.
    fn goes_on(&self, login: &Login) -> bool {
        let most = if login.is_midstream { PATIENCE } else { 0 };
        login.port == self.port && login.start - self.end <= most
    }

    fn take_try(&mut self, login: &Login) {
        let hour = login.end.div_euclid(HOUR);
        self.was_tried = true;
        self.tries = self.tries.saturating_add(1);
        if self.hours == 0 || hour != self.hour {
            (self.hours, self.hour) = (self.hours + 1, hour);
        }
        let run = &mut self.run;
        let interval = login.start - run.last();
        if interval > PATIENCE {
            *run = Run::default();
        }
        run.come(login.start);
        if run.success > 0 && run.has_gone_on_after(run.opened) {
            run.take_back_success();
        }
        if run.success > 0 {
            return;
        }
        if run.tries == 0 {
            run.first = login.start;
        } else {
            run.interval.add(interval.max(0) as f64 / SECOND as f64);
        }
        run.tries = run.tries.saturating_add(1);
        run.size.add(math::ln(login.bytes as f64));
    }

    fn take_session(&mut self, login: &Login) {
        let day = login.end.div_euclid(DAY);
        if self.session_days == 0 || day != self.session_day {
            (self.session_days, self.session_day) = (self.session_days.saturating_add(1), day);
        }
        let run = &mut self.run;
        if run.tries > 0 && login.start < run.first {
            // Open before the first try, so that it ends nothing.
            return;
        }
        let is_over = login.start - run.last() > PATIENCE;
        if run.tries == 1 && login.start == run.first {
            // Its own first piece was small.
            self.was_tried = self.was_opened;
        } else if run.tries > 0 && !is_over {
            self.was_opened = true;
        }
        if run.tries < crate::LEAST || is_over {
            *run = Run::default();
        } else if run.has_gone_on_after(login.start) {
            run.take_back_success();
        } else {
            if run.success == 0 {
                run.opened = login.start;
            }
            run.success = run.success.max(login.bytes);
        }
    }

    fn end_day(&mut self, day: i64) -> Option<f64> {
        if day == self.day {
            return None;
        }
        self.day = day;
        let was_reported = std::mem::take(&mut self.is_reported);
        let (tries, hours) = (std::mem::take(&mut self.tries), std::mem::take(&mut self.hours));
        // What was reported is no habit, however long it goes on.
        if tries == 0 || was_reported {
            return None;
        }
        let hourly = tries as f32 / hours as f32;
        self.days = self.days.saturating_add(1);
        self.hourly += (hourly - self.hourly) / f32::from(self.days.min(MEMORY));
        Some(f64::from(hourly))
    }

    /// Tries in an hour that the pair has by habit; zero if it has none.
    pub(crate) fn usual(&self) -> f64 {
        if self.days >= HABIT_DAYS { f64::from(self.hourly) } else { 0.0 }
    }

    /// Whether the pair has sessions by habit, so that one tells nothing.
    pub(crate) const fn has_sessions(&self) -> bool {
        self.session_days > HABIT_DAYS
    }
}

impl Run {
    /// Notes the start of a try.
    fn come(&mut self, start: i64) {
        if start > self.latest[0] {
            self.latest[0] = start;
            self.latest.sort_unstable();
        }
    }

    /// Start of the last try; zero for none.
    pub(crate) const fn last(&self) -> i64 {
        self.latest[AFTERWARDS - 1]
    }

    /// Whether tries go on after a session that began then.
    const fn has_gone_on_after(&self, session: i64) -> bool {
        self.latest[0] > session + ON_THE_WAY
    }

    /// Takes the session for work, and with it the tries before, unless they are too many for that.
    fn take_back_success(&mut self) {
        match self.tries {
            ..COUNTLESS => *self = Self { latest: self.latest, ..Self::default() },
            _ => self.success = 0,
        }
    }

    /// Hours that it lasts, one at least.
    pub(crate) fn hours(&self) -> f64 {
        ((self.last() - self.first) as f64 / HOUR as f64).max(1.0)
    }

    /// Tries a minute.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.tries) / ((self.last() - self.first) as f64 / (60 * SECOND) as f64).max(1.0)
    }

    /// Standard deviation of the logarithm of payloads: 0.5 is a half more or less.
    pub(crate) fn size_deviation(&self) -> f64 {
        self.size.deviation()
    }

    /// Whether a program asks by the clock, with always the same: a check of health. Guesses differ in length.
    pub(crate) fn is_clockwork(&self) -> bool {
        let mean = f64::from(self.interval.mean);
        mean >= 20.0 && self.interval.deviation() <= 0.05 * mean && self.size.deviation() <= 0.02
    }
}

impl Spread {
    fn add(&mut self, value: f64) {
        let value = value as f32;
        self.values = self.values.saturating_add(1);
        let before = value - self.mean;
        self.mean += before / self.values as f32;
        self.squares += before * (value - self.mean);
    }

    fn deviation(&self) -> f64 {
        math::sqrt(f64::from(self.squares.max(0.0)) / f64::from(self.values.max(1)))
    }
}
