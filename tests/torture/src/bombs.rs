//! Plugins that take what memory they can get, and what the process has resident at most.

use std::fs;

use crate::{
    Result,
    batch::bar,
    figure::{Figure, Verdict},
    guest::guest,
    means::Means,
    peak, workspace,
};

/// The name on the command line.
pub const NAME: &str = "bombs";

/// What `--memory` says, in MiB.
const MEMORY_MIB: f64 = 256.0;

/// What a finding takes in the guest's memory, and where a list of them begins.
const FINDINGS: &str = "(local $at i32)
    (call $a-finding)
    (i64.store (i32.const 336) (i64.const SUMMARY))
    (i64.store (i32.const 288) (local.get $start))
    (i64.store (i32.const 296) (local.get $start))
    (i32.store8 (i32.const 304) (i32.const 0)) ;; no peer
    (i32.store8 (i32.const 320) (i32.const 1)) ;; a port, another for each
    (local.set $at (i32.const 65536))
    (loop $next
      (i32.store16 (i32.const 322) (local.get $at))
      (memory.copy (local.get $at) (i32.const 256) (i32.const 112))
      (local.set $at (i32.add (local.get $at) (i32.const 112)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 177536))))
    (return (call $reports (i32.const 65536) (i32.const COUNT)))";

/// Bombs that stay within the limits.
const HARMLESS: [&str; 4] =
    ["memory to its limit, in every instance", "1,000 findings a session", "states of 64 KiB", "tables to their limit"];

/// Finds nothing, so that a bomb elsewhere is not stopped for what it would find.
const SILENT: &str = "(return (call $reports (i32.const 256) (i32.const 0)))";

/// Takes all but a little of the 64 MiB that the manifest asks for, and writes to each page.
const GROW: &str = "(if (i32.lt_u (memory.size) (i32.const 900)) (then
      (drop (memory.grow (i32.const 1000)))
      (memory.fill (i32.const 131072) (i32.const 7) (i32.const 65000000))))";

/// A plugin that takes what memory it can get.
struct Bomb {
    name: &'static str,
    /// Where in the template the instructions go.
    hole: &'static str,
    instructions: String,
    /// How much memory it begins with, in pages.
    pages: &'static str,
    /// Whether it is a fault. What stays within the limits is none.
    is_fault: bool,
}

fn bombs() -> Vec<Bomb> {
    let findings = |summary: &str, count: &str| FINDINGS.replace("SUMMARY", summary).replace("COUNT", count);
    let state = |bytes: u32| {
        format!("(i32.store (i32.const 640) (i32.const 65536)) (i32.store (i32.const 644) (i32.const {bytes}))")
    };
    // A length in the upper half, the place of the text in the lower.
    let text = |bytes: u64| (bytes << 32 | 0x30000).to_string();
    let bombs = [
        ("memory to its limit, in every instance", "open", GROW.to_owned(), "1"),
        ("memory past its limit", "observe", "(loop (drop (memory.grow (i32.const 16))) (br 0))".to_owned(), "1"),
        ("1,000 findings a session", "end-slice", findings(&(9_u64 << 32 | 520).to_string(), "1000"), "4"),
        ("findings of 8 KB, 8 MB together", "end-slice", findings(&text(7_800), "1000"), "160"),
        ("a finding of 60 MB", "end-slice", findings(&text(60_000_000), "1"), "1000"),
        ("a billion findings", "end-slice", findings(&text(9), "1000000000"), "4"),
        ("states of 64 KiB", "save", state(65_536), "4"),
        ("a state of 60 MB", "save", state(60_000_000), "1000"),
        (
            "tables to their limit",
            "open",
            "(drop (table.grow $table (ref.null func) (i32.const 99998)))".to_owned(),
            "1",
        ),
        (
            "a text to its author, again and again",
            "observe",
            "(loop (call $log (i32.const 65536) (i32.const 60000000)) (br 0))".to_owned(),
            "1000",
        ),
    ];
    let of = |(name, hole, instructions, pages): (&'static str, _, _, _)| Bomb {
        name,
        hole,
        instructions,
        pages,
        is_fault: !HARMLESS.contains(&name),
    };
    bombs.into_iter().map(of).collect()
}

/// The line of the table: each bomb once, in a workspace of some thousand flows.
///
/// # Errors
/// The command cannot be run.
pub fn figure(means: &Means) -> Result<Figure> {
    let hospital = workspace::hospital(means, "bombed", 60, 2, 20_000)?;
    for plugin in fs::read_dir(hospital.join("plugins"))? {
        fs::remove_file(plugin?.path())?;
    }
    let at_most = format!("{MEMORY_MIB}MiB");
    let list = ["-q", "plugin", "list"];
    let (idle, _) = peak::of(means, means.command(&hospital).args(list))?;
    let bombs = bombs();
    let bar = bar(NAME, bombs.len() as u64);
    let (mut worst, mut notes) = (0.0_f64, Vec::new());
    let run = |Bomb { name, hole, instructions, pages, is_fault }: Bomb| -> Result<(f64, String)> {
        fs::write(
            hospital.join("plugins/guest.wasm"),
            guest(&[(hole, &instructions), ("memory", pages), ("end-slice", SILENT)])?,
        )?;
        let mut command = means.command(&hospital);
        let (peak, code) = peak::of(means, command.args(["-q", "analyze", "--rerun", "--memory", &at_most]))?;
        if !matches!(code, Some(0 | 1)) {
            return Err(format!("{name}: wardflow analyze ended with {code:?}").into());
        }
        let query = "SELECT coalesce(min(fault), 'none') AS fault FROM coverage WHERE device_id IS NOT NULL AND plugin IS NOT NULL";
        let fault = workspace::rows(means, &hospital, query)?.into_keys().next().unwrap_or_default();
        if is_fault && fault == "none" {
            return Err(format!("{name}: no device was lost, so that it did not go off").into());
        }
        fs::remove_dir_all(hospital.join("lake"))?;
        fs::remove_file(hospital.join("plugins.lock"))?;
        Ok((peak, fault))
    };
    for bomb in bombs {
        let name = bomb.name;
        let (peak, fault) = run(bomb)?;
        notes.push(format!("{name}: {peak:.0} MiB; {fault}"));
        worst = worst.max(peak);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let most = MEMORY_MIB * 1.1 + idle;
    let what = format!("peak RSS under {} bombs, `--memory {at_most}`", notes.len());
    let goal = format!("at most `--memory` × 1.10 + the idle process: {most:.0} MiB");
    let measured = format!("{worst:.0} MiB; idle {idle:.0} MiB");
    Ok(Figure::new(what, &goal, measured, Verdict::of(worst <= most)).noting(notes))
}
