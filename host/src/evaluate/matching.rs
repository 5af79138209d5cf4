//! Which findings tell of which incident.

use super::{
    found::Found,
    truth::{Incident, Part},
};

/// Whether a finding of a slice tells of an incident: of a device that it befell, of flows in its time, and of no peer that
/// was not in it. One that names no peer shows flows, of which at least half must be with those that were. `addresses` has those
/// of a device at a time; it may get others in the course of an incident.
pub(super) fn tells(found: &Found, incident: &Incident, addresses: &impl Fn(&str, i64) -> Vec<String>) -> bool {
    let is_of_time = |part: &&Part| found.first <= part.last && part.first <= found.last;
    let parts = || incident.parts.iter().filter(is_of_time).filter(|part| part.is_of(&found.device_id));
    let was_in_it = |ip: &String| parts().any(|part| is_other_end(ip, found, part, addresses));
    match &found.peer_ip {
        Some(ip) => was_in_it(ip),
        None => {
            let shown = found.example_peers.iter().filter(|ip| was_in_it(ip)).count();
            parts().next().is_some() && shown * 2 >= found.example_peers.len()
        }
    }
}

/// Whether an address is at the other end of what befell the device of a finding, which is one of the part's.
fn is_other_end(ip: &String, found: &Found, part: &Part, addresses: &impl Fn(&str, i64) -> Vec<String>) -> bool {
    let times = [part.first, found.first, found.last];
    let is_at = |device: &String| times.into_iter().any(|at| addresses(device, at).contains(ip));
    if found.device_id != part.device_id {
        return is_at(&part.device_id);
    }
    let is_open = part.peers.is_empty() && part.peer_device_ids.is_empty();
    is_open || part.peers.contains(ip) || part.peer_device_ids.iter().any(is_at)
}

#[cfg(test)]
mod tests {
    use super::tells;
    use crate::evaluate::{
        found::Found,
        truth::{Incident, Part},
    };

    fn check(change: impl Fn(&mut Found), expected: bool) {
        let mut found = Found {
            finding_id: "f".into(),
            group_id: "g".into(),
            plugin: "vendor/model".into(),
            kind: "loud".into(),
            device_id: "pump".into(),
            peer_ip: Some("198.51.100.7".into()),
            example_peers: Vec::new(),
            severity_id: 3,
            score: 0.5,
            slice_start: 0,
            first: 10,
            last: 20,
        };
        change(&mut found);
        let part = Part {
            device_id: "pump".into(),
            peer_device_ids: ["desk".to_owned()].into(),
            first: 15,
            last: 30,
            peers: ["198.51.100.7".to_owned()].into(),
            ..Part::default()
        };
        let incident = Incident { name: "i".into(), parts: vec![part] };
        let addresses = |id: &str, at| {
            let ip = if id != "desk" {
                "10.0.0.1"
            } else if at < 18 {
                "10.0.0.2"
            } else {
                "10.0.0.3"
            };
            vec![ip.to_owned()]
        };
        assert_eq!(tells(&found, &incident, &addresses), expected, "{found:?}");
    }

    #[test]
    fn device_time_and_peer_must_be_right() {
        check(|_| (), true);
        check(|found| found.peer_ip = None, true);
        let shows = |found: &mut Found, peers: &[&str]| {
            (found.peer_ip, found.example_peers) = (None, peers.iter().map(|&ip| ip.to_owned()).collect());
        };
        check(|found| shows(found, &["198.51.100.7", "203.0.113.1"]), true);
        check(|found| shows(found, &["198.51.100.7", "203.0.113.1", "203.0.113.2"]), false);
        check(|found| found.peer_ip = Some("10.0.0.2".into()), true);
        check(|found| found.peer_ip = Some("10.0.0.3".into()), true);
        check(|found| found.peer_ip = Some("10.0.0.4".into()), false);
        check(|found| found.peer_ip = Some("198.51.100.8".into()), false);
        check(|found| (found.first, found.last) = (31, 40), false);
        check(|found| (found.first, found.last) = (0, 14), false);
        check(|found| found.device_id = "monitor".into(), false);
        check(|found| (found.device_id, found.peer_ip) = ("desk".into(), Some("10.0.0.1".into())), true);
        check(|found| (found.device_id, found.peer_ip) = ("desk".into(), Some("198.51.100.7".into())), false);
    }
}
