//! Hosts outside that try the device's ports, in vain.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wardflow_common::{is_established, is_for_many};
use wardflow_sdk::{Bounded, ConnState, Direction, Findings, Flows, PeerRole, PeerScope, SECOND, surprise};

use crate::{
    contact::TCP,
    walk::{Place, Tally},
};

/// Tries at different hosts and ports, and ports among them, from which a device is reached from outside: as many tries as
/// the test of outcomes asks for in a row, of more services than a server has that is down.
const TRIES: usize = 9;
const PORTS: usize = 4;
/// Bits above which more tries say no more: whoever is reached from outside is tried by thousands of hosts a day.
const MOST_BITS: f64 = 20.0;
/// Hosts and ports that are told apart in a slice.
const COUNTED: usize = 4_096;

/// Who outside tries the device in a slice.
#[derive(Default)]
pub(crate) struct Exposure {
    /// By the host outside and the device's port.
    tried: BTreeMap<(u64, u16), Tally>,
    /// Ports that answer somebody outside.
    served: BTreeMap<u16, i64>,
    /// Hosts outside that the device contacts.
    contacted: BTreeSet<u64>,
}

/// Ports of the device that answered somebody outside.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Served(Bounded<u16, (), 32>);

impl Exposure {
    /// Takes a flow.
    pub(crate) fn take(&mut self, flows: &Flows<'_>, row: usize) {
        if flows.protocol()[row] != TCP || flows.peer_scope()[row] != PeerScope::External {
            return;
        }
        let (peer, port, role) = (flows.peer()[row], flows.local_port()[row], flows.peer_role()[row]);
        if is_for_many(flows.local_role()[row]) || is_for_many(role) || role == PeerRole::RemoteService {
            return;
        }
        let (start, end) = (flows.start_time()[row], flows.end_time()[row]);
        let has_room = self.tried.len() < COUNTED || self.tried.contains_key(&(peer, port));
        match (flows.direction()[row], flows.conn_state()[row]) {
            (Direction::Outbound, _) if self.contacted.len() < COUNTED => _ = self.contacted.insert(peer),
            // Packets in which there is no SYN are the rest of a conversation.
            (Direction::Inbound, ConnState::S0 | ConnState::Rej) if has_room => {
                let place = Place { start, end, position: flows.position(row) };
                self.tried.entry((peer, port)).or_default().take(place);
            }
            (Direction::Inbound, state) if is_established(state) => _ = self.served.insert(port, end),
            _ => {}
        }
    }

    /// Reports tries at ports that answer nobody outside, of hosts that the device does not contact.
    pub(crate) fn report(self, served: &mut Served, findings: &mut Findings) {
        // In order of time, which decides what is forgotten.
        let mut answered: Vec<_> = self.served.into_iter().map(|(port, time)| (time, port)).collect();
        answered.sort_unstable();
        answered.into_iter().for_each(|(time, port)| _ = served.0.touch(port, time / SECOND, || ()));
        let tried = self
            .tried
            .iter()
            .filter(|((peer, port), _)| !self.contacted.contains(peer) && served.0.get(port).is_none());
        let (mut hosts, mut ports) = (BTreeSet::new(), BTreeSet::new());
        let (mut tries, mut tally) = (0, Tally::default());
        for ((peer, port), tried) in tried {
            hosts.insert(*peer);
            ports.insert(*port);
            tries += 1;
            tally.merge(tried);
        }
        if tries < TRIES || ports.len() < PORTS {
            return;
        }
        let (hosts, ports) = (hosts.len(), ports.len());
        let about = if self.tried.len() == COUNTED { "at least " } else { "" };
        findings
            .report("scanned-from-outside", tally.first, tally.last)
            .score(surprise::score(surprise::of_count(tries as f64, 1.0).min(MOST_BITS)))
            .confidence(0.9)
            .protocol(TCP)
            .cause_key("outside")
            .flow_count(tally.flows)
            .measured("hosts", hosts as f64, "1", ..)
            .measured("ports", ports as f64, "1", ..)
            .measured("failed-tries", tries as f64, "1", ..=1.0)
            .examples(tally.examples)
            .summary(format_args!("{about}{hosts} hosts outside tried {ports} TCP ports of the device in vain"));
    }
}
