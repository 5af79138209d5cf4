use std::fmt;

use crate::finding::line;

/// Bytes of a text that the host keeps.
const TEXT: usize = 1024;

/// Says a line to the plugin's author: `log(format_args!("{} peers", peers.len()))`. It never reaches findings or state.
///
/// `wardflow plugin run --trace` shows it, `said` of a native run has it, and the last one before a fault goes along with the
/// fault. A panic says its message and line by itself. 64 lines of a session in a slice are kept.
pub fn log(text: fmt::Arguments<'_>) {
    let text = line(&text.to_string(), TEXT);
    #[cfg(target_arch = "wasm32")]
    crate::wasm::wardflow::detector::diagnostics::log(&text);
    #[cfg(not(target_arch = "wasm32"))]
    crate::native::said::push(text);
}
