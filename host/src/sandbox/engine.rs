//! The one engine: which WebAssembly is spoken, and how it is compiled and interrupted.

use std::{num::NonZeroUsize, thread, time::Duration};

use wasmparser::WasmFeatures;
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy, WasmBacktraceDetails,
};

use super::limits::{INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};
use crate::error::{Context, Result};

/// How often a running guest is interrupted to look at its deadline and at [`Stop`](crate::detector::Stop).
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Stack of a guest. A quarter of what a thread of the runtime has, so that the host's own frames always fit.
const STACK_BYTES: usize = 512 * 1024;

/// Frames kept of a trap. The first few name the culprit; deep recursion repeats itself.
const FRAMES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// Address space of a linear memory: all that 32 bits reach.
const MEMORY_BYTES: usize = 4 << 30;

/// Components that may be alive at once: one a thread that may block, of which tokio has at most 512, and some.
const COMPONENTS: u32 = 600;

/// Memory of an instance that its successor finds cleared, in bytes. For a page that it has to ask for anew, a guest waits
/// longer than the page takes to be cleared.
const RESIDENT_BYTES: usize = 4 << 20;

/// Instances of which the memory is kept so while nobody uses it.
const RESIDENT_INSTANCES: u32 = 16;

/// An engine and the thread that interrupts its guests. The thread ends with the engine.
///
/// # Errors
/// The processor lacks what the settings need, or no thread can be started.
pub(super) fn engine() -> Result<Engine> {
    let engine = start(&mut config())?;
    let ticking = engine.weak();
    let tick = move || {
        while let Some(engine) = ticking.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new()
        .name("wardflow-epoch".to_owned())
        .spawn(tick)
        .context(|| "the thread that interrupts guests cannot start".to_owned())?;
    Ok(engine)
}

/// An engine that interrupts nothing.
///
/// # Errors
/// As [`engine`].
pub(super) fn engine_without_deadlines() -> Result<Engine> {
    start(config().epoch_interruption(false))
}

/// An engine that compiles code for [`engine`], and runs none. It sets no address space aside.
///
/// # Errors
/// The processor lacks what the settings need.
pub(super) fn compiling_engine() -> Result<Engine> {
    Engine::new(config().allocation_strategy(InstanceAllocationStrategy::OnDemand)).context(starting)
}

fn starting() -> String {
    "the WebAssembly engine cannot start".to_owned()
}

/// Instances come from a pool, so that each finds the memory of the one before it, cleared. The pool takes address space
/// alone; where the system does not grant that, each instance gets memory of its own.
fn start(config: &mut Config) -> Result<Engine> {
    config.allocation_strategy(pool());
    Engine::new(config)
        .or_else(|_| Engine::new(config.allocation_strategy(InstanceAllocationStrategy::OnDemand)))
        .context(starting)
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    // What a guest may have is for `Limits` to say, with a message that names the setting: the pool always has room.
    pool.total_component_instances(COMPONENTS)
        .total_core_instances(COMPONENTS * INSTANCES as u32)
        .total_memories(COMPONENTS * MEMORIES as u32)
        .total_tables(COMPONENTS * TABLES as u32)
        .max_memory_size(MEMORY_BYTES)
        .table_elements(TABLE_ELEMENTS)
        .max_tables_per_module(TABLES as u32)
        .max_memories_per_module(MEMORIES as u32)
        .max_component_instance_size(64 << 20)
        .max_core_instance_size(64 << 20)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .max_unused_warm_slots(RESIDENT_INSTANCES);
    pool
}

/// The proposals that are spoken: what compilers emit by default for wasm32 (LLVM's `lime1` and `simd128`).
pub(super) fn spoken() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::FLOATS
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::BULK_MEMORY_OPT
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::CALL_INDIRECT_OVERLONG
        | WasmFeatures::SIMD
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::COMPONENT_MODEL
}

