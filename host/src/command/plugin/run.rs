//! `wardflow plugin run`: a plugin over one device's flows, step by step.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use wardflow::{
    config::Config,
    detector::{FlowBatch, Gap, Opened, Report, Values},
    error::{Error, Result},
    kit::{
        bed::Made,
        case::Case,
        probe::{self, Call, Step, Watched, Watcher},
        trial::{self, Asked},
    },
    workspace::Workspace,
};
use wardflow_manifest::Column;

use super::{Outcome, load, warn_of_broken};
use crate::{
    args::Run,
    command::connect,
    print::{Look, Printer, count, counted},
};

/// Flows of a batch that a trace shows.
const SHOWN: usize = 3;

/// Runs and shows what was found; with a trace, each step that led to it.
pub(super) async fn run(dir: &Path, args: Run, printer: &Printer) -> Result<Outcome> {
    let limits = load::limits(&args.limit)?;
    let (place, detector) = match args.input {
        Some(input) => {
            let detector = load::load(&args.file, &limits, printer)?;
            (Place::Case(Box::new(input.workspace(detector.manifest()).await?)), detector)
        }
        None => {
            let place = place(dir, args.case.as_deref()).await?;
            let own = &place.workspace().config.limits;
            let detector = load::load(&args.file, if args.limit.is_empty() { own } else { &limits }, printer)?;
            if let Place::Case(made) = &place {
                made.fits(&detector.manifest().id)?;
            }
            (place, detector)
        }
    };
    let workspace = place.workspace();
    warn_of_broken(workspace, printer);
    let trace = Arc::new(Trace { printer: printer.clone(), failed: Mutex::new(None) });
    let span = match (args.from, args.to) {
        (None, None) => None,
        (from, to) => {
            Some((from.map_or(i64::MIN, Timestamp::as_microsecond), to.map_or(i64::MAX, Timestamp::as_microsecond)))
        }
    };
    let asked =
        Asked { devices: args.device.clone().map(|device| vec![device]), span, gaps: place.gaps(), ..Asked::default() };
    let detector = match args.trace {
        true => probe::ask(&detector, Watched(Arc::clone(&trace) as Arc<dyn Watcher>)),
        false => detector,
    };
    let (trial, took) = trial::run(workspace, detector, &asked).await?;
    if let Some(error) = trace.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error);
    }
    if trial.slices == 0 {
        let error = Error::usage("there is no flow in that time");
        return Err(error.remedy("name times inside the archive's, --from before --to; `wardflow status` shows them"));
    }
    if let (Some(device), 0) = (&args.device, trial.devices) {
        return Err(Error::usage(format!("no slice has a device {device} in the plugin's scope")).remedy(
            "devices are those of `wardflow sql 'SELECT DISTINCT device_id FROM device_flows'`; the scope is what `wardflow plugin inspect` says it watches",
        ));
    }
    if printer.json {
        for seen in &trial.findings {
            printer.object(seen)?;
        }
    } else {
        for seen in &trial.findings {
            printer.line(Look::Plain, &seen.line())?;
        }
    }
    trial.losses().iter().for_each(|line| printer.warn(line));
    let (flows, slices) = (counted(trial.flows, "flow"), counted(trial.slices, "slice"));
    printer.note(&format!(
        "{} in {slices}, {flows} read, {} given, in {:.2} s",
        counted(trial.findings.len() as u64, "finding"),
        count(trial.given),
        took.as_secs_f64()
    ));
    Ok(if trial.missed.is_empty() && workspace.listing.broken.is_empty() { Outcome::Done } else { Outcome::Incomplete })
}

/// The flows: a workspace's, or a case's.
enum Place {
    Workspace(Box<Workspace>),
    Case(Box<Made>),
}

impl Place {
    fn workspace(&self) -> &Workspace {
        match self {
            Self::Workspace(workspace) => workspace,
            Self::Case(made) => &made.workspace,
        }
    }

    fn gaps(&self) -> Option<Arc<[Gap]>> {
        match self {
            Self::Workspace(_) => None,
            Self::Case(made) => made.gaps.clone(),
        }
    }
}

async fn place(dir: &Path, case: Option<&Path>) -> Result<Place> {
    Ok(match case {
        None => Place::Workspace(Box::new(connect::open(&Config::read(dir)?).await?)),
        Some(directory) => {
            let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Place::Case(Box::new(Case { name, directory: directory.to_owned() }.workspace().await?))
        }
    })
}

/// Prints each call.
#[derive(Debug)]
struct Trace {
    printer: Printer,
    failed: Mutex<Option<Error>>,
}

