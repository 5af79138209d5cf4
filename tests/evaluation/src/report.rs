//! The figures, as a table for the README.

/// Something that was measured.
#[derive(Debug)]
pub(crate) struct Figure {
    /// On what.
    pub(crate) data: String,
    /// What, and what is wanted.
    pub(crate) goal: String,
    /// What it is.
    pub(crate) measured: String,
}

impl Figure {
    pub(crate) fn new(data: impl Into<String>, goal: impl Into<String>, measured: impl Into<String>) -> Self {
        let figure = Self { data: data.into(), goal: goal.into(), measured: measured.into() };
        eprintln!("{} | {} | {}", figure.data, figure.goal, figure.measured);
        figure
    }
}

/// A table in Markdown.
pub(crate) fn table(figures: &[Figure]) -> String {
    let rows = figures.iter().map(|Figure { data, goal, measured }| format!("| {data} | {goal} | {measured} |"));
    let head = ["| data | goal | measured |".to_owned(), "|---|---|---|".to_owned()];
    head.into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}