/// Every setting that is not wasmtime's default, and every proposal that is not [`spoken`] by name.
fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        // 2.5 × slower where floats are dense; what is not finite is refused where it leaves the guest.
        .cranelift_nan_canonicalization(false)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        .wasm_backtrace_max_frames(Some(FRAMES))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .native_unwind_info(false)
        // 4 GiB of address space and a guard: a 32-bit access needs no bounds check, and memory never moves.
        .memory_reservation(MEMORY_BYTES as u64)
        .memory_guard_size(32 << 20)
        .guard_before_linear_memory(true)
        .memory_may_move(false)
        .memory_init_cow(true)
        .shared_memory(false);
    // What no detector needs: each is code that a hostile guest could reach.
    config
        .gc_support(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_threads(false)
        .wasm_shared_everything_threads(false)
        .wasm_memory64(false)
        // For calls between the parts of a composed component, which wasmtime makes itself. Modules with several memories
        // are refused before: they are not `spoken`.
        .wasm_multi_memory(true)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .wasm_stack_switching(false)
        .concurrency_support(false)
        .wasm_component_model_gc(false)
        .wasm_component_model_map(false)
        .wasm_component_model_memory64(false)
        .wasm_component_model_fixed_length_lists(false)
        .wasm_component_model_implements(false);
    config
}

#[cfg(test)]
mod tests {
    use std::{
        hash::{DefaultHasher, Hash, Hasher},
        thread,
    };

    use wasmparser::{Validator, WasmFeatures};
    use wasmtime::{Engine, component::Component};

    use super::{TICK, compiling_engine, engine, spoken};

    #[test]
    fn these_proposals_are_spoken() {
        let engine = engine().unwrap();
        for text in [
            "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1)))",
            "(func (result i32 i32) (i32.const 0) (i32.const 1))",
            "(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))",
            "(func (result v128) (v128.const i32x4 0 0 0 0))",
            "(global i32 (i32.add (i32.const 1) (i32.const 1)))",
            "(func (result i32) (i32.extend8_s (i32.trunc_sat_f32_u (f32.const 1))))",
        ] {
            let bytes = wat::parse_str(format!("(component (core module {text}))")).unwrap();
            Validator::new_with_features(spoken()).validate_all(&bytes).unwrap();
            Component::new(&engine, &bytes).unwrap();
        }
    }

