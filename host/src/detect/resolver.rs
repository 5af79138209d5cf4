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
    sightings::{Sighting, Sightings},
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
    /// Addresses that are not always the same device, with their numbers.
    dependent: Vec<(Arc<Endpoint>, u32)>,
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
    /// Rows of one device in few runs.
    pub(super) rows: RecordBatch,
    /// Flows that no device is an end of.
    pub(super) unresolved: usize,
}

/// What is known of an address: the device behind it whenever, `NONE` for none, and its number as a peer; or that it
/// `DEPENDS`, and the place of the address among those that do.
#[derive(Clone, Copy)]
struct Known {
    device: u32,
    peer: u32,
}

/// In place of a device: who is behind the address depends on the time or on the MAC address.
const DEPENDS: u32 = NONE - 1;

/// One end of each flow: numbers of the device, and of what the other end meets. `NONE` of an address that is none.
struct Ends {
    devices: Vec<u32>,
    peers: Vec<u32>,
}

impl Resolver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            needs_mac: shared.directory.world().inventory.needs_mac(),
            only: shared.only.as_ref().map(|ids| ids.iter().map(|id| shared.directory.device(id)).collect()),
            schema: shared.layout.schema(),
            addresses: TextNumbers::default(),
            known: Vec::new(),
            dependent: Vec::new(),
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
        let (sightings, unresolved) = self.sightings(&src, &dst);
        if self.shared.is_everything() {
            observe(batch, &self.shared.observed)?;
            self.shared.observed.add(&Counts { unresolved: unresolved as u64, ..Counts::default() });
        }
        let columns = self.columns(&flows, &src, &dst, &sightings);
        Ok(Resolved { rows: RecordBatch::try_new(Arc::clone(&self.schema), columns)?, unresolved })
    }

    fn ends(&mut self, addresses: &StringViewArray, macs: Option<&StringViewArray>, flows: &Flows) -> Ends {
        let directory = &self.shared.directory;
        let (known, dependent, needs_mac) = (&mut self.known, &mut self.dependent, self.needs_mac);
        let numbers = self.addresses.of(addresses, NONE, |text| {
            known.push(match text.parse::<IpAddr>() {
                Err(_) => Known { device: NONE, peer: NONE },
                Ok(ip) => {
                    let (number, endpoint) = directory.endpoint(ip);
                    match endpoint.always() {
                        Some(device) if !(needs_mac && endpoint.scope == IpScope::Internal) => {
                            let device = device.unwrap_or(NONE);
                            Known { device, peer: directory.peer(number, device) }
                        }
                        _ => {
                            dependent.push((endpoint, number));
                            Known { device: DEPENDS, peer: (dependent.len() - 1) as u32 }
                        }
                    }
                }
            });
            (known.len() - 1) as u32
        });
        let known = |number: &u32| self.known[*number as usize];
        let mut ends = Ends {
            devices: numbers.iter().map(|number| known(number).device).collect(),
            peers: numbers.iter().map(|number| known(number).peer).collect(),
        };
        if !self.dependent.is_empty() {
            self.settle(&mut ends, macs, flows);
        }
        ends
    }

    /// Finds the devices behind addresses where they depend on the flow.
    fn settle(&mut self, ends: &mut Ends, macs: Option<&StringViewArray>, flows: &Flows) {
        let mut pairs = std::mem::take(&mut self.pairs);
        for (row, (device, peer)) in ends.devices.iter_mut().zip(&mut ends.peers).enumerate() {
            if *device == DEPENDS {
                let (endpoint, number) = &self.dependent[*peer as usize];
                *device = self.device(endpoint, macs, row, flows.end.value(row)).unwrap_or(NONE);
                let pair = (*number, *device);
                *peer = *pairs.entry(pair).or_insert_with(|| self.shared.directory.peer(pair.0, pair.1));
            }
        }
        self.pairs = pairs;
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

    /// What devices see, and how many flows none sees.
    fn sightings(&mut self, src: &Ends, dst: &Ends) -> (Sightings, usize) {
        self.places.extend(&self.shared);
        let mut unwatched = Vec::new();
        let mut is_seen = vec![false; src.devices.len()];
        let found = [(src, dst, false), (dst, src, true)].map(|(own, other, is_inbound)| {
            let mut found = Vec::with_capacity(is_seen.len());
            let mut first = 0;
            for run in own.devices.chunk_by(|a, b| a == b) {
                let rows = first..first + run.len();
                first = rows.end;
                let device = run[0];
                if device == NONE || self.only.as_ref().is_some_and(|only| !only.contains(&device)) {
                    continue;
                }
                let seen = rows.filter(|row| own.peers[*row] != NONE && other.peers[*row] != NONE);
                let seen = seen.inspect(|row| is_seen[*row] = true);
                match self.places.of(device) {
                    Some(place) => found.extend(seen.map(|row| (place, Sighting::new(row, is_inbound)))),
                    None => unwatched.push((device, seen.count() as u64)),
                }
            }
            found
        });
        self.shared.unwatched.add(&unwatched);
        (Sightings::new(found, &self.places), is_seen.iter().filter(|is_seen| !**is_seen).count())
    }

    fn columns(&mut self, flows: &Flows, src: &Ends, dst: &Ends, seen: &Sightings) -> Vec<ArrayRef> {
        let (starts, times) = (flows.start.values(), flows.end.values());
        let (src_ports, dst_ports) = (flows.src_port.values(), flows.dst_port.values());
        let protocols = flows.protocol.values();
        // ICMP has a type and a code in place of ports, and they are nobody's.
        let ports = |initiators: &[u16], responders: &[u16]| -> ArrayRef {
            let port = |((initiator, responder), protocol): ((&u16, &u16), &u8)| match is_icmp(*protocol) {
                true => *initiator,
                false => *responder,
            };
            let responders: Vec<_> = initiators.iter().zip(responders).zip(protocols).map(port).collect();
            Arc::new(UInt16Array::from(seen.pick(initiators, &responders)))
        };
        let volume = |own: Option<&UInt64Array>, other: Option<&UInt64Array>| -> ArrayRef {
            let (own, other) = (volumes(own, flows.len()), volumes(other, flows.len()));
            Arc::new(UInt64Array::from(seen.pick(&own, &other)))
        };
        let carried = self.shared.layout.carried().to_vec();
        let column = |carried: Carried| -> ArrayRef {
            match carried {
                Carried::Shard => Arc::new(UInt8Array::from(seen.shards().to_vec())),
                Carried::Device => Arc::new(UInt32Array::from(seen.pick(&src.devices, &dst.devices))),
                Carried::Peer => Arc::new(UInt32Array::from(seen.pick(&dst.peers, &src.peers))),
                Carried::Start => {
                    // A record may have its times the wrong way round.
                    let starts: Vec<_> = starts.iter().zip(times).map(|(start, end)| *start.min(end)).collect();
                    Arc::new(Int64Array::from(seen.each(&starts)))
                }
                Carried::End => Arc::new(Int64Array::from(seen.each(times))),
                Carried::Direction => {
                    let [outbound, inbound] =
                        [Direction::Outbound, Direction::Inbound].map(|d| vec![d as u8; flows.len()]);
                    Arc::new(UInt8Array::from(seen.pick(&outbound, &inbound)))
                }
                Carried::LocalPort => ports(src_ports, dst_ports),
                Carried::PeerPort => ports(dst_ports, src_ports),
                Carried::Protocol => Arc::new(UInt8Array::from(seen.each(protocols))),
                Carried::Service => {
                    let numbers = self.services.numbers(flows.service.as_ref(), flows.len(), 0, name_id);
                    Arc::new(UInt32Array::from(seen.each(&numbers)))
                }
                Carried::Name => {
                    let directory = &self.shared.directory;
                    let numbers = self.names.numbers(flows.name.as_ref(), flows.len(), 0, |name| directory.name(name));
                    // It is the responder's name. A flow to a name server carries the name that was asked for, which
                    // is not the server's.
                    let name = |(number, port): (u32, &u16)| if *port == DNS_PORT { 0 } else { number };
                    let names: Vec<_> = numbers.into_iter().zip(dst_ports).map(name).collect();
                    Arc::new(UInt32Array::from(seen.pick(&names, &vec![0; names.len()])))
                }
                Carried::BytesSent => volume(flows.src_bytes.as_ref(), flows.dst_bytes.as_ref()),
                Carried::BytesReceived => volume(flows.dst_bytes.as_ref(), flows.src_bytes.as_ref()),
                Carried::PacketsSent => volume(flows.src_packets.as_ref(), flows.dst_packets.as_ref()),
                Carried::PacketsReceived => volume(flows.dst_packets.as_ref(), flows.src_packets.as_ref()),
                Carried::ConnState => {
                    let code = |state: &str| ConnState::from_zeek(state) as u32;
                    let unknown = ConnState::Unknown as u32;
                    let states = self.states.numbers(flows.state.as_ref(), flows.len(), unknown, code);
                    let states: Vec<_> = states.into_iter().map(|state| state as u8).collect();
                    Arc::new(UInt8Array::from(seen.each(&states)))
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

/// ICMP for IPv4 and for IPv6.
const fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, 1 | 58)
}
