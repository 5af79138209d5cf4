//! A figure: what is to be reached, and what was.

use serde::Serialize;

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was done, and how often.
    pub what: String,
    /// What is to be reached.
    pub goal: String,
    /// What was.
    pub measured: String,
    /// Whether that is the goal.
    pub verdict: Verdict,
    /// What a reader should know beside the table: cases to repeat, and what lies behind the number.
    pub notes: Vec<String>,
}

/// Whether a goal was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was.
    Ok,
    /// It was not.
    Missed,
    /// Nobody knows: something that is needed is not here.
    NotMeasured,
}

impl Verdict {
    /// By a condition.
    pub const fn of(is_reached: bool) -> Self {
        if is_reached { Self::Ok } else { Self::Missed }
    }

    /// The word in the table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missed => "missed",
            Self::NotMeasured => "not measured",
        }
    }
}

impl Figure {
    /// A figure without notes.
    pub fn new(what: impl Into<String>, goal: &str, measured: impl Into<String>, verdict: Verdict) -> Self {
        Self { what: what.into(), goal: goal.to_owned(), measured: measured.into(), verdict, notes: Vec::new() }
    }

    /// One that could not be measured, and why.
    pub fn not_measured(what: impl Into<String>, goal: &str, why: &str) -> Self {
        Self::new(what, goal, format!("not measured: {why}"), Verdict::NotMeasured)
    }

    /// The same with notes.
    #[must_use]
    pub fn noting(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }
}

/// The figures as a Markdown table, with what it was measured on in a line below.
pub fn markdown(figures: &[Figure], circumstances: &str) -> String {
    let mut table = "| what was tried | goal | measured | |\n|---|---|---|---|\n".to_owned();
    for Figure { what, goal, measured, verdict, .. } in figures {
        let cell = |text: &str| text.replace('|', "\\|");
        let cells = [cell(what), cell(goal), cell(measured), verdict.word().to_owned()];
        table += &format!("| {} |\n", cells.join(" | "));
    }
    format!("{table}\n{circumstances}\n")
}
