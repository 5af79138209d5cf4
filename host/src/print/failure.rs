//! Errors: the message, what lies behind it, and the remedy.

use std::{error::Error as StdError, process::ExitCode};

use serde_json::json;
use wardflow::error::{Error, ErrorKind};

use super::{ReaderGone, json, text::visible_lines};

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

/// For a person: one line each.
pub(super) fn text(error: &Error, color: bool) -> String {
    let label = |name: &str, code: &str| if color { format!("\u{1b}[{code}m{name}\u{1b}[0m") } else { name.to_owned() };
    let mut lines = vec![format!("{} {}", label("error:", "1;31"), visible_lines(&error.to_string()))];
    lines.extend(causes(error).iter().map(|cause| format!("  because: {}", visible_lines(cause))));
    if let Some(remedy) = error.remedy_text() {
        lines.push(format!("{} {}", label("help:", "1;36"), visible_lines(remedy)));
    }
    lines.join("\n")
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
        "causes": causes(error),
        "remedy": error.remedy_text(),
    }});
    json::escape(&object.to_string())
}

/// What lies behind an error, without what the error before it already told.
fn causes(error: &Error) -> Vec<String> {
    let mut told = error.to_string();
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !told.contains(&message) {
            causes.push(message.clone());
            told = message;
        }
        next = cause.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use std::io;

    use wardflow::error::Error;

    use super::{json, text};

    fn error() -> Error {
        let inner = Error::failed("cannot open conn.log").because(io::Error::other("device \u{1b}[2J gone"));
        Error::usage("cannot ingest").because(inner).remedy("plug it in")
    }

    #[test]
    fn tells_the_whole_chain() {
        assert_eq!(
            text(&error(), false),
            "error: cannot ingest\n  because: cannot open conn.log\n  because: device \\u{1b}[2J gone\nhelp: plug it in"
        );
        assert_eq!(
            json(&error()),
            r#"{"error":{"causes":["cannot open conn.log","device \u001b[2J gone"],"kind":"usage","message":"cannot ingest","remedy":"plug it in"}}"#
        );
    }

    #[test]
    fn does_not_repeat_itself() {
        let error = Error::failed("cannot read a.csv: no such file").because(io::Error::other("no such file"));
        assert_eq!(text(&error, false), "error: cannot read a.csv: no such file");
    }
}
