//! Detectors in WebAssembly text, good but for what a test puts in, and flows for them.

use std::collections::BTreeMap;

use wardflow_manifest::{Column, Manifest, SECTION};

use super::{Compiler, Plugin, Sandbox};
use crate::{
    detector::{Detector, DeviceFacts, Fault, FlowBatch, Instance, Opened, Report, SessionId, Stop, Values},
    limits::Limits,
};

const TEMPLATE: &str = include_str!("detector.wat");

const MANIFEST: &str = r#"
    id = "example/quiet"
    version = "1.0.0"
    contract = "0.1.0"
    publisher = "Example"
    intended_use = "A test."
    columns = ["peer", "end-time"]
    memory_mib = 1
    [[findings]]
    kind = "loud"
    title = "Loud"
    severity = "low"
    shows = "Much."
    first_action = "Ask."
"#;

/// A detector's text: the template's holes, by name, and changes to its manifest.
#[derive(Clone, Default)]
pub(super) struct Guest {
    holes: BTreeMap<&'static str, String>,
    manifest: Vec<(&'static str, &'static str)>,
    sections: Option<Vec<Vec<u8>>>,
}

impl Guest {
    /// Fills a hole of the template.
    pub(super) fn with(mut self, hole: &'static str, text: &str) -> Self {
        assert!(TEMPLATE.contains(&format!("{{{{{hole}}}}}")), "the template has no hole {hole}");
        self.holes.insert(hole, text.to_owned());
        self
    }

    /// Replaces a text in the manifest.
    pub(super) fn manifest(mut self, from: &'static str, to: &'static str) -> Self {
        self.manifest.push((from, to));
        self
    }

    /// Carries these manifests instead of its own.
    pub(super) fn sections(mut self, sections: Vec<Vec<u8>>) -> Self {
        self.sections = Some(sections);
        self
    }

    /// The component's bytes.
    pub(super) fn build(&self) -> Vec<u8> {
        let defaults = [
            ("types", "wardflow:detector/types@0.1.0"),
            ("flows", "wardflow:detector/flows@0.1.0"),
            ("export", "wardflow:detector/detector@0.1.0"),
            ("save-name", "save"),
            ("zone-type", "u32"),
            ("memory", "1"),
            ("table", "1"),
            ("score", "0.5"),
        ];
        let mut text = TEMPLATE.to_owned();
        for (hole, filling) in &self.holes {
            text = text.replace(&format!("{{{{{hole}}}}}"), filling);
        }
        for (hole, filling) in defaults {
            text = text.replace(&format!("{{{{{hole}}}}}"), filling);
        }
        for hole in ["import", "realloc", "drop", "items", "open", "observe", "end-slice", "save", "post-return"] {
            text = text.replace(&format!("{{{{{hole}}}}}"), "");
        }
        let mut component = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
        let own = || {
            let changed = self.manifest.iter().fold(MANIFEST.to_owned(), |text, (from, to)| {
                assert!(text.contains(from), "{from}");
                text.replace(from, to)
            });
            vec![Manifest::from_toml(&changed).unwrap().to_json().unwrap()]
        };
        for section in self.sections.clone().unwrap_or_else(own) {
            append_section(&mut component, SECTION, &section);
        }
        component
    }

    /// The plugin under the limits of tests, which are short.
    pub(super) fn load(&self) -> Plugin {
        sandbox().load(&self.build()).unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)))
    }
}

/// A sandbox with short deadlines.
pub(super) fn sandbox() -> Sandbox {
    Sandbox::new(limits(), Compiler::here()).unwrap()
}

/// The limits of tests.
pub(super) fn limits() -> Limits {
    Limits { instantiate_ms: 40, open_ms: 40, observe_ms: 40, end_slice_ms: 40, ..Limits::default() }
}

/// Runs one device through one slice of two flows, as the operator does.
pub(super) fn run(plugin: &Plugin) -> Result<Vec<Report>, Fault> {
    let mut instance = plugin.instantiate(1, &Stop::default())?;
    let session = open(&mut *instance)?;
    let mut reports = instance.observe(session, Box::new(Flows(vec![7, 7])))?;
    reports.extend(instance.end_slice(session, 0, 100, &[])?);
    instance.save(session)?;
    Ok(reports)
}

/// Opens a session without state.
pub(super) fn open(instance: &mut dyn Instance) -> Result<SessionId, Fault> {
    match instance.open(&device(), "{}", None)? {
        Opened::Session(session) => Ok(session),
        other => panic!("{other:?}"),
    }
}

/// Some device.
pub(super) fn device() -> DeviceFacts {
    DeviceFacts {
        pseudonym: 1,
        class: "infusion-pump".to_owned(),
        manufacturer: "Example".to_owned(),
        model: "P1".to_owned(),
        firmware: "1.0".to_owned(),
        zone: 0,
    }
}

/// Flows with these peers.
#[derive(Debug)]
pub(super) struct Flows(pub(super) Vec<u64>);

impl FlowBatch for Flows {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn first_row(&self) -> u32 {
        0
    }

    fn column(&self, column: Column) -> Values {
        match column {
            Column::Peer => Values::U64(self.0.clone()),
            _ => Values::U8(vec![6; self.0.len()]),
        }
    }
}

/// Adds a custom section to a component.
pub(super) fn append_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut body = leb128(name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    component.push(0);
    component.extend(leb128(body.len()));
    component.extend(body);
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
