//! # `wardflow/scan`: scanning from a device, and of one from outside
//!
//! **Finds** a device that tries many peers by one port or by echo requests (`horizontal-scan`), or many ports of one
//! peer (`vertical-scan`), and is answered far less often than a device that knows its peers; and a device whose ports
//! hosts outside of the hospital try (`scanned-from-outside`).
//!
//! **Why it matters.** A medical device knows whom it talks to. One that searches is being used to map the network, is
//! infected by software that spreads, or was set up against a network that is not there any more. One that is tried
//! from outside has an address that the internet reaches, by a rule of a firewall or without one.
//!
//! **How.** A *first contact* is the first flow of the device to a peer and port. Most first contacts of an ordinary
//! device are answered, most of a scan are not. Each outcome moves the logarithm of the likelihood ratio of the two,
//! and the device scans once it passes `ln((1 - missed_rate) / false_positive_rate)`; below
//! `ln(missed_rate / (1 - false_positive_rate))` the test begins anew: Jung, Paxson, Berger, Balakrishnan, "Fast
//! Portscan Detection Using Sequential Hypothesis Testing", IEEE Symposium on Security and Privacy, 2004, equations 3 to 6, after Wald,
//! *Sequential Analysis*, 1947. The paper tests a source; here a test runs for each port, and one for each peer, so
//! that a device's ordinary traffic does not hide its scan. With the default parameters nine first contacts must fail
//! in a row.
//!
//! A connection is answered if its handshake came about; a reset is no answer. A datagram is answered if one came back.
//! Silence of a datagram weighs less (0.5 and 0.1 instead of 0.8 and 0.2 answered, this project's own choice) and only
//! in a burst, with less than a minute from one contact to the next. Flows of which only one side or the middle was
//! seen tell nothing. Multicast, broadcast, and traceroute do not count, nor does a retry: one dead server is one
//! failure.
//!
//! Software that spreads finds enough hosts that answer to pass for ordinary, but it is in haste: nine first contacts by one
//! TCP port that fail within ten seconds, among 27 at most, are reported as well, with low severity. An ordinary host
//! makes no more than one new contact a second (Williamson, "Throttling Viruses", ACSAC 2002), of which a fifth would
//! fail; the score is that of the count.
//!
//! From outside, SYNs that nobody answers or that are refused count, by host and port: nine of them, of four ports, in
//! a slice are reported. Not counted are ports of the device that answered somebody outside, and hosts that the device
//! contacts itself. Its bits are those of a Poisson count where one is usual, 20 at most: who is reached from outside
//! is tried by thousands a day, and that there are more says nothing of the device.
//!
//! More than four ports, or peers, at once are one finding for all of them. The score is that of the likelihood ratio
//! in bits, without the bound at which the test is over: two bits for a connection that failed, two off for one
//! answered.
//!
//! **Blind spots.** A scan that is answered like ordinary traffic; one with a new port for every peer; one with more
//! than `patience_hours` between contacts; a slow one by UDP; requests for addresses (ARP), which are no flows; any
//! scan seen from one side only, for which the plugin is `unsuited`. A poller of more than 512 peers looks like a
//! scanner during an outage, and peer-to-peer software with a fixed UDP port looks like one always. A device of an
//! exempt class is not looked at for scans, nor is one while it is declared a scanner or network management. From
//! outside: datagrams, services that answer, and tries at fewer than four ports.
//!
//! **Memory.** 512 contacts, 256 contacts of scans, 128 tests by port and 64 by peer, 32 ports that answered outside, the least recently used forgotten
//! first; about 10 KiB saved at most, and a few hundred bytes for most devices.
//!
//! **Parameters** are described in `plugin.toml`.

mod contact;
mod exposure;
mod haste;
mod report;
mod walk;

use std::hash::Hash;

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Bounded, Detector, Device, Findings, Flows, SECOND, Saved, Slice};

use contact::{Contact, ICMP, ICMP6};
use exposure::{Exposure, Served};
use report::Scans;
use walk::{Place, Test, Walk};

/// Contacts of scans that are remembered. Of more than that some are counted again, which ones depends on pseudonyms.
pub(crate) const SCANNED: usize = 256;

/// The detector of scans; see the crate's documentation.
pub struct Scan {
    test: Test,
    is_exempt: bool,
    state: State,
    scans: Scans,
    exposure: Exposure,
}

