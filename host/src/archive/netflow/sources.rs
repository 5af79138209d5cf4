//! Who exports: each exporter with its domains, and what each of these has told.
//!
//! Numbers of templates and samplers are a domain's own (RFC 3954, 5.1; RFC 7011, 3.4.1).

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use super::{
    losses::{Change, Sequence},
    message::Version,
    report::Tally,
    sampling::Sampling,
    template::Template,
};
use crate::archive::aside::SensorReport;

/// Domains of all exporters. A capture of a large network has hundreds; forged senders could be any number.
const MOST_DOMAINS: usize = 16_384;

/// Memory for templates, in bytes: some 100,000 of them.
const MOST_TEMPLATE_MEMORY: usize = 64 << 20;

/// All that export.
#[derive(Debug)]
pub(super) struct Sources {
    /// The user's name for them all.
    sensor: Option<String>,
    exporters: Vec<Exporter>,
    domains: Vec<Domain>,
    numbers: HashMap<Key, usize>,
    /// The one asked for last, which is often asked for again.
    last: Option<(Key, usize)>,
    template_memory: usize,
}

type Sender = Option<(IpAddr, u16)>;
type Key = (Sender, Version, u32);

#[derive(Debug)]
struct Exporter {
    sender: Sender,
    version: Version,
    name: Option<String>,
    tally: Tally,
}

/// What an exporter calls an observation domain, a source id, or an engine.
#[derive(Debug)]
pub(super) struct Domain {
    exporter: usize,
    id: u32,
    templates: HashMap<u16, (Arc<Template>, bool)>,
    sequence: Sequence,
    pub(super) sampling: Sampling,
    /// When the exporter booted, milliseconds UTC, as IPFIX has it.
    pub(super) boot_millis: Option<i64>,
}

impl Sources {
    pub(super) fn new(sensor: Option<String>) -> Self {
        let (exporters, domains, numbers) = (Vec::new(), Vec::new(), HashMap::new());
        Self { sensor, exporters, domains, numbers, last: None, template_memory: 0 }
    }

    /// The number of a domain. On failure the reason.
    pub(super) fn domain(&mut self, sender: Sender, version: Version, id: u32) -> Result<usize, String> {
        let key = (sender, version, id);
        if let Some((last, number)) = self.last
            && last == key
        {
            return Ok(number);
        }
        let number = match self.numbers.get(&key) {
            Some(&number) => number,
            None => self.add(key)?,
        };
        self.last = Some((key, number));
        Ok(number)
    }

    fn add(&mut self, key: Key) -> Result<usize, String> {
        if self.domains.len() == MOST_DOMAINS {
            let exporter = shown(key.0);
            return Err(format!("domain {} of {exporter} is one more than {MOST_DOMAINS}", key.2));
        }
        let is_it = |exporter: &Exporter| (exporter.sender, exporter.version) == (key.0, key.1);
        let exporter = self.exporters.iter().position(is_it).unwrap_or_else(|| {
            let name = self.sensor.clone().or_else(|| key.0.map(|(ip, _)| ip.to_string()));
            self.exporters.push(Exporter { sender: key.0, version: key.1, name, tally: Tally::default() });
            self.exporters.len() - 1
        });
        self.domains.push(Domain {
            exporter,
            id: key.2,
            templates: HashMap::new(),
            sequence: Sequence::default(),
            sampling: Sampling::default(),
            boot_millis: None,
        });
        self.numbers.insert(key, self.domains.len() - 1);
        Ok(self.domains.len() - 1)
    }

    /// Whether the user has named the sensor.
    pub(super) const fn is_named(&self) -> bool {
        self.sensor.is_some()
    }

    pub(super) fn get(&self, domain: usize) -> &Domain {
        &self.domains[domain]
    }

    pub(super) fn get_mut(&mut self, domain: usize) -> &mut Domain {
        &mut self.domains[domain]
    }

    /// The sensor's name: the user's, or the address that the datagram came from.
    pub(super) fn sensor(&self, domain: usize) -> Option<&str> {
        self.exporters[self.domains[domain].exporter].name.as_deref()
    }

    /// A template in words.
    pub(super) fn name_template(&self, domain: usize, template: u16) -> String {
        let domain = &self.domains[domain];
        let exporter = &self.exporters[domain.exporter];
        format!("template {template} of {}, domain {},", shown(exporter.sender), domain.id)
    }

    /// Learns a template, in place of one of the same number. On failure the reason.
    pub(super) fn learn(
        &mut self,
        domain: usize,
        template: Template,
        is_options: bool,
    ) -> Result<Arc<Template>, String> {
        self.forget(domain, template.id);
        let memory = template.memory();
        if self.template_memory + memory > MOST_TEMPLATE_MEMORY {
            return Err(format!(
                "{} is refused: all templates take {} MiB already",
                self.name_template(domain, template.id),
                MOST_TEMPLATE_MEMORY >> 20
            ));
        }
        self.template_memory += memory;
        let template = Arc::new(template);
        self.domains[domain].templates.insert(template.id, (Arc::clone(&template), is_options));
        Ok(template)
    }

    /// Forgets a template.
    pub(super) fn forget(&mut self, domain: usize, template: u16) {
        if let Some((template, _)) = self.domains[domain].templates.remove(&template) {
            self.template_memory -= template.memory();
        }
    }

    /// Forgets the options templates of a domain, or the others.
    pub(super) fn forget_all(&mut self, domain: usize, options: bool) {
        let memory = &mut self.template_memory;
        self.domains[domain].templates.retain(|_, (template, is_options)| {
            let is_kept = *is_options != options;
            if !is_kept {
                *memory -= template.memory();
            }
            is_kept
        });
    }

    /// Notes that a datagram of a domain was sent at some time. Returns the report of the hour that thereby ended.
    pub(super) fn begin(&mut self, domain: usize, export: i64) -> Option<SensorReport> {
        let exporter = &mut self.exporters[self.domains[domain].exporter];
        exporter.tally.begin(export).map(|hour| hour.report(exporter.name.clone(), exporter.version))
    }

    /// Notes records that were read.
    pub(super) fn add_records(&mut self, domain: usize, records: u32) {
        self.exporters[self.domains[domain].exporter].tally.add_records(records);
    }

    /// Notes a datagram with its sequence number and how much of what that counts is in it, if known.
    pub(super) fn add_datagram(&mut self, domain: usize, sequence: u32, count: Option<u32>, export: i64) {
        let domain = &mut self.domains[domain];
        let change: Change = domain.sequence.note(sequence, count, export);
        self.exporters[domain.exporter].tally.add_datagram(change);
    }

    /// The reports of the hours that the input ends in, by exporter as they came.
    pub(super) fn reports(&mut self) -> Vec<SensorReport> {
        let reports = self.exporters.iter_mut().filter_map(|exporter| {
            exporter.tally.end().map(|hour| hour.report(exporter.name.clone(), exporter.version))
        });
        reports.collect()
    }
}

impl Domain {
    /// The template of a data set.
    pub(super) fn template(&self, id: u16) -> Option<&Arc<Template>> {
        self.templates.get(&id).map(|(template, _)| template)
    }
}

fn shown(sender: Sender) -> String {
    sender.map_or_else(|| "the file's exporter".into(), |(ip, port)| format!("exporter {ip} port {port}"))
}
