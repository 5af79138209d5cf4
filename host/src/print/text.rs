//! The terminal's door: no character passes that a terminal would obey, or that would hide or turn text.

use std::borrow::Cow;

use wardflow_manifest::is_unprintable;

/// The text with controls, escapes, direction marks and zero-width characters made visible, as in `\n` or `\u{1b}`.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    replace(text, is_unprintable)
}

/// As [`visible`], for text in a frame that its lines cannot leave: the plans of EXPLAIN.
pub(super) fn visible_lines(text: &str) -> Cow<'_, str> {
    replace(text, |c| c != '\n' && is_unprintable(c))
}

fn replace(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            _ if !hidden(c) => shown.push(c),
            '\n' | '\r' | '\t' => shown.extend(c.escape_default()),
            _ => shown.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wardflow_manifest::is_unprintable;

    use super::{visible, visible_lines};

    fn check(text: &str, expected: &str) {
        assert_eq!(visible(text), expected);
    }

    #[test]
    fn shows_what_would_be_obeyed() {
        check("pump-7 Größe 温度", "pump-7 Größe 温度");
        check("\u{1b}[2J\u{7}", "\\u{1b}[2J\\u{7}");
        check("a\nb\tc\r", "a\\nb\\tc\\r");
        check("\u{9b}31m", "\\u{9b}31m");
        check("gpj\u{202e}exe", "gpj\\u{202e}exe");
        check("pay\u{200b}load", "pay\\u{200b}load");
    }

    proptest! {
        #[test]
        fn nothing_unprintable_passes(text in "(\\PC|\\pC|[\u{0}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{202e}]){0,40}") {
            prop_assert!(!visible(&text).contains(is_unprintable));
            prop_assert!(!visible_lines(&text).contains(|c| c != '\n' && is_unprintable(c)));
            if !text.contains(is_unprintable) {
                prop_assert_eq!(visible(&text), text.as_str());
            }
        }
    }
}
