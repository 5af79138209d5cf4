//! The record of version 5, as a template. Facts: Cisco's NetFlow Export Datagram Format, table B-4.

use std::sync::Arc;

use super::{elements::Slot, template::Template};
use crate::error::{Error, Result};

/// The fields in order, with their bytes. What is not read has no slot.
const FIELDS: [(Option<Slot>, u16); 14] = [
    (Some(Slot::SourceIpv4), 4),
    (Some(Slot::DestinationIpv4), 4),
    // Next hop.
    (None, 4),
    (Some(Slot::Ingress), 2),
    // Outgoing interface.
    (None, 2),
    (Some(Slot::Packets), 4),
    (Some(Slot::Octets), 4),
    (Some(Slot::StartUptime), 4),
    (Some(Slot::EndUptime), 4),
    (Some(Slot::SourcePort), 2),
    (Some(Slot::DestinationPort), 2),
    // Padding, and then flags and protocol; type of service, autonomous systems, masks and padding.
    (None, 1),
    (Some(Slot::TcpFlags), 1),
    (Some(Slot::Protocol), 1),
];

/// What follows the protocol.
const REST: u16 = 9;

/// The template.
pub(super) fn template() -> Result<Arc<Template>> {
    let fields = [&FIELDS[..], &[(None, REST)]].concat();
    Template::of(&fields).map(Arc::new).map_err(Error::failed)
}

#[cfg(test)]
mod tests {
    use super::template;
    use crate::archive::netflow::bare::V5_RECORD;

    #[test]
    fn has_the_length_of_a_record() {
        assert_eq!(template().unwrap().least, V5_RECORD);
    }
}
