//! The sets of a datagram, and the records in them.

use std::{io::Read, sync::Arc};

use super::{
    Message, Netflow,
    bytes::be16,
    elements::Slot,
    fields::Fields,
    flow,
    late::{Awaits, Waiting},
    message::Version,
    set::{Context, is_padding},
    steps::Step,
    template::{self, Definition, FIRST_DATA_SET, Holds, Refusal, Template},
};
use crate::archive::values::LAST_TIME;

impl<R: Read> Netflow<R> {
    /// Begins the next set of a datagram, or keeps it until it can be read.
    pub(super) fn next_set(&mut self, message: &mut Message) -> Option<Step> {
        let bytes = &self.datagrams.bytes()[message.at..message.end];
        let (id, length) = (be16(bytes, 0)?, usize::from(be16(bytes, 2)?));
        let start = message.at;
        if length < 4 || length > bytes.len() {
            let reason = format!("set {id} has {length} bytes; it must have 4 or more, and {} are left", bytes.len());
            message.at = message.end;
            message.records = None;
            message.is_rejected = true;
            return Some(self.reject(reason, start));
        }
        message.at += length;
        let (number, templates) = if message.header.version == Version::Ipfix { (10, 2) } else { (9, 0) };
        match id {
            _ if id == templates || id == templates + 1 => {
                message.templates = Some((message.at, id != templates));
                message.at = start + 4;
                None
            }
            FIRST_DATA_SET.. => self.data_set(message, id, start + 4),
            _ => {
                let options = templates + 1;
                let rule = format!("it must be {templates}, {options} or {FIRST_DATA_SET} and more");
                Some(self.reject(format!("set {id} is none of version {number}; {rule}"), start))
            }
        }
    }

    /// Begins a data set, or keeps it. Its end is where the datagram goes on.
    fn data_set(&mut self, message: &mut Message, id: u16, start: usize) -> Option<Step> {
        let context = message.context;
        let template = self.sources.get(context.domain).template(id).cloned();
        let awaits = match &template {
            None => Awaits::Template(id),
            Some(template) if self.lacks_boot(template, context) => Awaits::Boot(Arc::clone(template)),
            Some(template) => {
                self.begin_set(Arc::clone(template), context, start, message.at);
                return None;
            }
        };
        let full = self.late.keep(awaits, context, &self.datagrams.bytes()[start..message.at]).err();
        match (full, template) {
            (Some(_), Some(template)) => self.begin_set(template, context, start, message.at),
            (full, _) => {
                message.records = None;
                let reason = format!("{} has not come, and {}", self.sources.name_template(context.domain, id), full?);
                return Some(self.reject(reason, start));
            }
        }
        None
    }

    pub(super) fn begin_set(&mut self, template: Arc<Template>, context: Context, start: usize, end: usize) {
        self.set.bytes.clear();
        self.set.bytes.extend_from_slice(&self.datagrams.bytes()[start..end]);
        self.set.begin(template, context, false);
    }

    /// Begins a set that waited for its template, unless the time of booting is not known either.
    pub(super) fn begin_late(&mut self, template: Arc<Template>, Waiting { context, bytes, .. }: Waiting) {
        let is_kept = self.lacks_boot(&template, context)
            && self.late.keep(Awaits::Boot(Arc::clone(&template)), context, &bytes).is_ok();
        if !is_kept {
            self.set.bytes = bytes;
            self.set.begin(template, context, true);
        }
    }

    fn lacks_boot(&self, template: &Template, context: Context) -> bool {
        template.needs_boot && context.uptime.is_none() && self.sources.get(context.domain).boot_millis.is_none()
    }

    /// Goes to the next record of the set.
    pub(super) fn next_in_set(&mut self) -> Option<Step> {
        let template = self.set.template.take()?;
        self.place = self.set.context.place;
        let rest = self.set.rest();
        let is_over = rest.len() < template.least;
        if is_over && is_padding(rest) {
            self.end_set(true);
            return None;
        }
        let length = if is_over { None } else { template.locate(rest, &mut self.slots) };
        let Some(length) = length else {
            let (left, id, least) = (rest.len(), template.id, template.least);
            self.end_set(false);
            let raw = self.set.bytes.split_off(self.set.at);
            self.keep_raw(&raw);
            let reason = format!("the record has {left} bytes where template {id} has {least} or more");
            return Some(Step::Reject(reason));
        };
        self.record = self.set.at;
        self.set.at += length;
        self.set.records += 1;
        let holds = template.holds;
        self.set.template = Some(template);
        Some(match holds {
            Holds::NoFlows => Step::Other("no flow"),
            Holds::Options => {
                self.learn_options();
                Step::Other("options")
            }
            Holds::Flows if flow::is_event(self.fields()) => Step::Other("event"),
            Holds::Flows => {
                let record = &self.set.bytes[self.record..self.set.at];
                self.texts.take(Fields { slots: &self.slots, record });
                Step::Flow
            }
        })
    }

    /// Counts the records of a set that is at its end; it may not have given all.
    fn end_set(&mut self, is_whole: bool) {
        self.sources.add_records(self.set.context.domain, self.set.records);
        if !self.set.is_late
            && let Some(message) = &mut self.message
        {
            let records = message.records.filter(|_| is_whole);
            message.records = records.and_then(|records| records.checked_add(self.set.records));
        }
    }

    fn learn_options(&mut self) {
        let record = &self.set.bytes[self.record..self.set.at];
        let fields = Fields { slots: &self.slots, record };
        let number = self.set.context.domain;
        let domain = self.sources.get_mut(number);
        domain.sampling.learn(fields);
        let boot = fields.number(Slot::SystemInit).and_then(|boot| i64::try_from(boot).ok());
        if let Some(boot) = boot.filter(|boot| *boot < LAST_TIME / 1_000)
            && domain.boot_millis.replace(boot).is_none()
        {
            for waiting in self.late.take(number, None) {
                if let Awaits::Boot(template) = &waiting.awaits {
                    self.ready.push_back((Arc::clone(template), waiting));
                }
            }
        }
    }

    /// Reads the next template of a set of them.
    pub(super) fn next_template(&mut self, message: &mut Message, end: usize, is_options: bool) -> Option<Step> {
        let start = message.at;
        let rest = &self.datagrams.bytes()[start..end];
        if is_padding(rest) {
            message.at = end;
            message.templates = None;
            return None;
        }
        let domain = message.context.domain;
        let (definition, length) = template::read(rest, message.header.version, is_options);
        message.at += length;
        let refusal = match definition {
            Ok(Definition::Template(template)) => {
                let id = template.id;
                match self.sources.learn(domain, template, is_options) {
                    Ok(template) => {
                        let sets = self.late.take(domain, Some(id)).into_iter();
                        self.ready.extend(sets.map(|set| (Arc::clone(&template), set)));
                        return Some(Step::Other("template"));
                    }
                    Err(reason) => Refusal { reason, id: None },
                }
            }
            Ok(Definition::Withdrawal(id)) => {
                self.sources.forget(domain, id);
                return Some(Step::Other("template"));
            }
            Ok(Definition::WithdrawalOfAll) => {
                self.sources.forget_all(domain, is_options);
                return Some(Step::Other("template"));
            }
            Err(refusal) => refusal,
        };
        // Its data sets must not be read by the template that it was to replace.
        if let Some(id) = refusal.id {
            self.sources.forget(domain, id);
        }
        Some(self.reject(refusal.reason, start))
    }
}
