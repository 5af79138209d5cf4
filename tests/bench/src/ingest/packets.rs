//! Flows as captured packets: one of the initiator at their start, and one of the responder, if it answers, at their end.
//!
//! Of each the headers alone are captured, as sensors do that keep no payload.

use std::{
    io::{self, Write},
    mem::swap,
    net::IpAddr,
};

use wardflow_datasets::Flow;

/// Most bytes of payload in a packet.
const MOST_PAYLOAD: u64 = 1_400;

/// Writes a capture of Ethernet frames.
pub(super) fn write(flows: impl Iterator<Item = Flow>, mut out: impl Write) -> io::Result<()> {
    // The magic number of microseconds, version 2.4, UTC, the most bytes of a packet, and Ethernet.
    [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1].iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))?;
    let mut frame = Vec::new();
    for mut flow in flows {
        packet(&flow, (flow.start_us, flow.src_bytes), &mut frame, &mut out)?;
        if flow.dst_packets > 0 {
            swap(&mut flow.src_ip, &mut flow.dst_ip);
            swap(&mut flow.src_port, &mut flow.dst_port);
            swap(&mut flow.src_mac, &mut flow.dst_mac);
            packet(&flow, (flow.end_us, flow.dst_bytes), &mut frame, &mut out)?;
        }
    }
    out.flush()
}

fn packet(flow: &Flow, (at_us, bytes): (i64, u64), frame: &mut Vec<u8>, out: &mut impl Write) -> io::Result<()> {
    let payload = bytes.min(MOST_PAYLOAD) as u32;
    frame.clear();
    frame.extend(flow.dst_mac.unwrap_or_default());
    frame.extend(flow.src_mac.unwrap_or_default());
    if let Some(vlan) = flow.vlan {
        frame.extend([0x81, 0]);
        frame.extend(vlan.to_be_bytes());
    }
    let header: u16 = if flow.protocol == 6 { 20 } else { 8 };
    let length = header + payload as u16;
    match (flow.src_ip, flow.dst_ip) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            frame.extend([8, 0, 0x45, 0]);
            frame.extend((20 + length).to_be_bytes());
            frame.extend([0, 0, 0x40, 0, 64, flow.protocol, 0, 0]);
            frame.extend(src.octets());
            frame.extend(dst.octets());
        }
        (src, dst) => {
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(length.to_be_bytes());
            frame.extend([flow.protocol, 64]);
            frame.extend(octets(src));
            frame.extend(octets(dst));
        }
    }
    let ports = [flow.src_port.to_be_bytes(), flow.dst_port.to_be_bytes()].concat();
    match flow.protocol {
        6 => frame.extend([&ports[..], &[0; 8], &[0x50, flow.tcp_flags, 1, 0, 0, 0, 0, 0]].concat()),
        17 => frame.extend([&ports[..], &length.to_be_bytes(), &[0, 0]].concat()),
        _ => frame.extend([flow.src_port as u8, flow.dst_port as u8, 0, 0, 0, 0, 0, 0]),
    }
    let captured = frame.len() as u32;
    let head = [(at_us / 1_000_000) as u32, (at_us % 1_000_000) as u32, captured, captured + payload];
    head.iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))?;
    out.write_all(frame)
}
