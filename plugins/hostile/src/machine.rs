//! What a processor refuses, and what never ends.

use std::{arch::wasm32, hint::black_box, mem};

/// Never returns.
pub(crate) fn spin() -> ! {
    loop {
        black_box(0);
    }
}

/// Executes `unreachable`.
pub(crate) fn trap() -> ! {
    wasm32::unreachable()
}

/// Divides by zero, past the check that Rust would make.
pub(crate) fn divide_by_zero() {
    let divisor = black_box(0_u32);
    // SAFETY: it is wrong, and the instruction traps.
    unsafe { std::hint::assert_unchecked(divisor != 0) };
    black_box(black_box(7_u32) / divisor);
}

/// Reads behind the end of the memory.
pub(crate) fn read_out_of_bounds() {
    // SAFETY: there is nothing at this address, and the instruction traps.
    black_box(unsafe { black_box(0xffff_fff0_usize as *const u64).read_volatile() });
}

/// Writes behind the end of the memory.
pub(crate) fn write_out_of_bounds() {
    // SAFETY: there is nothing at this address, and the instruction traps.
    unsafe { black_box(0xffff_fff0_usize as *mut u64).write_volatile(1) };
}

/// Calls itself without end.
#[expect(unconditional_recursion, reason = "that is the attack")]
pub(crate) fn overflow_the_stack(depth: u64) -> u64 {
    black_box(overflow_the_stack(black_box(depth + 1))) + depth
}

/// Calls a function by another type than its own.
pub(crate) fn call_by_wrong_type() {
    let function: fn() -> ! = black_box(trap);
    // SAFETY: the types differ, and the call traps.
    let function: fn(u64, f64) -> u64 = unsafe { mem::transmute(function) };
    black_box(black_box(function)(1, 1.0));
}

/// Calls what is no function.
pub(crate) fn call_nothing() {
    // SAFETY: the table has no such element, and the call traps.
    let function: fn() = unsafe { mem::transmute(black_box(0x00ff_ffff_usize)) };
    black_box(function)();
}
