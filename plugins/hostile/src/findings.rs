//! Findings, each wrong in one way.

use wardflow_sdk::wasm::wardflow::detector::types::{Finding, Observation};

use crate::{
    memory,
    texts::{no_text, text},
};

/// What the attack `name` reports at the end of a slice that ends at `end`, if it reports anything.
pub(crate) fn reports(name: &str, end: i64) -> Option<Vec<Finding>> {
    let mut finding = good(end);
    match name {
        "score-that-is-no-number" => finding.score = f64::NAN,
        "score-without-end" => finding.score = f64::INFINITY,
        "score-below-zero" => finding.score = -0.5,
        "confidence-that-is-no-number" => finding.confidence = f64::NAN,
        "measured-no-number" => finding.observations[0].measured = f64::NAN,
        "expected-without-end" => finding.observations[0].expected_high = Some(f64::INFINITY),
        "kind-unknown" => finding.kind = "unknown".to_owned(),
        "time-after-the-slice" => finding.last_time = end,
        "time-backwards" => finding.first_time = finding.last_time + 1,
        "time-before-time" => finding.first_time = i64::MIN,
        "peer-never-given" => finding.peer = Some(0x0dea_d000_dead),
        "row-never-given" => finding.examples = vec![u32::MAX],
        "flows-never-given" => finding.flow_count = u64::MAX,
        "examples-too-many" => finding.examples = vec![0; 21],
        "observations-too-many" => finding.observations = vec![finding.observations[0].clone(); 17],
        "summary-too-long" => finding.summary = "é".repeat(121),
        "cause-key-too-long" => finding.cause_key = "k".repeat(65),
        "findings-too-many" => return Some(vec![finding; 1_001]),
        "findings-as-large-as-allowed" => return Some((0..1_000).map(|number| large(number, end)).collect()),
        "findings-of-many-megabytes" => return Some(vec![finding; 40_000]),
        "summary-of-100-mb" => {
            // SAFETY: zeros are UTF-8.
            finding.summary = unsafe { String::from_utf8_unchecked(memory::untouched(100_000_000)) };
        }
        "look-for-memory-of-others" => {
            let left = memory::left_by_others();
            finding.summary = format!("{left} bytes of others");
            finding.observations[0].measured = left as f64;
        }
        _ => {
            let (field, what) = name.split_once("-with-")?;
            let text = if what == "no-text" { no_text() } else { text(what)? };
            *match field {
                "kind" => &mut finding.kind,
                "summary" => &mut finding.summary,
                "cause-key" => &mut finding.cause_key,
                "observation" => &mut finding.observations[0].name,
                "unit" => &mut finding.observations[0].unit,
                _ => return None,
            } = text;
        }
    }
    Some(vec![finding])
}

/// A finding that keeps the contract, as large as it can be.
fn large(number: u32, end: i64) -> Finding {
    let finding = good(end);
    Finding {
        summary: "s".repeat(240),
        cause_key: format!("{number:064}"),
        observations: (0..16)
            .map(|place| Observation { name: format!("{place:064}"), ..finding.observations[0].clone() })
            .collect(),
        ..finding
    }
}

/// A finding that keeps the contract.
pub(crate) fn good(end: i64) -> Finding {
    Finding {
        kind: "seen".to_owned(),
        severity: None,
        score: 0.5,
        confidence: 0.5,
        first_time: end - 2,
        last_time: end - 1,
        peer: None,
        peer_port: None,
        protocol: None,
        flow_count: 0,
        summary: "nothing".to_owned(),
        cause_key: String::new(),
        observations: vec![Observation {
            name: "number".to_owned(),
            measured: 1.0,
            expected_low: None,
            expected_high: None,
            unit: "1".to_owned(),
        }],
        examples: Vec::new(),
    }
}