impl Watcher for Trace {
    fn called(&self, call: &Call<'_>) {
        let lines = told(call);
        let print = |(look, line): &(Look, String)| match self.printer.json {
            true => self.printer.object(&serde_json::json!({ "trace": line })),
            false => self.printer.line(*look, line),
        };
        if let Err(error) = lines.iter().try_for_each(print) {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }
}

fn told(call: &Call<'_>) -> Vec<(Look, String)> {
    let cpu = micros(call.cpu);
    let mut lines = match &call.step {
        Step::Instantiate => {
            vec![(Look::Heading, format!("instantiate  {cpu}, {} KiB of memory", call.cost.memory / 1024))]
        }
        Step::Open { device, parameters, state, opened } => {
            let state =
                state.map_or_else(|| "no state".to_owned(), |state| format!("a state of {} bytes", state.len()));
            let facts = [&device.class, &device.manufacturer, &device.model, &device.firmware];
            let facts: Vec<_> = facts.into_iter().map(String::as_str).filter(|fact| !fact.is_empty()).collect();
            let mut lines = vec![
                (
                    Look::Heading,
                    format!("open  {cpu}, device {:016x} ({}), {state}", device.pseudonym, facts.join(", ")),
                ),
                (Look::Plain, format!("  parameters {parameters}")),
            ];
            match opened {
                Some(Opened::StateUnreadable(why)) => {
                    lines.push((Look::Bad, format!("  it cannot read its state: {why}")))
                }
                Some(Opened::ParametersRefused(why)) => {
                    lines.push((Look::Bad, format!("  it refuses its parameters: {why}")))
                }
                _ => {}
            }
            lines
        }
        Step::Observe { flows, pulled, reports } => observed(&cpu, *flows, pulled, reports),
        Step::EndSlice { start, end, gaps, reports } => {
            let gaps = if gaps.is_empty() { "no gaps".to_owned() } else { counted(gaps.len() as u64, "gap") };
            let mut lines =
                vec![(Look::Plain, format!("end-slice  {cpu}, from {} to {}, {gaps}", time(*start), time(*end)))];
            lines.extend(reports.iter().map(report));
            lines
        }
        Step::Save(saved) => {
            let saved = saved.map_or_else(String::new, |saved| {
                let ready = if saved.ready { "ready" } else { "not ready" };
                format!(", {} bytes, learned {:.2}, {ready}", saved.bytes.len(), saved.learned)
            });
            vec![(Look::Plain, format!("save  {cpu}{saved}"))]
        }
    };
    lines.extend(call.said.iter().map(|text| (Look::Plain, format!("  said: {text}"))));
    if let Some(fault) = call.fault {
        lines.push((Look::Bad, format!("  fault: {fault}")));
    }
    lines
}

fn observed(cpu: &str, flows: &dyn FlowBatch, pulled: &[Column], reports: &[Report]) -> Vec<(Look, String)> {
    let names: Vec<_> = pulled.iter().map(|column| column.name()).collect();
    let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let (first, rows) = (flows.first_row() as usize, flows.len());
    let mut lines = vec![(
        Look::Plain,
        format!(
            "observe  {cpu}, flows {} to {}, pulled {names}",
            count(first as u64),
            count((first + rows).saturating_sub(1) as u64)
        ),
    )];
    let columns: Vec<_> = pulled.iter().map(|column| (column, flows.column(*column))).collect();
    for row in 0..rows.min(SHOWN) {
        let values: Vec<_> = columns
            .iter()
            .map(|(column, values)| format!("{} {}", column.name(), value(**column, values, row)))
            .collect();
        if !values.is_empty() {
            lines.push((Look::Plain, format!("  flow {}: {}", first + row, values.join(", "))));
        }
    }
    if rows > SHOWN {
        lines.push((Look::Plain, format!("  and {} more", count((rows - SHOWN) as u64))));
    }
    lines.extend(reports.iter().map(report));
    lines
}

fn value(column: Column, values: &Values, row: usize) -> String {
    match values {
        Values::I64(values) => values.get(row).map_or_else(String::new, |at| time(*at)),
        Values::U64(values) if column == Column::Peer => {
            values.get(row).map_or_else(String::new, |peer| format!("{peer:016x}"))
        }
        Values::U64(values) => match values.get(row) {
            Some(&u64::MAX) | None => "unknown".to_owned(),
            Some(value) => value.to_string(),
        },
        Values::U32(values) => values.get(row).map_or_else(String::new, ToString::to_string),
        Values::U16(values) => values.get(row).map_or_else(String::new, ToString::to_string),
        Values::U8(values) => values.get(row).map_or_else(String::new, ToString::to_string),
    }
}

fn report(report: &Report) -> (Look, String) {
    let Report { kind, score, confidence, flow_count, summary, .. } = report;
    let flows = counted(*flow_count, "flow");
    (Look::Good, format!("  finding {kind}: score {score}, confidence {confidence}, {flows}: {summary}"))
}

fn time(at: i64) -> String {
    Timestamp::from_microsecond(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}

fn micros(time: Duration) -> String {
    format!("{} µs", count(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))
}
