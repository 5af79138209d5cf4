//! What came of the rounds.

use std::path::Path;

use crate::{Result, rounds::Results};

pub(crate) fn write(results: &Results, flows: u64, _: &Path) -> Result<()> {
    for ((arm, layout, threads), rounds) in results {
        let mut seconds: Vec<f64> = rounds.iter().map(|round| round.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        let median = seconds[seconds.len() / 2];
        println!(
            "{:14} {:9} {threads} {median:8.2} s ({:.2}-{:.2}) {:8.2} Mflows/s",
            arm.name(),
            layout.directory(),
            seconds[0],
            seconds[seconds.len() - 1],
            flows as f64 / median / 1e6
        );
    }
    Ok(())
}
