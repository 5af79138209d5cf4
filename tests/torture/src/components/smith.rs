//! Modules and components that wasm-smith makes up.

use arbitrary::Unstructured;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use wasm_encoder::{ComponentSection, Encode, InstanceSection, ModuleArg};
use wasm_smith::{Component, Config, Module};
use wasmparser::{Parser, Payload};

use crate::{Result, guest};

/// Bytes that choices are made from.
const CHOICES: usize = 4_096;

/// The number of a section that is a module.
const MODULE: u8 = 1;

/// A component of any shape, with a manifest, so that it is looked at beyond that.
pub(super) fn component(chance: &mut ChaCha8Rng) -> Result<Vec<u8>> {
    let choices = choices(chance);
    let mut component = Component::new(config(chance), &mut Unstructured::new(&choices))?.to_bytes();
    guest::append_manifest(&mut component, &guest::manifest()?)?;
    Ok(component)
}

/// Adds a module without imports to a plugin, and an instance of it, so that it is compiled and its start function runs.
pub(super) fn add_module(component: &mut Vec<u8>, chance: &mut ChaCha8Rng) -> Result<()> {
    let choices = choices(chance);
    let module = Module::new(Config { max_imports: 0, ..config(chance) }, &mut Unstructured::new(&choices))?;
    let number = modules(component);
    component.push(MODULE);
    module.to_bytes().as_slice().encode(component);
    let mut instances = InstanceSection::new();
    let nothing: [(&str, ModuleArg); 0] = [];
    instances.instantiate(number, nothing);
    instances.append_to_component(component);
    Ok(())
}

/// Modules at the top of a component.
fn modules(component: &[u8]) -> u32 {
    let mut depth = 0_u32;
    let mut modules = 0;
    for payload in Parser::new(0).parse_all(component).map_while(std::result::Result::ok) {
        match payload {
            Payload::ModuleSection { .. } if depth == 1 => modules += 1,
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    modules
}

/// What the engine speaks; now and then one of the proposals that it does not.
fn config(chance: &mut ChaCha8Rng) -> Config {
    let mut config = Config {
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        // With references to what is not a function they come with garbage collection.
        reference_types_enabled: chance.random_ratio(1, 5),
        relaxed_simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        max_memory32_bytes: 1 << 20,
        max_table_elements: 10_000,
        max_imports: 10,
        ..Config::default()
    };
    match chance.random_range(0..40) {
        0 => config.exceptions_enabled = true,
        1 => config.gc_enabled = true,
        2 => config.memory64_enabled = true,
        3 => config.relaxed_simd_enabled = true,
        4 => config.tail_call_enabled = true,
        5 => config.threads_enabled = true,
        6 => config.allow_invalid_funcs = true,
        _ => {}
    }
    config
}

fn choices(chance: &mut ChaCha8Rng) -> Vec<u8> {
    let mut choices = vec![0; chance.random_range(64..CHOICES)];
    chance.fill(choices.as_mut_slice());
    choices
}
