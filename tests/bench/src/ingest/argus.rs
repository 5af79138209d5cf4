//! Flows as Argus tells of them, in the text that `ra -c , -u -Z b` prints.

use std::io::{self, Write};

use wardflow_datasets::{Flow, export::ip_bytes};

/// Bytes of an Ethernet header, which Argus counts.
const FRAME: u64 = 14;

/// Writes them.
pub(super) fn write(flows: impl Iterator<Item = Flow>, mut out: impl Write) -> io::Result<()> {
    writeln!(out, "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,TotPkts,TotBytes,SrcPkts,SrcBytes")?;
    for flow in flows {
        let (sent, received) = ip_bytes(&flow);
        let (sent, received) = (sent + FRAME * flow.src_packets, received + FRAME * flow.dst_packets);
        let is_answered = flow.dst_packets > 0;
        let (protocol, state) = match (flow.protocol, is_answered) {
            (6, true) => ("tcp", "FSPA_FSPA"),
            (6, false) => ("tcp", "S_"),
            (17, true) => ("udp", "CON"),
            (17, false) => ("udp", "INT"),
            (1, _) => ("icmp", "ECO"),
            (58, _) => ("ipv6-icmp", "ECO"),
            _ => ("unas", "INT"),
        };
        let arrow = if is_answered && protocol == "udp" { "  <->" } else { "   ->" };
        let (start, duration) = (flow.start_us, flow.end_us - flow.start_us);
        writeln!(
            out,
            "{}.{:06},{}.{:06},{protocol},{},{},{arrow},{},{},{state},{},{},{},{sent}",
            start / 1_000_000,
            start % 1_000_000,
            duration / 1_000_000,
            duration % 1_000_000,
            flow.src_ip,
            flow.src_port,
            flow.dst_ip,
            flow.dst_port,
            flow.src_packets + flow.dst_packets,
            sent + received,
            flow.src_packets,
        )?;
    }
    out.flush()
}