/// What the hospital may set, as `plugin.toml` describes it.
#[derive(Clone, Deserialize)]
pub struct Parameters {
    false_positive_rate: f64,
    missed_rate: f64,
    answered_normally: f64,
    answered_scanning: f64,
    patience_hours: f64,
    exempt_classes: Vec<String>,
}

/// What is remembered between slices. Times are in seconds.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    known: Bounded<u32, (), 512>,
    /// Apart from the others, so that a scan does not push out what the device ordinarily uses.
    scanned: Bounded<u32, (), SCANNED>,
    by_port: Bounded<(u8, u16), Walk, 128>,
    by_peer: Bounded<(u8, u64), Walk, 64>,
    served: Served,
}

impl Detector for Scan {
    type Parameters = Parameters;
    type State = State;

    fn open(device: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        Ok(Self {
            test: Test::new(&parameters)?,
            is_exempt: parameters.exempt_classes.iter().any(|class| class.eq_ignore_ascii_case(&device.class)),
            state: state.unwrap_or_default(),
            scans: Scans::default(),
            exposure: Exposure::default(),
        })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            self.exposure.take(flows, row);
            if let Some(contact) = Contact::of(flows, row).filter(|_| !self.is_exempt) {
                let (start, end) = (flows.start_time()[row], flows.end_time()[row]);
                self.take(&contact, Place { start, end, position: flows.position(row) });
            }
        }
    }

    fn end_slice(&mut self, _: &Slice<'_>, findings: &mut Findings) {
        for ((protocol, port), walk) in self.state.by_port.iter_mut() {
            self.scans.port(*protocol, *port, walk.take_slice());
        }
        for ((protocol, peer), walk) in self.state.by_peer.iter_mut() {
            self.scans.peer(*protocol, *peer, walk.take_slice());
        }
        std::mem::take(&mut self.scans).report(&self.test, findings);
        std::mem::take(&mut self.exposure).report(&mut self.state.served, findings);
    }

    fn save(self) -> Saved<State> {
        Saved { state: self.state, learned: 1.0, ready: true }
    }
}

impl Scan {
    fn take(&mut self, contact: &Contact, place: Place) {
        let now = place.end / SECOND;
        let fingerprint = contact.fingerprint();
        if self.state.known.touch_known(&fingerprint, now).is_some() {
            return;
        }
        if self.state.scanned.touch_known(&fingerprint, now).is_some() {
            if !contact.answered {
                self.again(contact, place.end);
            }
            return;
        }
        let is_scan = self.step(contact, place, now);
        match is_scan {
            true => self.state.scanned.touch(fingerprint, now, || ()),
            false => self.state.known.touch(fingerprint, now, || ()),
        };
        if !contact.answered {
            self.scans.peer_failed(contact.protocol, contact.peer);
        }
    }

    /// Counts a contact of a scan that fails again: it tells nothing new, and is a flow of what it tried before.
    fn again(&mut self, contact: &Contact, end: i64) {
        let by_port = self.state.by_port.get_mut(&(contact.protocol, contact.port));
        let by_peer = self.state.by_peer.get_mut(&(contact.protocol, contact.peer));
        by_port.into_iter().chain(by_peer).for_each(|walk| walk.again(end));
    }

    /// Moves both tests that a first contact belongs to. Returns whether one of them says that it is part of a scan.
    fn step(&mut self, contact: &Contact, place: Place, now: i64) -> bool {
        let protocol = contact.protocol;
        let port_key = (protocol, contact.port);
        if let Some(((protocol, port), walk)) = self.state.by_port.make_room(&port_key) {
            self.scans.port(protocol, port, walk);
        }
        let mut is_scan = step(&mut self.state.by_port, port_key, &self.test, contact, place, now);
        if !matches!(protocol, ICMP | ICMP6) {
            let peer_key = (protocol, contact.peer);
            if let Some(((protocol, peer), walk)) = self.state.by_peer.make_room(&peer_key) {
                self.scans.peer(protocol, peer, walk);
            }
            is_scan |= step(&mut self.state.by_peer, peer_key, &self.test, contact, place, now);
        }
        is_scan
    }
}

fn step<K: Ord + Hash + Clone, const N: usize>(
    walks: &mut Bounded<K, Walk, N>,
    key: K,
    test: &Test,
    contact: &Contact,
    place: Place,
    now: i64,
) -> bool {
    let last = walks.last_use(&key).unwrap_or(now);
    let walk = walks.touch(key, now, Walk::default);
    if now - last > test.patience(contact.protocol) {
        walk.restart();
    }
    walk.step(test, contact, place)
}

wardflow_sdk::export!(Scan, include_str!("../plugin.toml"));
