//! Other means for the same question: `datasets/compare`.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::{
    Args, Result,
    command::{executable, text},
    report::Figure,
    synthetic::{clear, make},
};

/// Compares on a loud and on a careful hospital of the first seed.
pub(crate) fn compare(args: &Args, python: &Path) -> Result<Vec<Figure>> {
    let seed = *args.seeds.first().ok_or("no seed")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/compare/compare.py");
    let mut figures = Vec::new();
    for variant in ["easy", "stealthy"] {
        let workspace = make(args, seed, &["--variant", variant])?;
        let output = Command::new(python)
            .arg(&script)
            .arg(text(&workspace)?)
            .args(["--json", "--learning", "168", "--wardflow", text(&executable()?)?])
            .output()?;
        if !output.status.success() {
            return Err(format!("compare.py: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let report: Value = serde_json::from_slice(&output.stdout)?;
        for means in report["means"].as_array().into_iter().flatten() {
            let name = means["means"].as_str().unwrap_or_default();
            let found = means["found"].as_array().into_iter().flatten();
            let found = found.map(|at| format!("{} at {}", at["found"], at["allowed"])).collect::<Vec<_>>().join(", ");
            figures.push(Figure::new(
                format!("seed {seed}, {variant}: {name}"),
                format!("found of {} incidents at so many false findings", report["incidents"]),
                found,
            ));
        }
        clear(args, &workspace)?;
    }
    Ok(figures)
}
