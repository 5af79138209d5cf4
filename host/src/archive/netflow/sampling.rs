//! How many packets an exporter passes over.
//!
//! A record's own elements count first, then what options data say of its sampler, of its interface, of the domain, and
//! then version 5's header. Records that come before those options data have no interval.
//!
//! | elements | one packet in |
//! |---|---|
//! | `samplingInterval`, `samplerRandomInterval` | so many |
//! | `samplingPacketInterval` n, `samplingPacketSpace` m (RFC 5476, 6.5.2) | (n + m) / n, rounded |
//! | `samplingPacketInterval` n alone, against the RFC | n |

use std::collections::HashMap;

use super::{elements::Slot, fields::Fields};

/// Samplers and interfaces of a domain that are kept at most. Further ones have no interval.
const MOST_SAMPLERS: usize = 256;

/// What is known of a domain's sampling.
#[derive(Debug, Default)]
pub(super) struct Sampling {
    domain: Option<u32>,
    parts: HashMap<Part, u32>,
}

/// A part of a domain with a sampling of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Sampler(u64),
    Interface(u64),
}

impl Sampling {
    /// Learns from options data.
    pub(super) fn learn(&mut self, fields: Fields<'_>) {
        let Some(interval) = interval(fields) else {
            return;
        };
        match sampler(fields).or_else(|| interface(fields)) {
            None => self.domain = Some(interval),
            Some(part) => {
                if self.parts.len() < MOST_SAMPLERS || self.parts.contains_key(&part) {
                    self.parts.insert(part, interval);
                }
            }
        }
    }

    /// One packet in so many was seen for a record; none if that is not known.
    #[inline]
    pub(super) fn of(&self, fields: Fields<'_>, header: Option<u32>) -> Option<u32> {
        let of_part = |part: Option<Part>| part.and_then(|part| self.parts.get(&part).copied());
        let own = interval(fields);
        if self.parts.is_empty() {
            return own.or(self.domain).or(header);
        }
        own.or_else(|| of_part(sampler(fields))).or_else(|| of_part(interface(fields))).or(self.domain).or(header)
    }
}

#[inline]
fn sampler(fields: Fields<'_>) -> Option<Part> {
    fields.first(&[Slot::SamplerId, Slot::SelectorId]).map(Part::Sampler)
}

#[inline]
fn interface(fields: Fields<'_>) -> Option<Part> {
    fields.number(Slot::Ingress).map(Part::Interface)
}

#[inline]
fn interval(fields: Fields<'_>) -> Option<u32> {
    let plain = fields.first(&[Slot::SamplingInterval, Slot::SamplerRandomInterval]);
    let interval = plain.or_else(|| {
        let seen = fields.number(Slot::SamplingPacketInterval)?;
        match fields.number(Slot::SamplingPacketSpace) {
            Some(passed) if seen > 0 => Some(seen.saturating_add(passed).saturating_add(seen / 2) / seen),
            _ => Some(seen),
        }
    })?;
    u32::try_from(interval).ok().filter(|interval| *interval > 0)
}
