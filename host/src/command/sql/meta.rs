//! The prompt's own commands, which begin with a backslash, and the words that people try first.

/// What such a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meta {
    /// `\d`
    Tables,
    /// `\d TABLE`
    Table(String),
    /// `\timing`
    Timing,
    /// `\?`
    Help,
    /// `\q`
    Quit,
    /// Anything else.
    Unknown(String),
}

/// What `\?` prints.
pub(super) const HELP: &str = "\
\\d          the tables
\\d TABLE    a table's columns
\\timing     say how long each statement takes, or stop saying it
\\q          leave (or Ctrl-D)
\\?          this help
A statement ends with ;  Tab completes names.  Ctrl-C stops a query.";

impl Meta {
    /// What a line asks for; nothing if it is no command of the prompt.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        match line.trim_end_matches(';').to_ascii_lowercase().as_str() {
            "help" => return Some(Self::Help),
            "quit" | "exit" => return Some(Self::Quit),
            _ => {}
        }
        let words: Vec<_> = line.strip_prefix('\\')?.trim_end_matches(';').split_whitespace().collect();
        Some(match words.as_slice() {
            ["d" | "dt"] => Self::Tables,
            ["d", table] => Self::Table((*table).to_owned()),
            ["timing"] => Self::Timing,
            ["?" | "h" | "help"] => Self::Help,
            ["q" | "quit"] => Self::Quit,
            _ => Self::Unknown(line.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Meta;

    #[test]
    fn reads_commands() {
        for (line, expected) in [
            ("\\d", Some(Meta::Tables)),
            ("\\d findings;", Some(Meta::Table("findings".into()))),
            (" \\timing ", Some(Meta::Timing)),
            ("\\?", Some(Meta::Help)),
            ("\\q", Some(Meta::Quit)),
            ("\\x on", Some(Meta::Unknown("\\x on".into()))),
            ("SELECT '\\d'", None),
            ("exit", Some(Meta::Quit)),
            ("HELP;", Some(Meta::Help)),
            ("helpless", None),
        ] {
            assert_eq!(Meta::parse(line), expected, "{line}");
        }
    }
}