    /// A component that uses each proposal that is not spoken: it would be valid if all were, and is not without this one.
    const REFUSED: [(WasmFeatures, &str); 30] = [
        (
            WasmFeatures::RELAXED_SIMD,
            "(core module (func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))))",
        ),
        (WasmFeatures::THREADS, "(core module (memory 1 1 shared))"),
        (WasmFeatures::SHARED_EVERYTHING_THREADS, "(core module (global (shared i32) (i32.const 0)))"),
        (WasmFeatures::TAIL_CALL, "(core module (func return_call 0))"),
        (WasmFeatures::MULTI_MEMORY, "(core module (memory 1) (memory 1))"),
        (WasmFeatures::EXCEPTIONS, "(core module (tag))"),
        (WasmFeatures::LEGACY_EXCEPTIONS, "(core module (func try nop catch_all end))"),
        (WasmFeatures::MEMORY64, "(core module (memory i64 1))"),
        (WasmFeatures::MEMORY_CONTROL, "(core module (memory 1) (func (memory.discard (i32.const 0) (i32.const 0))))"),
        (
            WasmFeatures::FUNCTION_REFERENCES,
            "(core module (func (param funcref) (drop (ref.as_non_null (local.get 0)))))",
        ),
        (WasmFeatures::GC, "(core module (type (struct)))"),
        (WasmFeatures::GC_TYPES, "(core module (func (param externref)))"),
        (
            WasmFeatures::CUSTOM_DESCRIPTORS,
            "(core module (rec (type $a (descriptor $b) (struct)) (type $b (describes $a) (struct))))",
        ),
        (WasmFeatures::CUSTOM_PAGE_SIZES, "(core module (memory 1 1 (pagesize 1)))"),
        (WasmFeatures::STACK_SWITCHING, "(core module (type $f (func)) (type (cont $f)))"),
        (
            WasmFeatures::WIDE_ARITHMETIC,
            "(core module (func (param i64) (i64.mul_wide_u (local.get 0) (local.get 0)) (drop) (drop)))",
        ),
        (WasmFeatures::COMPACT_IMPORTS, r#"(core module (import "a" (item "b" (func)) (item "c" (func))))"#),
        (WasmFeatures::CM_VALUES, r#"(import "a" (value $a string)) (export "b" (value $a))"#),
        (WasmFeatures::CM_NESTED_NAMES, r#"(import "a:b:c/d" (func))"#),
        (WasmFeatures::CM_ASYNC, "(type (stream u8))"),
        (
            WasmFeatures::CM_ASYNC_STACKFUL,
            r#"(core module $m (func (export "f"))) (core instance $i (instantiate $m))
               (func async (canon lift (core func $i "f") async))"#,
        ),
        (WasmFeatures::CM_MORE_ASYNC_BUILTINS, "(core func (canon subtask.cancel async))"),
        (WasmFeatures::CM_THREADING, "(core func (canon thread.index))"),
        (WasmFeatures::CM_ERROR_CONTEXT, "(type error-context)"),
        (WasmFeatures::CM_FIXED_LENGTH_LISTS, "(type (list u8 4))"),
        (
            WasmFeatures::CM_GC,
            r#"(core type $t (func)) (import "a" (func $f))
               (core func (canon lower (func $f) gc (core-type $t)))"#,
        ),
        (WasmFeatures::CM_MAP, "(type (map string u8))"),
        (WasmFeatures::CM64, "(core func (canon context.get i64 0))"),
        (WasmFeatures::CM_IMPLEMENTS, r#"(import "a" (implements "b:c/d") (instance))"#),
        (WasmFeatures::CM_CANON_NAMES, r#"(import "a:b/c@1" (versionsuffix ".2.3") (instance))"#),
    ];

    #[test]
    fn every_other_proposal_is_refused() {
        let engine = engine().unwrap();
        let mut known = spoken();
        for (proposal, text) in REFUSED {
            let bytes = wat::parse_str(format!("(component {text})")).unwrap();
            let is_valid = |spoken| Validator::new_with_features(spoken).validate_all(&bytes).is_ok();
            assert!(is_valid(WasmFeatures::all()), "{text}");
            assert!(!is_valid(WasmFeatures::all() - proposal), "{text} is valid without {proposal:?}");
            assert!(!is_valid(spoken()), "{text} is valid here");
            // The one that the engine itself needs.
            assert!(proposal == WasmFeatures::MULTI_MEMORY || Component::new(&engine, &bytes).is_err(), "{text}");
            known |= proposal;
        }
        assert_eq!(WasmFeatures::all() - known, WasmFeatures::empty(), "spoken or refused? An upgrade brought these");
    }

    /// Else what a child compiled would not load.
    #[test]
    fn code_of_the_compiling_engine_is_code_of_the_running_one() {
        let (engine, compiling) = (engine().unwrap(), compiling_engine().unwrap());
        let hash = |engine: &Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(hash(&engine), hash(&compiling));
        let code =
            compiling.precompile_component(&wat::parse_str("(component (core module (func)))").unwrap()).unwrap();
        // SAFETY: the code was made above.
        unsafe { Component::deserialize(&engine, code) }.unwrap();
    }

    /// A runtime that is bundled with a stub of WASI is such a component.
    #[test]
    fn parts_of_a_component_may_pass_text_between_their_memories() {
        let text = r#"(component
            (component $inner
                (core module $m
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
                    (func (export "take") (param i32 i32)))
                (core instance $i (instantiate $m))
                (func (export "take") (param "text" string)
                    (canon lift (core func $i "take") (memory $i "memory") (realloc (func $i "realloc")))))
            (component $outer
                (import "take" (func $take (param "text" string)))
                (core module $libc
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8)))
                (core instance $libc (instantiate $libc))
                (core func $lowered (canon lower (func $take) (memory $libc "memory") (realloc (func $libc "realloc"))))
                (core module $m
                    (import "" "take" (func $take (param i32 i32)))
                    (func (export "run") (call $take (i32.const 0) (i32.const 4))))
                (core instance $i (instantiate $m (with "" (instance (export "take" (func $lowered))))))
                (func (export "run") (canon lift (core func $i "run"))))
            (instance $a (instantiate $inner))
            (instance $b (instantiate $outer (with "take" (func $a "take"))))
            (export "run" (func $b "run")))"#;
        let bytes = wat::parse_str(text).unwrap();
        Validator::new_with_features(spoken()).validate_all(&bytes).unwrap();
        Component::new(&engine().unwrap(), bytes).unwrap();
    }

    #[test]
    fn an_upgrade_turns_nothing_on() {
        assert_eq!(engine().unwrap().get_wasm_features(), spoken() | WasmFeatures::MULTI_MEMORY);
    }

    #[test]
    fn the_ticking_thread_ends_with_the_engine() {
        let engine = engine().unwrap();
        let weak = engine.weak();
        drop(engine);
        thread::sleep(TICK * 5);
        assert!(weak.upgrade().is_none());
    }
}
