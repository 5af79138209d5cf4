/// Control characters, and those that turn, hide or blank text: Unicode's `Bidi_Control`, line and paragraph separators,
/// fillers, interlinear annotations, and all that a renderer shows as nothing (`Default_Ignorable_Code_Point`).
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}')
        || matches!(c, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{3164}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}')
        || matches!(c, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::is_unprintable;

    #[test]
    fn what_is_seen_is_told_from_what_is_not() {
        for c in "aß温🩺 \u{301}\u{600}\u{a0}\u{fffd}\u{fffe}\u{1f469}".chars() {
            assert!(!is_unprintable(c), "{c:?}");
        }
        for c in
            "\0\u{1b}\n\u{7f}\u{9b}\u{ad}\u{200d}\u{2028}\u{202e}\u{2066}\u{206a}\u{fe0f}\u{feff}\u{e0041}\u{e0100}"
                .chars()
        {
            assert!(is_unprintable(c), "{c:?}");
        }
    }
}
