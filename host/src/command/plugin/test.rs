//! `wardflow plugin test`: does the plugin find in each case what its author expects?

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use wardflow::{
    detector::Detector,
    error::{Context, Error, Result},
    kit::{
        case::Case,
        expected::{self, Difference},
        trial::{self, Asked, Trial},
    },
};

use super::{Outcome, load};
use crate::{
    args::Test,
    print::{Look, Printer, counted},
};

#[derive(Debug, Serialize)]
struct Tested {
    case: String,
    status: Status,
    findings: u64,
    flows: u64,
    /// What differs, or why it could not be run.
    told: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Passed,
    Blessed,
    Failed,
}

/// Tests every case of a project.
pub(super) async fn run(args: Test, printer: &Printer) -> Result<Outcome> {
    let limits = load::limits(&args.limit)?;
    let file = match args.plugin {
        Some(file) => file,
        None => only_plugin(&args.dir)?,
    };
    let cases = chosen(Case::all(&args.dir)?, &args.case)?;
    let detector = load::load(&file, &limits, printer)?;
    if let Some(newer) = newer(&args.dir, &file) {
        printer.warn(&format!(
            "{} is newer than {}: build it again if the model changed",
            newer.display(),
            file.display()
        ));
    }
    let mut tested = Vec::new();
    for case in &cases {
        let result = test(case, &detector, args.bless).await;
        let result = result.unwrap_or_else(|error| {
            let remedy = error.remedy_text().map(|remedy| format!("; {remedy}")).unwrap_or_default();
            let told = vec![format!("{}{remedy}", error.reason())];
            Tested { case: case.name.clone(), status: Status::Failed, findings: 0, flows: 0, told }
        });
        if printer.json {
            printer.object(&result)?;
        } else {
            show(&result, printer)?;
        }
        tested.push(result);
    }
    let of = |status| tested.iter().filter(|tested| tested.status == status).count() as u64;
    let failed = of(Status::Failed);
    if !printer.json {
        let blessed = match of(Status::Blessed) {
            0 => String::new(),
            blessed => format!(", {blessed} blessed: look at what changed before you keep it"),
        };
        let look = if failed == 0 { Look::Good } else { Look::Bad };
        let cases = counted(tested.len() as u64, "case");
        printer.line(
            look,
            &format!("{cases} of {}: {} passed, {failed} failed{blessed}", file.display(), of(Status::Passed)),
        )?;
    }
    Ok(if failed == 0 { Outcome::Done } else { Outcome::Incomplete })
}

async fn test(case: &Case, detector: &Arc<dyn Detector>, bless: bool) -> Result<Tested> {
    let made = case.workspace().await?;
    made.fits(&detector.manifest().id)?;
    let (trial, _) =
        trial::run(&made.workspace, Arc::clone(detector), &Asked { gaps: made.gaps.clone(), ..Asked::default() })
            .await?;
    let tested = |status, told| Tested {
        case: case.name.clone(),
        status,
        findings: trial.findings.len() as u64,
        flows: trial.flows,
        told,
    };
    let lost = lost(&trial);
    if !lost.is_empty() {
        return Ok(tested(Status::Failed, lost));
    }
    let wanted = expected::read(&case.directory);
    if bless {
        if wanted
            .is_ok_and(|wanted| wanted.is_some_and(|wanted| expected::compare(&wanted, &trial.findings).is_empty()))
        {
            return Ok(tested(Status::Passed, Vec::new()));
        }
        expected::bless(&case.directory, &trial.findings)?;
        return Ok(tested(Status::Blessed, trial.findings.iter().map(|seen| format!("+ {}", seen.line())).collect()));
    }
    let Some(wanted) = wanted? else {
        return Err(Error::usage(format!("it has no {}", expected::FILE))
            .remedy("write one, `[]` where nothing must be found, or take what is found now: --bless"));
    };
    let told: Vec<_> = expected::compare(&wanted, &trial.findings).iter().flat_map(lines).collect();
    let status = if told.is_empty() { Status::Passed } else { Status::Failed };
    Ok(tested(status, told))
}

fn lost(trial: &Trial) -> Vec<String> {
    let mut told: Vec<_> = trial.losses().iter().map(|line| format!("! {line}")).collect();
    if trial.devices == 0 && told.is_empty() {
        told.push("! no device is in the plugin's scope: give the case a devices.csv with such a device".to_owned());
    }
    told
}

fn lines(difference: &Difference) -> Vec<String> {
    match difference {
        Difference::Missing(what) => vec![format!("- expected, not found: {what}")],
        Difference::Unexpected(what) => vec![format!("+ found, not expected: {what}")],
        Difference::Otherwise(what, fields) => {
            let fields =
                fields.iter().map(|(field, wanted, found)| format!("    {field}: {wanted} expected, {found} found"));
            std::iter::once(format!("~ found otherwise: {what}")).chain(fields).collect()
        }
    }
}

fn show(tested: &Tested, printer: &Printer) -> Result<()> {
    let Tested { case, status, findings, flows, told } = tested;
    let (look, word) = match status {
        Status::Passed => (Look::Good, "passed"),
        Status::Blessed => (Look::Plain, "blessed"),
        Status::Failed => (Look::Bad, "FAILED"),
    };
    printer.line(look, &format!("{word}  {case}  ({}, {})", counted(*flows, "flow"), counted(*findings, "finding")))?;
    told.iter().try_for_each(|line| printer.line(Look::Plain, &format!("  {line}")))
}

/// The cases of these names; all if none are named.
fn chosen(all: Vec<Case>, names: &[String]) -> Result<Vec<Case>> {
    if let Some(name) = names.iter().find(|name| all.iter().all(|case| case.name != **name)) {
        let known: Vec<_> = all.iter().map(|case| case.name.as_str()).collect();
        return Err(
            Error::usage(format!("there is no case {name:?}")).remedy(format!("there are: {}", known.join(", ")))
        );
    }
    Ok(all.into_iter().filter(|case| names.is_empty() || names.contains(&case.name)).collect())
}

/// A source of a project that changed after its plugin was built.
fn newer(project: &Path, plugin: &Path) -> Option<PathBuf> {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let built = changed(plugin)?;
    let files = [project.to_owned(), project.join("src")].into_iter().filter_map(|folder| fs::read_dir(folder).ok());
    let mut sources = files.flatten().filter_map(|entry| Some(entry.ok()?.path())).filter(|path| {
        let is = |kinds: &[&str]| path.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known));
        path.is_file() && is(&["rs", "c", "h", "py", "go", "js", "toml"])
    });
    sources.find(|path| changed(path).is_some_and(|at| at > built))
}

/// The one `.wasm` file of a project.
fn only_plugin(project: &Path) -> Result<PathBuf> {
    let doing = || format!("the project {} cannot be read", project.display());
    let mut found = Vec::new();
    let entries = fs::read_dir(project).map_err(|error| Error::usage(doing()).because(error))?;
    for entry in entries {
        let path = entry.context(doing)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") && path.is_file() {
            found.push(path);
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Error::usage(format!("there is no plugin in {}", project.display()))
            .remedy("build it first, with the project's ./build, or name one with --plugin")),
        _ => Err(Error::usage(format!("there are several plugins in {}", project.display()))
            .remedy("name one with --plugin")),
    }
}
