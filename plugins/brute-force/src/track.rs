//! One peer at one service: its connections, and what is usual of them.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{DAY, Flows, HOUR};

use crate::{
    login::Login,
    run::{PATIENCE, Run},
    seen::Seen,
};

/// Days with tries before they are the pair's habit: what began yesterday is none yet.
const HABIT_DAYS: u16 = 2;
/// Days that the habit remembers.
const MEMORY: u16 = 14;

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
        self.seen.get_or_insert_with(|| Seen::new(&login)).add(flows, row);
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
        self.run.take_try(login.start, login.bytes);
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
        if run.tries == 1 && login.start == run.first {
            // Its own first piece was small.
            self.was_tried = self.was_opened;
        } else if run.tries > 0 && !run.is_over(login.start) {
            self.was_opened = true;
        }
        run.take_session(login.start, login.bytes);
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
