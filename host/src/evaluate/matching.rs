//! Which findings tell of which incident.

use super::{
    found::Found,
    truth::{Incident, Part},
};

/// Whether a finding of a slice tells of an incident: of a device that it befell, of flows in its time, and of no peer that
/// was not in it. One that names no peer shows flows, of which at least half must be with those that were, where the truth has
/// all of them. `addresses` has those of a device at a time; it may get others in the course of an incident.
pub(super) fn tells(found: &Found, incident: &Incident, addresses: &impl Fn(&str, i64) -> Vec<String>) -> bool {
    let parts = || {
        let of_time = incident.parts.iter().filter(|part| found.first <= part.last && part.first <= found.last);
        of_time.filter_map(|part| Some((part, End::of(found, part, addresses)?)))
    };
    let was_in_it = |ip: &String| parts().any(|(part, end)| is_opposite(ip, end, found, part, addresses));
    match &found.peer_ip {
        Some(ip) => was_in_it(ip),
        None => {
            let has_many = parts().any(|(part, end)| end == End::Device && part.peers.is_empty());
            let shown = found.example_peers.iter().filter(|ip| has_many || was_in_it(ip)).count();
            parts().next().is_some() && shown * 2 >= found.example_peers.len()
        }
    }
}

/// Which end of what befell a device a finding names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Device,
    Peer,
}

impl End {
    fn of(found: &Found, part: &Part, addresses: &impl Fn(&str, i64) -> Vec<String>) -> Option<Self> {
        let id = &found.device_id;
        if *id == part.device_id {
            return Some(Self::Device);
        }
        let is_peer = part.peer_device_ids.contains(id)
            || moments(found, part).into_iter().any(|at| addresses(id, at).iter().any(|ip| part.peers.contains(ip)));
        is_peer.then_some(Self::Peer)
    }
}

/// Whether an address is at the other end than the one that a finding names.
fn is_opposite(
    ip: &String,
    end: End,
    found: &Found,
    part: &Part,
    addresses: &impl Fn(&str, i64) -> Vec<String>,
) -> bool {
    let is_at = |device: &String| moments(found, part).into_iter().any(|at| addresses(device, at).contains(ip));
    if end == End::Peer {
        return is_at(&part.device_id);
    }
    let is_open = part.peers.is_empty() && part.peer_device_ids.is_empty();
    is_open || part.peers.contains(ip) || part.peer_device_ids.iter().any(is_at)
}

/// Times at which devices of an incident may have had an address.
const fn moments(found: &Found, part: &Part) -> [i64; 3] {
    [part.first, found.first, found.last]
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
                if id == "pump" { "10.0.0.1" } else { id }
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
        check(|found| (found.device_id, found.peer_ip) = ("198.51.100.7".into(), Some("10.0.0.1".into())), true);
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
