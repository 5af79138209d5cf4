//! What holds for every flow.

use crate::hospital;
use std::net::IpAddr;
use wardflow_datasets::{ConnState, Flow, Options};

#[track_caller]
fn check(rule: &str, holds: impl Fn(&Flow) -> bool) {
    let hospital = hospital(Options { flows: Some(100_000), ..Options::default() });
    let broken = hospital.flows().find(|flow| !holds(flow));
    assert!(broken.is_none(), "{rule}: {broken:#?}");
}

#[test]
fn lies_within_the_span() {
    let (start_us, end_us) = hospital(Options::default()).span_us();
    check("within the span", |flow| start_us <= flow.start_us && flow.start_us <= flow.end_us && flow.end_us < end_us);
}

#[test]
fn has_volumes_that_its_state_allows() {
    check("a silent responder sends nothing", |flow| {
        let silent = matches!(flow.conn_state, ConnState::S0 | ConnState::Sh | ConnState::Rstos0);
        !silent || flow.dst_packets + flow.dst_bytes == 0
    });
    check("an initiator that was not seen sends nothing", |flow| {
        let unseen = matches!(flow.conn_state, ConnState::Shr | ConnState::Rstrh);
        !unseen || flow.src_packets + flow.src_bytes == 0
    });
    check("a refusal is two packets without payload", |flow| {
        flow.conn_state != ConnState::Rej
            || (flow.src_packets, flow.dst_packets, flow.src_bytes + flow.dst_bytes) == (1, 1, 0)
    });
    check("a conversation has both sides", |flow| {
        flow.conn_state != ConnState::Sf || (flow.src_packets > 0 && flow.dst_packets > 0)
    });
    check("a packet carries at most 1,400 bytes", |flow| {
        flow.src_bytes <= 1_400 * flow.src_packets && flow.dst_bytes <= 1_400 * flow.dst_packets
    });
    check("only TCP has flags", |flow| (flow.tcp_flags == 0) != (flow.protocol == 6));
    check("only TCP is refused or aborted", |flow| {
        flow.protocol == 6 || matches!(flow.conn_state, ConnState::Sf | ConnState::S0 | ConnState::Oth)
    });
}

#[test]
fn has_ends_of_one_family_with_allowed_addresses() {
    check("one family", |flow| flow.src_ip.is_ipv4() == flow.dst_ip.is_ipv4());
    check("internal or for documentation", |flow| {
        [flow.src_ip, flow.dst_ip].iter().all(|ip| match ip {
            IpAddr::V4(ip) => {
                ip.octets()[0] == 10
                    || ip.is_documentation()
                    || ip.is_multicast()
                    || ip.is_broadcast()
                    || ip.is_unspecified()
            }
            IpAddr::V6(ip) => ip.is_unique_local() || ip.segments()[..2] == [0x2001, 0xdb8] || ip.is_multicast(),
        })
    });
}
