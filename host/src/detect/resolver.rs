//! Flows to rows: the ends of each flow become devices and peers, text becomes numbers.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringViewArray, UInt8Array, UInt16Array,
        UInt32Array, UInt64Array,
    },
    compute::{cast, filter_record_batch},
    datatypes::{SchemaRef, TimestampMicrosecondType},
};
use datafusion::common::Result;
use foldhash::fast::FixedState;
use wardflow_manifest::{ConnState, Direction, name_id};

use super::{
    Slice,
    directory::Endpoint,
    gaps::Counts,
    incoming::{Flows, volumes},
    layout::Carried,
    observe::observe,
    places::Places,
    resolve::{NONE, Shared},
    text_numbers::TextNumbers,
};
use crate::{flow::time_type, zone::IpScope};

/// RFC 1035, 4.2.
const DNS_PORT: u16 = 53;

/// Resolves the batches of one partition.
pub(super) struct Resolver {
    shared: Arc<Shared>,
    schema: SchemaRef,
    addresses: TextNumbers,
    /// By the number that `addresses` gives.
    known: Vec<Known>,
    names: TextNumbers,
    services: TextNumbers,
    states: TextNumbers,
    /// Numbers of the peers that such an address was.
    pairs: HashMap<(u32, u32), u32, FixedState>,
    places: Places,
    only: Option<HashSet<u32, FixedState>>,
    needs_mac: bool,
}

/// What a batch came to.
pub(super) struct Resolved {
    /// Rows in the order of the places of their devices, and in each as their flows came.
    pub(super) rows: RecordBatch,
    /// Flows that no device is an end of.
    pub(super) unresolved: usize,
}

/// What is known of an address.
enum Known {
    /// The device behind it whenever, `NONE` for none, and its number as a peer.
    Always { device: u32, peer: u32 },
    /// Who is behind it depends on the time or on the MAC address.
    Depends { endpoint: Arc<Endpoint>, number: u32 },
}

/// One end of each flow: numbers of the device, and of what the other end meets. `NONE` of an address that is none.
struct Ends {
    devices: Vec<u32>,
    peers: Vec<u32>,
}

/// A flow as one of its ends sees it: the flow's row, and in the lowest bit whether it comes in.
#[derive(Clone, Copy)]
struct Sighting(u32);

impl Sighting {
    const fn new(row: u32, is_inbound: bool) -> Self {
        Self(row << 1 | is_inbound as u32)
    }

    const fn row(self) -> usize {
        (self.0 >> 1) as usize
    }

    const fn is_inbound(self) -> bool {
        self.0 & 1 == 1
    }
}

