//! Which findings tell of which incident.

use super::{
    found::Found,
    truth::{Incident, Part},
};

/// Whether a finding of a slice tells of an incident: of a device that it befell, of flows in its time, and of no peer that
/// was not in it. `addresses` has those of a device at a time; it may get others in the course of an incident.
pub(super) fn tells(found: &Found, incident: &Incident, addresses: &impl Fn(&str, i64) -> Vec<String>) -> bool {
    incident
        .parts
        .iter()
        .any(|part| found.first <= part.last && part.first <= found.last && is_of_part(found, part, addresses))
}

fn is_of_part(found: &Found, part: &Part, addresses: &impl Fn(&str, i64) -> Vec<String>) -> bool {
    let times = [part.first, found.first, found.last];
    let is_at = |device: &String, ip: &String| times.into_iter().any(|at| addresses(device, at).contains(ip));
    let is_at_other_end =
        |ip: &String| part.peers.contains(ip) || part.peer_device_ids.iter().any(|device| is_at(device, ip));
    let has_peers = !part.peers.is_empty() || !part.peer_device_ids.is_empty();
    if found.device_id == part.device_id {
        return found.peer_ip.as_ref().is_none_or(|ip| !has_peers || is_at_other_end(ip));
    }
    let names_device = |ip: &String| is_at(&part.device_id, ip);
    part.peer_device_ids.contains(&found.device_id) && found.peer_ip.as_ref().is_none_or(names_device)
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
