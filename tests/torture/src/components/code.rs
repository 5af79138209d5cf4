//! Instructions and their operands, changed so that the length of the code stays what it was.

use std::ops::Range;

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use wasmparser::{BinaryReader, FunctionBody};

use crate::sections::bodies;

/// Changes one to three instructions.
pub(super) fn edit(component: &mut [u8], chance: &mut ChaCha8Rng) {
    let bodies = bodies(component);
    for _ in 0..chance.random_range(1..=3) {
        let Some(body) = bodies.choose(chance) else { return };
        let instructions = instructions(component, body.clone());
        let Some(instruction) = instructions.choose(chance).cloned() else { continue };
        let operands = instruction.start + 1..instruction.end;
        match chance.random_range(0..8) {
            0 => component[instruction.start] = chance.random(),
            // One of the same kind: comparisons and arithmetic lie side by side.
            1 => component[instruction.start] ^= chance.random_range(1..4),
            2 => copy(component, instruction, &instructions, chance),
            _ if operands.is_empty() => component[instruction.start] = chance.random_range(0x45..0xc5),
            // A number goes on where the highest bit is set, so that stays.
            _ => operands.for_each(|at| component[at] = component[at] & 0x80 | chance.random_range(0..0x80)),
        }
    }
}

/// Puts another instruction of the function, of the same length, in place of one.
fn copy(component: &mut [u8], instruction: Range<usize>, others: &[Range<usize>], chance: &mut ChaCha8Rng) {
    let alike: Vec<_> = others.iter().filter(|other| other.len() == instruction.len()).collect();
    if let Some(other) = alike.choose(chance) {
        component.copy_within((*other).clone(), instruction.start);
    }
}

/// Where each instruction of a function lies.
fn instructions(component: &[u8], body: Range<usize>) -> Vec<Range<usize>> {
    let function = FunctionBody::new(BinaryReader::new(&component[body.clone()], body.start));
    let Ok(operators) = function.get_operators_reader() else { return Vec::new() };
    let read = operators.into_iter_with_offsets().map_while(std::result::Result::ok);
    let starts: Vec<_> = read.map(|(_, start)| start).chain([body.end]).collect();
    starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}
