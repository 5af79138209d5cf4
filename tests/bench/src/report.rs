//! What came of the rounds: a table, JSON, and a chart.

use std::{fmt::Write as _, fs, path::Path};

use serde::Serialize;

use crate::{
    Result,
    arm::Arm,
    counts::Counted,
    data::Layout,
    micro::Micro,
    nights::Nights,
    rounds::{Entry, Results},
};

/// One arm in the table.
#[derive(Debug, Serialize)]
struct Line {
    arm: Arm,
    layout: Layout,
    threads: usize,
    /// Median, least and most, in seconds.
    seconds: (f64, f64, f64),
    million_flows_a_second: f64,
    guest_seconds: f64,
    mib_crossed: f64,
    mib_read: f64,
    peak_mib: f64,
}

/// A ratio of medians, beside the goal that was set for it.
#[derive(Debug, Serialize)]
struct Ratio {
    what: String,
    measured: f64,
    goal: f64,
    /// Whether the goal is the least that is wanted, not the most.
    is_least: bool,
}

impl Ratio {
    fn is_reached(&self) -> bool {
        if self.is_least { self.measured >= self.goal } else { self.measured <= self.goal }
    }
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Report<'a> {
    flows: u64,
    rounds: usize,
    lines: Vec<Line>,
    ratios: Vec<Ratio>,
    boundary: &'a Micro,
    instructions: &'a [Counted],
    nights: Option<&'a Nights>,
}

/// Prints the table, and writes `results.json` and `results.svg` into a directory.
pub(crate) fn write(
    results: &Results,
    micro: &Micro,
    instructions: &[Counted],
    nights: Option<&Nights>,
    flows: u64,
    out: &Path,
) -> Result<()> {
    let lines: Vec<Line> = results.iter().map(|(entry, rounds)| line(*entry, rounds)).collect();
    let mut ratios = ratios(&lines, micro, size_mib(&out.join(Layout::Ingested.directory())));
    if let Some(Nights { days, before, night }) = nights {
        let what = format!("one night of {days} days / all of them");
        ratios.push(Ratio { what, measured: night / (before + night), goal: 0.03, is_least: false });
    }
    println!(
        "\n{flows} flows of 1,000 devices, medians of {} rounds",
        results.values().map(Vec::len).max().unwrap_or(0)
    );
    println!(
        "{:20} {:9} {:>5} {:>8} {:>15} {:>10} {:>9}",
        "arm", "layout", "cores", "s", "spread", "Mflows/s", "peak MiB"
    );
    for line in &lines {
        let (median, least, most) = line.seconds;
        println!(
            "{:20} {:9} {:>5} {median:>8.2} {:>15} {:>10.2} {:>9.0}",
            line.arm.name(),
            line.layout.directory(),
            line.threads,
            format!("{least:.2}-{most:.2}"),
            line.million_flows_a_second,
            line.peak_mib
        );
    }
    println!("\n{:72} {:>8} {:>9}", "ratio", "measured", "goal");
    for ratio in &ratios {
        let sign = if ratio.is_least { "≥" } else { "≤" };
        let verdict = if ratio.is_reached() { "" } else { "  not reached" };
        println!("{:72} {:>8.2} {:>9}{verdict}", ratio.what, ratio.measured, format!("{sign} {}", ratio.goal));
    }
    let svg = chart(&lines);
    let rounds = results.values().map(Vec::len).max().unwrap_or(0);
    let report = Report { flows, rounds, lines, ratios, boundary: micro, instructions, nights };
    fs::write(out.join("results.json"), serde_json::to_string_pretty(&report)?)?;
    fs::write(out.join("results.svg"), svg)?;
    println!("\nin {}: results.json, results.svg", out.display());
    Ok(())
}