impl Resolver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            needs_mac: shared.directory.world().inventory.needs_mac(),
            only: shared.only.as_ref().map(|ids| ids.iter().map(|id| shared.directory.device(id)).collect()),
            schema: shared.layout.schema(),
            addresses: TextNumbers::default(),
            known: Vec::new(),
            names: TextNumbers::default(),
            services: TextNumbers::default(),
            states: TextNumbers::default(),
            pairs: HashMap::default(),
            places: Places::default(),
            shared,
        }
    }

    pub(super) fn resolve(&mut self, batch: &RecordBatch) -> Result<Resolved> {
        let batch = &within(batch, self.shared.slice)?;
        let flows = Flows::new(batch)?;
        let src = self.ends(&flows.src_ip, flows.src_mac.as_ref(), &flows);
        let dst = self.ends(&flows.dst_ip, flows.dst_mac.as_ref(), &flows);
        let (sightings, shards, unresolved) = self.sightings(&src, &dst);
        if self.shared.is_everything() {
            observe(batch, &self.shared.observed)?;
            self.shared.observed.add(&Counts { unresolved: unresolved as u64, ..Counts::default() });
        }
        let columns = self.columns(&flows, &src, &dst, &sightings, shards);
        Ok(Resolved { rows: RecordBatch::try_new(Arc::clone(&self.schema), columns)?, unresolved })
    }

    fn ends(&mut self, addresses: &StringViewArray, macs: Option<&StringViewArray>, flows: &Flows) -> Ends {
        let directory = &self.shared.directory;
        let known = &mut self.known;
        let numbers = self.addresses.of(addresses, NONE, |text| {
            let Ok(ip) = text.parse::<IpAddr>() else { return NONE };
            let (number, endpoint) = directory.endpoint(ip);
            known.push(match endpoint.always() {
                Some(device) if !(self.needs_mac && endpoint.scope == IpScope::Internal) => {
                    let device = device.unwrap_or(NONE);
                    Known::Always { device, peer: directory.peer(number, device) }
                }
                _ => Known::Depends { endpoint, number },
            });
            (known.len() - 1) as u32
        });
        let (mut devices, mut peers) = (Vec::with_capacity(numbers.len()), Vec::with_capacity(numbers.len()));
        let mut pairs = std::mem::take(&mut self.pairs);
        // As `ingest` lays flows out, those of one device follow each other.
        for run in numbers.chunk_by(|a, b| a == b) {
            let (device, peer) = match self.known.get(run[0] as usize) {
                None => (NONE, NONE),
                Some(Known::Always { device, peer }) => (*device, *peer),
                Some(Known::Depends { endpoint, number }) => {
                    for row in devices.len()..devices.len() + run.len() {
                        let device = self.device(endpoint, macs, row, flows.end.value(row)).unwrap_or(NONE);
                        let peer = || self.shared.directory.peer(*number, device);
                        devices.push(device);
                        peers.push(*pairs.entry((*number, device)).or_insert_with(peer));
                    }
                    continue;
                }
            };
            devices.resize(devices.len() + run.len(), device);
            peers.resize(peers.len() + run.len(), peer);
        }
        self.pairs = pairs;
        Ends { devices, peers }
    }

    /// The device at one end: by address and time, else by MAC address, else the internal address itself.
    fn device(&self, endpoint: &Endpoint, macs: Option<&StringViewArray>, row: usize, at: i64) -> Option<u32> {
        let by_mac = || {
            let macs =
                macs.filter(|macs| self.needs_mac && endpoint.scope == IpScope::Internal && macs.is_valid(row))?;
            self.shared.directory.device_of_mac(crate::device::parse_mac(macs.value(row))?, at)
        };
        endpoint.bound(at).or_else(by_mac).or(endpoint.unbound())
    }

    /// What devices see, in the order of their places, the shard of each sighting, and how many flows none sees.
    fn sightings(&mut self, src: &Ends, dst: &Ends) -> (Vec<Sighting>, Vec<u8>, usize) {
        self.places.extend(&self.shared);
        let mut found: Vec<(u16, Sighting)> = Vec::with_capacity(src.devices.len());
        let mut unwatched = Vec::new();
        let mut unresolved = 0;
        for row in 0..src.devices.len() {
            let before = found.len() + unwatched.len();
            if src.peers[row] != NONE && dst.peers[row] != NONE {
                for (device, is_inbound) in [(src.devices[row], false), (dst.devices[row], true)] {
                    if device == NONE || self.only.as_ref().is_some_and(|only| !only.contains(&device)) {
                        continue;
                    }
                    match self.places.of(device) {
                        Some(place) => found.push((place, Sighting::new(row as u32, is_inbound))),
                        None => unwatched.push(device),
                    }
                }
            }
            unresolved += usize::from(found.len() + unwatched.len() == before);
        }
        self.shared.unwatched.add(&unwatched);
        let shard_of = self.places.shards();
        let mut ends = vec![0_usize; shard_of.len() + 1];
        found.iter().for_each(|(place, _)| ends[usize::from(*place) + 1] += 1);
        for place in 1..ends.len() {
            ends[place] += ends[place - 1];
        }
        let mut sightings = vec![Sighting(0); found.len()];
        let mut shards = vec![0; found.len()];
        for (place, sighting) in found {
            let end = &mut ends[usize::from(place)];
            sightings[*end] = sighting;
            shards[*end] = shard_of[usize::from(place)];
            *end += 1;
        }
        (sightings, shards, unresolved)
    }

    fn columns(
        &mut self,
        flows: &Flows,
        src: &Ends,
        dst: &Ends,
        sightings: &[Sighting],
        mut shards: Vec<u8>,
    ) -> Vec<ArrayRef> {
        let (starts, times) = (flows.start.values(), flows.end.values());
        let (src_ports, dst_ports) = (flows.src_port.values(), flows.dst_port.values());
        let protocols = flows.protocol.values();
        // ICMP has a type and a code in place of ports, and they are nobody's.
        let as_initiator = |seen: Sighting| !seen.is_inbound() || is_icmp(protocols[seen.row()]);
        let ports = |initiators: &[u16], responders: &[u16]| -> ArrayRef {
            let port =
                |seen: Sighting| if as_initiator(seen) { initiators[seen.row()] } else { responders[seen.row()] };
            Arc::new(UInt16Array::from(sightings.iter().map(|seen| port(*seen)).collect::<Vec<_>>()))
        };
        let volume = |own: Option<&UInt64Array>, other: Option<&UInt64Array>| -> ArrayRef {
            let (own, other) = (volumes(own, flows.len()), volumes(other, flows.len()));
            Arc::new(UInt64Array::from(pick(sightings, &own, &other)))
        };
        let carried = self.shared.layout.carried().to_vec();
        let column = |carried: Carried| -> ArrayRef {
            match carried {
                Carried::Shard => Arc::new(UInt8Array::from(std::mem::take(&mut shards))),
                Carried::Device => Arc::new(UInt32Array::from(pick(sightings, &src.devices, &dst.devices))),
                Carried::Peer => Arc::new(UInt32Array::from(pick(sightings, &dst.peers, &src.peers))),
                Carried::Start => Arc::new(Int64Array::from(each(sightings, |row| starts[row].min(times[row])))),
                Carried::End => Arc::new(Int64Array::from(each(sightings, |row| times[row]))),
                Carried::Direction => {
                    let direction = |seen: &Sighting| match seen.is_inbound() {
                        false => Direction::Outbound as u8,
                        true => Direction::Inbound as u8,
                    };
                    Arc::new(UInt8Array::from(sightings.iter().map(direction).collect::<Vec<_>>()))
                }
                Carried::LocalPort => ports(src_ports, dst_ports),
                Carried::PeerPort => ports(dst_ports, src_ports),
                Carried::Protocol => Arc::new(UInt8Array::from(each(sightings, |row| protocols[row]))),
                Carried::Service => {
                    let numbers = self.services.numbers(flows.service.as_ref(), flows.len(), 0, name_id);
                    Arc::new(UInt32Array::from(each(sightings, |row| numbers[row])))
                }
                Carried::Name => {
                    let directory = &self.shared.directory;
                    let numbers = self.names.numbers(flows.name.as_ref(), flows.len(), 0, |name| directory.name(name));
                    // It is the responder's name. A flow to a name server carries the name that was asked for, which
                    // is not the server's.
                    let name = |seen: &Sighting| match seen.is_inbound() || dst_ports[seen.row()] == DNS_PORT {
                        true => 0,
                        false => numbers[seen.row()],
                    };
                    Arc::new(UInt32Array::from(sightings.iter().map(name).collect::<Vec<_>>()))
                }
                Carried::BytesSent => volume(flows.src_bytes.as_ref(), flows.dst_bytes.as_ref()),
                Carried::BytesReceived => volume(flows.dst_bytes.as_ref(), flows.src_bytes.as_ref()),
                Carried::PacketsSent => volume(flows.src_packets.as_ref(), flows.dst_packets.as_ref()),
                Carried::PacketsReceived => volume(flows.dst_packets.as_ref(), flows.src_packets.as_ref()),
                Carried::ConnState => {
                    let code = |state: &str| ConnState::from_zeek(state) as u32;
                    let unknown = ConnState::Unknown as u32;
                    let states = self.states.numbers(flows.state.as_ref(), flows.len(), unknown, code);
                    Arc::new(UInt8Array::from(each(sightings, |row| states[row] as u8)))
                }
            }
        };
        carried.into_iter().map(column).collect()
    }
}

