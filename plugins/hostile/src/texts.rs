//! Texts that would do something to whoever shows them.

/// A text by its name.
pub(crate) fn text(name: &str) -> Option<String> {
    TEXTS.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
}

/// At most 16 bytes each, so that it is not their length for which they are refused.
const TEXTS: [(&str, &str); 9] = [
    ("escape", "a\u{1b}[2Jb"),
    ("osc-8", "\u{1b}]8;;x:y\u{7}z"),
    ("osc-52", "\u{1b}]52;c;eA==\u{7}"),
    ("c1", "a\u{9b}31mb"),
    ("bidi", "a\u{202e}b"),
    ("line-break", "a\r\n2026 b"),
    ("nul", "a\0b"),
    ("formula", "=A1+B1"),
    ("command", "@SUM(1+1)*c|d!A0"),
];

/// A text that is no text: bytes that are not UTF-8.
pub(crate) fn no_text() -> String {
    // SAFETY: it is wrong. The bytes are only handed over.
    unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, 0xfe, b'b']) }
}
