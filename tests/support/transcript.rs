//! A transcript: commands with what they print and their exit codes, compared with the one in `snapshots/`.
//!
//! To accept new ones: `INSTA_UPDATE=always cargo nextest run --release --workspace cli`, then read the difference.

use std::fmt::Write;

use super::Scratch;

/// Runs lines in order, and compares all that they say with the snapshot `name`.
#[track_caller]
pub(crate) fn check_transcript(name: &str, scratch: &Scratch, lines: &[&str]) {
    let mut transcript = String::new();
    for line in lines {
        let ran = scratch.run(line);
        writeln!(transcript, "$ {line}").unwrap();
        transcript.push_str(&trimmed(&ran.stdout, ""));
        transcript.push_str(&trimmed(&ran.stderr, "stderr: "));
        writeln!(transcript, "[{}]\n", ran.code.map_or_else(|| "killed".to_owned(), |code| code.to_string())).unwrap();
    }
    let transcript = transcript.replace(&scratch.path().display().to_string(), "DIR");
    insta::with_settings!({
        omit_expression => true,
        prepend_module_to_snapshot => false,
        snapshot_path => "../snapshots",
        // What differs from run to run, from build to build and from disk to disk.
        filters => [
            (r"(?m)^stderr: (analyze|ingest|write): .* flows/s.*\n", ""),
            (r"\(Resources exhausted: .*\)", "(...)"),
            (r"\d+\.\d s, [\d,.]+ ?\w*/s", "TIME"),
            (r#""seconds":[\d.e-]+"#, r#""seconds":TIME"#),
            (r"\b[0-9a-f]{64}\b", "DIGEST"),
            (r"(Exception|revoke) [0-9a-f]{8}\b", "$1 ID"),
            (r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{16}", "COMMIT"),
            (r"(Last run|run_id.:.) ?[0-9A-Za-z.:-]+", "$1 RUN"),
            (r"(began|ended) \d{4}-\d\d-\d\d \d\d:\d\d", "$1 WHEN"),
            (r"\d[\d.,]* (B|KiB|MiB|kB|MB|bytes)\b", "SIZE"),
        ],
    }, {
        insta::assert_snapshot!(name, transcript);
    });
}

/// Lines with a margin, without the blanks that fill up a table's last column.
fn trimmed(text: &str, margin: &str) -> String {
    text.lines().map(|line| format!("{}\n", format!("{margin}{line}").trim_end())).collect()
}