fn line((arm, layout, threads): Entry, rounds: &[crate::arm::Measured]) -> Line {
    let sorted = |of: fn(&crate::arm::Measured) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let middle = |of| sorted(of).get(rounds.len() / 2).copied().unwrap_or(f64::NAN);
    let seconds = sorted(|round| round.seconds);
    let median = middle(|round| round.seconds);
    let flows = rounds.first().map_or(0, |round| round.flows);
    Line {
        arm,
        layout,
        threads,
        seconds: (median, seconds.first().copied().unwrap_or(median), seconds.last().copied().unwrap_or(median)),
        million_flows_a_second: flows as f64 / median / 1e6,
        guest_seconds: middle(|round| round.guest_seconds),
        mib_crossed: middle(|round| round.bytes_crossed as f64 / 1_048_576.0),
        mib_read: middle(|round| round.bytes_read as f64 / 1_048_576.0),
        peak_mib: middle(|round| round.peak_mib),
    }
}

fn ratios(lines: &[Line], micro: &Micro, archive_mib: Option<f64>) -> Vec<Ratio> {
    let mut ratios = Vec::new();
    for layout in [Layout::Ordered, Layout::Ingested] {
        let of = |arm: Arm, threads: usize| {
            lines.iter().find(|line| line.arm == arm && line.layout == layout && line.threads == threads)
        };
        let seconds = |arm| of(arm, 1).map(|line| line.seconds.0);
        let mut add = |what: &str, measured: Option<f64>, goal: f64, is_least: bool| {
            if let Some(measured) = measured {
                ratios.push(Ratio { what: format!("{}: {what}", layout.directory()), measured, goal, is_least });
            }
        };
        let divided = |a: Option<f64>, b: Option<f64>| Some(a? / b?);
        let is_ingested = layout == Layout::Ingested;
        add("sandboxed / native, end to end", divided(seconds(Arm::Rhythm), seconds(Arm::RhythmNative)), 1.15, false);
        let guest = |arm| of(arm, 1).map(|line| line.guest_seconds);
        add(
            "sandboxed / native, kernel with its columns",
            divided(guest(Arm::Rhythm), guest(Arm::RhythmNative)),
            1.5,
            false,
        );
        let goal = if is_ingested { 1.25 } else { 2.2 };
        add("null plugin / scan of the same columns", divided(seconds(Arm::Null), seconds(Arm::Scan)), goal, false);
        let peers = [Arm::DuckdbWindow, Arm::DuckdbList, Arm::Polars].into_iter().filter_map(seconds);
        let fastest = peers.reduce(f64::min);
        let goal = if is_ingested { 4.0 } else { 2.5 };
        add("fastest of DuckDB and Polars / stateful plugin", divided(fastest, seconds(Arm::Rhythm)), goal, true);
        add("DataFusion SQL / stateful plugin", divided(seconds(Arm::Datafusion), seconds(Arm::Rhythm)), 1.0, true);
        let speed = of(Arm::Rhythm, 1).map(|line| line.million_flows_a_second);
        add("million flows a second, stateful plugin, one core", speed, if is_ingested { 10.0 } else { 7.0 }, true);
        let nine = guest(Arm::Rhythm).map(|kernel| 9.0 * kernel);
        let more = seconds(Arm::TenRhythms).zip(seconds(Arm::Rhythm)).map(|(ten, one)| ten - one);
        add("ten plugins minus one / nine kernels with their columns", divided(more, nine), 1.1, false);
        let read = |arm| of(arm, 1).map(|line| line.mib_read);
        add("bytes read, ten plugins / one", divided(read(Arm::TenRhythms), read(Arm::Rhythm)), 1.0, false);
        let two = of(Arm::Rhythm, 2).map(|line| line.seconds.0);
        add("one core / two cores", divided(seconds(Arm::Rhythm), two), 1.85, true);
    }
    let line = |arm: Arm, layout: Layout| lines.iter().find(|l| l.arm == arm && l.layout == layout && l.threads == 1);
    let seconds = |arm, layout| line(arm, layout).map(|line| line.seconds.0);
    let base = seconds(Arm::Rhythm, Layout::Ingested);
    let guest = |arm| line(arm, Layout::Ingested).map(|line| line.guest_seconds);
    let mut add = |what: &str, a: Option<f64>, b: Option<f64>, goal, is_least| {
        if let (Some(a), Some(b)) = (a, b) {
            ratios.push(Ratio { what: what.to_owned(), measured: a / b, goal, is_least });
        }
    };
    add("interruption on / off, end to end", base, seconds(Arm::RhythmUninterrupted, Layout::Ingested), 1.1, false);
    add("interruption on / off, kernel", guest(Arm::Rhythm), guest(Arm::RhythmUninterrupted), 1.1, false);
    add("one device of 1,000 asked about / all", seconds(Arm::OneDevice, Layout::Ingested), base, 0.05, false);
    add("one device with half the flows / none", seconds(Arm::Rhythm, Layout::Heavy), base, 1.25, false);
    add("100,000 devices / 1,000", seconds(Arm::Rhythm, Layout::Many), base, 1.5, false);
    let peak = |layout| line(Arm::Rhythm, layout).map(|line| line.peak_mib);
    add("peak memory, five days / one", peak(Layout::Week), peak(Layout::Ingested), 1.05, false);
    add("peak memory in GiB, five days", peak(Layout::Week), Some(1024.0), 1.0, false);
    let read = line(Arm::NullTwo, Layout::Ingested).map(|line| line.mib_read);
    add("Parquet read for two columns / whole archive", read, archive_mib, 0.15, false);
    let (own, duckdb) = (line(Arm::Ingest, Layout::Zeek), line(Arm::DuckdbIngest, Layout::Zeek));
    add("ingest, million lines a second", own.map(|own| own.million_flows_a_second), Some(1.0), 1.0, true);
    add("ingest, DuckDB / Wardflow", duckdb.map(|l| l.seconds.0), own.map(|l| l.seconds.0), 1.5, true);
    if let Some((_, high)) = micro.calls.get("instantiate") {
        let what = "instantiate, 99th percentile in µs".to_owned();
        ratios.push(Ratio { what, measured: *high, goal: 50.0, is_least: false });
    }
    let (cold, warm) = micro.start;
    let what = "start with cached code / compiled".to_owned();
    ratios.push(Ratio { what, measured: warm / cold, goal: 0.05, is_least: false });
    ratios
}

