//! Mutated components: none brings the host down, whether it is refused or runs.

mod code;
mod layout;
pub(crate) mod run;
mod seeds;
mod smith;

use std::{ops::Range, time::Duration};

use rand::Rng;
use wardflow::{
    limits::Limits,
    sandbox::{Compiler, Sandbox, inspect},
};

use self::seeds::Seeds;
use crate::{
    Result,
    batch::{self, Campaign, Tally},
    bytes, chance, child,
    figure::{Figure, Verdict},
    means::Means,
};

/// The name on the command line.
pub const NAME: &str = "components";

/// So much CPU time has a call, so that one that spins costs little.
const DEADLINE: Duration = Duration::from_millis(20);

/// Has children try so many.
///
/// # Errors
/// See [`batch::run`].
pub fn campaign(means: &Means, count: u64) -> Result<Tally> {
    batch::run(means, Campaign { arguments: &[NAME], name: NAME, count, programs: None })
}

/// The line of the table.
///
/// # Errors
/// See [`campaign`].
pub fn figure(means: &Means, count: u64) -> Result<Figure> {
    let tally = campaign(means, count)?;
    let what = format!("{count} mutated components");
    let measured = if tally.failures.is_empty() { "0".to_owned() } else { format!("{} of them", tally.failures.len()) };
    let notes = [format!("what became of them: {}", tally.outcomes())];
    Ok(Figure::new(what, "0 host panics, aborts, hangs", measured, Verdict::of(tally.failures.is_empty()))
        .noting(notes)
        .noting(tally.failures))
}

/// What a child does.
///
/// # Errors
/// The plugins cannot be read, or nobody listens.
pub fn run(means: &Means, cases: Range<u64>) -> Result<()> {
    let millis = u64::try_from(DEADLINE.as_millis())?;
    let limits = Limits {
        instantiate_ms: millis,
        open_ms: millis,
        observe_ms: millis,
        end_slice_ms: millis,
        ..Limits::default()
    };
    let sandbox = Sandbox::new(limits.clone(), Compiler::here())?;
    let seeds = Seeds::read(&means.plugins)?;
    child::run(cases, |index| {
        let component = mutant(&seeds, means.seed, index)?;
        Ok(reached(&sandbox, &limits, &component))
    })
}

/// A component of this index.
///
/// # Errors
/// None that is known.
pub fn mutant(seeds: &Seeds, seed: u64, index: u64) -> Result<Vec<u8>> {
    let mut chance = chance::of(seed, index);
    // Compiling a whole plugin takes a hundred times as long as refusing it, so what reaches the compiler is mostly small.
    let (kind, is_small) = (chance.random_range(0..100), chance.random_ratio(9, 10));
    let seed = if is_small { seeds.small(&mut chance) } else { seeds.real(&mut chance) };
    let other = seeds.any(&mut chance).to_vec();
    let mut component = seed.to_vec();
    match kind {
        0..15 => bytes::damage(&mut component, &other, &mut chance),
        15..30 => layout::change(&mut component, &other, &mut chance),
        30..60 => code::edit(&mut component, &mut chance),
        60..65 => seeds::change_manifest(&mut component, &mut chance)?,
        65..75 => component = smith::component(&mut chance)?,
        75..90 => smith::add_module(&mut component, &mut chance)?,
        // Several kinds in one: what looks right to one check may be wrong for the next.
        _ => {
            code::edit(&mut component, &mut chance);
            layout::change(&mut component, &other, &mut chance);
            bytes::damage(&mut component, &other, &mut chance);
        }
    }
    Ok(component)
}

/// How far a component came.
fn reached(sandbox: &Sandbox, limits: &Limits, component: &[u8]) -> String {
    if inspect(component, limits).is_err() {
        return "refused by inspection".to_owned();
    }
    match sandbox.load(component) {
        Err(error) => {
            let reason = error.to_string();
            let stage = if reason.starts_with("it cannot be compiled") {
                "refused by the compiler"
            } else if reason.starts_with("it does not keep the contract") {
                "refused when linked"
            } else {
                "refused for its manifest"
            };
            stage.to_owned()
        }
        Ok(plugin) => match run::run(&plugin) {
            Ok(()) => "ran to the end".to_owned(),
            Err(fault) => format!("faulted in {}", fault.call),
        },
    }
}
