//! Errors: the message, what lies behind it, and the remedy.

use std::{error::Error as StdError, process::ExitCode};

use serde_json::json;
use wardflow::error::{Error, ErrorKind};

use super::{ReaderGone, json, text::visible};

/// The exit code of a failure: 2 for wrong usage, configuration or input; 1 for all else. A reader that went away is
/// no failure.
pub(crate) fn exit_code(error: &Error) -> ExitCode {
    let first: &(dyn StdError + 'static) = error;
    let mut chain = std::iter::successors(Some(first), |&error| error.source());
    match error.kind() {
        _ if chain.any(|error| error.is::<ReaderGone>()) => ExitCode::SUCCESS,
        ErrorKind::Usage => ExitCode::from(2),
        ErrorKind::Failed => ExitCode::FAILURE,
    }
}

/// For a person: one line each, and under it the lines of a file that show where.
pub(super) fn text(error: &Error, color: bool) -> String {
    let label = |name: &str, code: &str| if color { format!("\u{1b}[{code}m{name}\u{1b}[0m") } else { name.to_owned() };
    let mut lines = vec![format!("{} {}", label("error:", "1;31"), visible(error.message()))];
    lines.extend(shown_excerpt(error));
    for cause in causes(error) {
        lines.push(format!("  because: {}", visible(&message(cause))));
        lines.extend(cause.downcast_ref().into_iter().flat_map(shown_excerpt));
    }
    if let Some(remedy) = error.remedy_text() {
        lines.push(format!("{} {}", label("help:", "1;36"), visible(remedy)));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn shown_excerpt(error: &Error) -> impl Iterator<Item = String> {
    error.excerpt_lines().iter().map(|line| visible(line).into_owned())
}

/// For a machine: one object.
pub(super) fn json(error: &Error) -> String {
    let kind = match error.kind() {
        ErrorKind::Usage => "usage",
        ErrorKind::Failed => "failed",
    };
    let object = json!({ "error": {
        "kind": kind,
        "message": error.to_string(),
        "causes": causes(error).into_iter().map(ToString::to_string).collect::<Vec<_>>(),
        "remedy": error.remedy_text(),
    }});
    json::line(&object)
}

/// What lies behind an error, without what the error before it already told.
fn causes(error: &Error) -> Vec<&(dyn StdError + 'static)> {
    let mut told = error.to_string();
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !told.contains(&message) {
            causes.push(cause);
            told = message;
        }
        next = cause.source();
    }
    causes
}

/// An error's text without its excerpt.
fn message(error: &(dyn StdError + 'static)) -> String {
    error.downcast_ref::<Error>().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;
    use wardflow::error::Error;
    use wardflow_manifest::is_unprintable;

    use super::{json, text};

    fn error() -> Error {
        let inner = Error::failed("cannot open conn.log").because(io::Error::other("device \u{1b}[2J gone"));
        Error::usage("cannot ingest").because(inner).remedy("plug it in")
    }

    #[test]
    fn tells_the_whole_chain() {
        assert_eq!(
            text(&error(), false),
            "error: cannot ingest\n  because: cannot open conn.log\n  because: device \\u{1b}[2J gone\nhelp: plug it in\n"
        );
        assert_eq!(
            json(&error()),
            r#"{"error":{"causes":["cannot open conn.log","device \u001b[2J gone"],"kind":"usage","message":"cannot ingest","remedy":"plug it in"}}
"#
        );
    }

    #[test]
    fn shows_where_in_lines_of_its_own() {
        let inner = Error::usage("w.toml:1:1: no such key").excerpt(["1 | a\u{1b} = 1", "  | ^"]);
        assert_eq!(
            text(&Error::usage("cannot go on").because(inner), false),
            "error: cannot go on\n  because: w.toml:1:1: no such key\n1 | a\\u{1b} = 1\n  | ^\n"
        );
    }

    proptest! {
        /// Whatever a stranger wrote, each part of an error is one line, so that none can look like another.
        #[test]
        fn a_part_is_a_line(text_of in "(\\PC|\\pC|[\u{0}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{202e}]){0,40}") {
            let error = Error::usage(format!("cannot read {text_of}"))
                .because(Error::failed(format!("in {text_of}!")).because(io::Error::other(format!("at {text_of}?"))))
                .remedy(&text_of);
            let shown = text(&error, false);
            let starts: Vec<_> = shown.lines().map(|line| line.split_once(':').unwrap().0).collect();
            prop_assert_eq!(starts, ["error", "  because", "  because", "help"]);
            prop_assert!(!shown.contains(|c| c != '\n' && is_unprintable(c)));
            let line = json(&error);
            prop_assert!(!line.trim_end_matches('\n').contains(is_unprintable), "{:?}", line);
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(value["error"]["remedy"].as_str(), Some(text_of.as_str()));
        }
    }

    #[test]
    fn does_not_repeat_itself() {
        let error = Error::failed("cannot read a.csv: no such file").because(io::Error::other("no such file"));
        assert_eq!(text(&error, false), "error: cannot read a.csv: no such file\n");
    }
}