/// The flows of a batch that end in the slice. A scan may give more: it leaves out no more than whole pages.
fn within(batch: &RecordBatch, slice: Slice) -> Result<Cow<'_, RecordBatch>> {
    let Some(column) = batch.column_by_name("end_time") else { return Ok(Cow::Borrowed(batch)) };
    let ends = cast(column, &time_type())?;
    let ends = ends.as_primitive::<TimestampMicrosecondType>();
    let is_inside = |end: i64| slice.start <= end && end < slice.end;
    if ends.values().iter().all(|end| is_inside(*end)) {
        return Ok(Cow::Borrowed(batch));
    }
    let inside: BooleanArray = ends.iter().map(|end| end.map(is_inside)).collect();
    Ok(Cow::Owned(filter_record_batch(batch, &inside)?))
}

impl TextNumbers {
    /// As [`TextNumbers::of`], of a column that may not be there.
    fn numbers(
        &mut self,
        column: Option<&StringViewArray>,
        rows: usize,
        absent: u32,
        number: impl FnMut(&str) -> u32,
    ) -> Vec<u32> {
        column.map_or_else(|| vec![absent; rows], |column| self.of(column, absent, number))
    }
}

/// What each sighting shows of its flow, whichever its direction.
fn each<T>(sightings: &[Sighting], of: impl Fn(usize) -> T) -> Vec<T> {
    sightings.iter().map(|seen| of(seen.row())).collect()
}

/// What each sighting shows of its flow: one column for the initiator, another for the responder.
fn pick<T: Copy>(sightings: &[Sighting], initiator: &[T], responder: &[T]) -> Vec<T> {
    sightings.iter().map(|seen| if seen.is_inbound() { responder[seen.row()] } else { initiator[seen.row()] }).collect()
}

/// ICMP for IPv4 and for IPv6.
const fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, 1 | 58)
}
