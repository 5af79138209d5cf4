//! Names of responders, from the events that come before the one of their flow.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use super::{
    event::{Dns, Event},
    value::as_number,
};
use crate::archive::values;

/// Flows whose names are kept in a generation, of which there are two: some 70 MB in each. A name waits for the end of
/// its flow, and for ever where Suricata logs no flows.
const MOST_FLOWS: usize = 500_000;

/// Bytes of names that are kept in a generation: 64 to a flow.
const MOST_BYTES: usize = 32 << 20;

/// Longest name of a host (RFC 1035, 2.3.4). The `Host` of a request may be anything.
const LONGEST: usize = 255;

/// Names by flow. Those that wait longest are forgotten when there are too many.
#[derive(Debug, Default)]
pub(super) struct Names {
    keys: RandomState,
    young: HashMap<u64, Named>,
    young_bytes: usize,
    old: HashMap<u64, Named>,
}

#[derive(Debug)]
struct Named {
    source: Source,
    name: Box<str>,
}

/// Where a name comes from, the one that counts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// What the client asked for in the TLS or QUIC handshake.
    Sni,
    /// The `Host` of a request.
    Host,
    /// The query, which names not the resolver but what was asked of it.
    Query,
}

impl Names {
    /// Keeps the name that an event has for its flow, unless there is one of as good a source.
    pub(super) fn learn(&mut self, kind: &str, event: &Event<'_>, flow: &str) {
        let found = match kind {
            "tls" => (Source::Sni, event.tls.sni.text()),
            "quic" => (Source::Sni, event.quic.sni.text()),
            "http" => (Source::Host, event.http.hostname.text()),
            "dns" => (Source::Query, query(&event.dns)),
            _ => return,
        };
        let (source, Some(name)) = found else { return };
        if flow.is_empty() || name.len() > LONGEST || is_address(name) {
            return;
        }
        let key = self.key(event, flow);
        let named = match self.remove(key) {
            Some(known) if known.source <= source => known,
            _ => Named { source, name: name.into() },
        };
        self.insert(key, named);
    }

    /// The name for the flow whose event this is. It is forgotten.
    pub(super) fn take(&mut self, event: &Event<'_>, flow: &str) -> Option<Box<str>> {
        if self.young.is_empty() && self.old.is_empty() {
            return None;
        }
        self.remove(self.key(event, flow)).map(|named| named.name)
    }

    /// `flow_id` is the sensor's own: two may have the same.
    fn key(&self, event: &Event<'_>, flow: &str) -> u64 {
        self.keys.hash_one((event.sensor(), flow))
    }

    fn remove(&mut self, key: u64) -> Option<Named> {
        match self.young.remove(&key) {
            Some(named) => {
                self.young_bytes -= named.name.len();
                Some(named)
            }
            None => self.old.remove(&key),
        }
    }

    fn insert(&mut self, key: u64, named: Named) {
        if self.young.len() >= MOST_FLOWS || self.young_bytes >= MOST_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += named.name.len();
        self.young.insert(key, named);
    }
}

/// What was asked. An answer in version 1, which has no `version`, is one record of it and has the name of that.
fn query<'e>(dns: &'e Dns<'_>) -> Option<&'e str> {
    let is_query = matches!(dns.kind.text(), Some("query" | "request")) || as_number::<u64>(&dns.version) >= Some(2);
    dns.queries.rrname.text().or_else(|| dns.rrname.text().filter(|_| is_query))
}

/// Whether a host is named by its address, which is no name.
fn is_address(name: &str) -> bool {
    values::ip(name.trim_start_matches('[').trim_end_matches(']').as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::{MOST_FLOWS, Names};
    use crate::archive::eve::{event::Event, json};

    fn check(events: &[(&str, &str)], expected: Option<&str>) {
        let mut names = Names::default();
        for (kind, line) in events {
            names.learn(kind, &json::read(line.as_bytes()).unwrap(), "1");
        }
        let taken = names.take(&Event::default(), "1");
        assert_eq!(taken.as_deref(), expected, "{events:?}");
        assert_eq!((names.take(&Event::default(), "1"), names.young_bytes), (None, 0));
    }

    const TLS: (&str, &str) = ("tls", r#"{"tls":{"sni":"tls.example"}}"#);
    const HTTP: (&str, &str) = ("http", r#"{"http":{"hostname":"http.example"}}"#);
    const DNS: (&str, &str) = ("dns", r#"{"dns":{"type":"query","rrname":"dns.example"}}"#);

    #[test]
    fn the_best_source_counts() {
        check(&[DNS, TLS, HTTP], Some("tls.example"));
        check(&[HTTP, DNS], Some("http.example"));
        check(&[DNS, ("dns", r#"{"dns":{"type":"query","rrname":"later.example"}}"#)], Some("dns.example"));
        check(&[("quic", r#"{"quic":{"sni":"quic.example"}}"#), HTTP], Some("quic.example"));
        check(&[], None);
    }

    #[test]
    fn queries_of_all_versions() {
        let first = r#"{"dns":{"type":"answer","rrname":"cname.example","rdata":"10.0.0.1"}}"#;
        check(&[("dns", first)], None);
        check(&[("dns", r#"{"dns":{"version":2,"type":"answer","rrname":"v2.example"}}"#)], Some("v2.example"));
        let third = r#"{"dns":{"version":3,"type":"response","queries":[{"rrname":"v3.example","rrtype":"A"}],
            "answers":[{"rrname":"cname.example"}]}}"#;
        check(&[("dns", third)], Some("v3.example"));
    }

    #[test]
    fn what_is_no_name_is_left() {
        for host in ["10.0.0.1", "[2001:db8::1]", "2001:db8::1", "", &"x".repeat(256)] {
            check(&[("http", &format!(r#"{{"http":{{"hostname":"{host}"}}}}"#))], None);
        }
        check(&[("alert", HTTP.1)], None);
    }

    #[test]
    fn sensors_do_not_share_flows() {
        let mut names = Names::default();
        let [one, two]: [Event<'_>; 2] = [r#"{"host":"a","tls":{"sni":"a.example"}}"#, r#"{"sensor_name":"b"}"#]
            .map(|line| json::read(line.as_bytes()).unwrap());
        names.learn("tls", &one, "1");
        assert_eq!(names.take(&two, "1"), None);
        assert_eq!(names.take(&one, "1").as_deref(), Some("a.example"));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut names = Names::default();
        let event = json::read(TLS.1.as_bytes()).unwrap();
        for flow in 0..=2 * MOST_FLOWS {
            names.learn("tls", &event, &flow.to_string());
        }
        assert_eq!((names.young.len(), names.old.len()), (1, MOST_FLOWS));
        assert_eq!(names.take(&event, "0"), None);
        assert!(names.take(&event, &MOST_FLOWS.to_string()).is_some());
    }
}
