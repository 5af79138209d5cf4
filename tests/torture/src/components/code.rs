//! Instructions and their operands, changed so that the length of the code stays what it was.

use std::ops::{Range, RangeInclusive};

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use wasmparser::{BinaryReader, FunctionBody};

use crate::sections::bodies;

/// Instructions that take and give the same: comparisons and arithmetic of one type, loads, stores.
const ALIKE: [RangeInclusive<u8>; 16] = [
    0x28..=0x28,
    0x2c..=0x2f,
    0x30..=0x35,
    0x36..=0x36,
    0x3a..=0x3b,
    0x3c..=0x3e,
    0x46..=0x4f,
    0x51..=0x5a,
    0x5b..=0x60,
    0x61..=0x66,
    0x67..=0x69,
    0x6a..=0x78,
    0x79..=0x7b,
    0x7c..=0x8a,
    0x92..=0x98,
    0xa0..=0xa6,
];

/// Numbers: a wrong one is still one.
const NUMBERS: RangeInclusive<u8> = 0x41..=0x44;

/// Changes one to three instructions, mostly so that the code stays valid and does something else.
pub(super) fn edit(component: &mut [u8], chance: &mut ChaCha8Rng) {
    let bodies = bodies(component);
    let is_valid = chance.random_ratio(4, 5);
    for _ in 0..chance.random_range(1..=3) {
        let Some(body) = bodies.choose(chance) else { return };
        let instructions = instructions(component, body.clone());
        if is_valid {
            otherwise(component, &instructions, chance);
        } else {
            anyhow(component, &instructions, chance);
        }
    }
}

/// Changes an instruction to one that takes and gives the same.
fn otherwise(component: &mut [u8], instructions: &[Range<usize>], chance: &mut ChaCha8Rng) {
    let code = |instruction: &&Range<usize>| component[instruction.start];
    let alike = |code: u8| ALIKE.iter().find(|range| range.contains(&code));
    let open = instructions.iter().filter(|one| NUMBERS.contains(&code(one)) || alike(code(one)).is_some());
    let Some(instruction) = open.collect::<Vec<_>>().choose(chance).map(|one| (*one).clone()) else { return };
    match alike(component[instruction.start]) {
        // Of a load or a store, the offset is changed as often as the width.
        Some(range) if instruction.len() == 1 || chance.random() => {
            component[instruction.start] = chance.random_range(range.clone());
        }
        _ => numbers(component, instruction.end - 1..instruction.end, chance),
    }
    if NUMBERS.contains(&component[instruction.start]) {
        numbers(component, instruction.start + 1..instruction.end, chance);
    }
}

/// Changes an instruction, whatever comes of it.
fn anyhow(component: &mut [u8], instructions: &[Range<usize>], chance: &mut ChaCha8Rng) {
    let Some(instruction) = instructions.choose(chance).cloned() else { return };
    let operands = instruction.start + 1..instruction.end;
    match chance.random_range(0..8) {
        0 => component[instruction.start] = chance.random(),
        1 => component[instruction.start] ^= chance.random_range(1..4),
        2 => copy(component, instruction, instructions, chance),
        _ if operands.is_empty() => component[instruction.start] = chance.random_range(0x45..0xc5),
        _ => numbers(component, operands, chance),
    }
}

/// A number goes on where the highest bit is set, so that stays.
fn numbers(component: &mut [u8], at: Range<usize>, chance: &mut ChaCha8Rng) {
    at.for_each(|at| component[at] = component[at] & 0x80 | chance.random_range(0..0x80));
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
