//! Memory: too much of it, too often, and that of others.

use std::{arch::wasm32, hint::black_box, slice};

/// Bytes of a page.
const PAGE: usize = 65_536;
/// What is left in memory for others to find.
const MARK: u8 = 0xa5;

/// New memory of so many pages, as the machine gives it.
fn pages(count: usize) -> &'static mut [u8] {
    let before = wasm32::memory_grow::<0>(count);
    // SAFETY: these pages have just come into being, and nobody else knows of them. Where they did not, the host has ended
    // this call.
    unsafe { slice::from_raw_parts_mut((before * PAGE) as *mut u8, count * PAGE) }
}

/// Takes memory without end.
pub(crate) fn grow_without_end() -> ! {
    loop {
        pages(16);
    }
}

/// Copies 32 MiB over themselves without end.
pub(crate) fn copy_without_end() -> ! {
    let memory = pages(1_024);
    let middle = memory.len() / 2;
    loop {
        black_box(&mut *memory).copy_within(..middle, middle);
    }
}

/// Bytes that are there without having been written, so that making them costs no time.
pub(crate) fn untouched(bytes: usize) -> Vec<u8> {
    let memory = pages(bytes.div_ceil(PAGE));
    // SAFETY: it is not the allocator's, which would matter if anybody lived to free it.
    unsafe { Vec::from_raw_parts(memory.as_mut_ptr(), bytes, bytes) }
}

/// How many bytes of new memory others have left something in. Leaves something for the next.
pub(crate) fn left_by_others() -> usize {
    let memory = pages(32);
    let left = memory.iter().filter(|byte| **byte != 0).count();
    memory.fill(MARK);
    black_box(memory);
    left
}