/// Size of the files under a directory.
fn size_mib(directory: &Path) -> Option<f64> {
    let size = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => size_mib(&entry.path()),
        _ => entry.metadata().ok().map(|file| file.len() as f64 / 1_048_576.0),
    };
    Some(fs::read_dir(directory).ok()?.flatten().filter_map(size).sum())
}

/// Bars: million flows a second on one core.
fn chart(lines: &[Line]) -> String {
    const ARMS: [(Arm, &str); 6] = [
        (Arm::Rhythm, "Wardflow, sandboxed"),
        (Arm::RhythmNative, "Wardflow, linked natively"),
        (Arm::Polars, "Polars"),
        (Arm::DuckdbList, "DuckDB, lists"),
        (Arm::DuckdbWindow, "DuckDB, window"),
        (Arm::Datafusion, "DataFusion SQL"),
    ];
    let bars: Vec<(String, bool, f64)> = [Layout::Ingested, Layout::Ordered]
        .iter()
        .flat_map(|layout| ARMS.iter().map(move |(arm, name)| (*layout, *arm, *name)))
        .filter_map(|(layout, arm, name)| {
            let line = lines.iter().find(|line| line.arm == arm && line.layout == layout && line.threads == 1)?;
            let own = matches!(arm, Arm::Rhythm | Arm::RhythmNative);
            Some((format!("{name}, {}", layout.directory()), own, line.million_flows_a_second))
        })
        .collect();
    let most = bars.iter().map(|(.., speed)| *speed).fold(1.0, f64::max);
    let mut svg = String::new();
    let height = 44 + 24 * bars.len();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>Million flows a second on one core</title>\n\
         <text x=\"8\" y=\"20\" font-weight=\"bold\">One stateful detector, million flows a second on one core</text>"
    );
    for (place, (name, own, speed)) in bars.iter().enumerate() {
        let (y, width) = (36 + 24 * place, (speed / most * 400.0).round());
        let colour = if *own { "#2563eb" } else { "#9ca3af" };
        let _ = writeln!(
            svg,
            "<text x=\"8\" y=\"{}\">{name}</text><rect x=\"270\" y=\"{y}\" width=\"{width}\" height=\"16\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{}\">{speed:.1}</text>",
            y + 13,
            276.0 + width,
            y + 13
        );
    }
    svg.push_str("</svg>\n");
    svg
}
