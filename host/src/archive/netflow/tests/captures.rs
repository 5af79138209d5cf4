use super::{
    build::{Put, RECORD, ethernet, ip, pcap, v5},
    read, read_with, without_reports,
};

fn payload() -> Vec<u8> {
    v5(1, 0, &[RECORD])
}

/// What a capture's first record is, and whose.
fn first(capture: &[u8]) -> String {
    read_with(capture, None, |flow| flow.sensor.unwrap_or_default().to_owned()).remove(0)
}

#[test]
fn links_of_every_kind() {
    let v4 = ip("192.0.2.1", 9_995, &payload());
    let v6 = ip("2001:db8::7", 9_995, &payload());
    let tagged = |tags: &[u64]| {
        let frame = tags.iter().fold(vec![2; 12], |frame, tag| frame.put(*tag, 2).put(5, 2));
        [frame.put(0x0800, 2), v4.clone()].concat()
    };
    for (link, frame) in [
        (1, ethernet(&v4)),
        (1, tagged(&[0x8100])),
        (1, tagged(&[0x88a8, 0x8100])),
        (0, [vec![2, 0, 0, 0], v4.clone()].concat()),
        (108, [vec![0, 0, 0, 2], v4.clone()].concat()),
        (101, v4.clone()),
        (113, [vec![0; 14], vec![8, 0], v4.clone()].concat()),
    ] {
        assert_eq!(first(&pcap(link, &[frame])), "part 192.0.2.1", "{link}");
    }
    assert_eq!(first(&pcap(1, &[ethernet(&v6)])), "part 2001:db8::7");
    // Padding after the packet is none of the datagram.
    assert_eq!(read(&pcap(1, &[[ethernet(&v4), vec![7; 9]].concat()]), None)[0], "part Some(900) None");
    let mut extended = [v6[..40].to_vec(), vec![60, 0, 0, 0, 0, 0, 0, 0], vec![17, 1], vec![0; 14], v6[40..].to_vec()];
    extended[0][6] = 0;
    assert_eq!(first(&pcap(101, &[extended.concat()])), "part 2001:db8::7");
}

#[test]
fn cooked_of_the_second_kind_and_big_endian() {
    let frame = [vec![8, 0], vec![0; 18], ip("192.0.2.1", 1, &payload())].concat();
    let mut capture = vec![0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4].put(0, 8).put(65_535, 4).put(276, 4).put(0, 8);
    capture = capture.put(frame.len() as u64, 4).put(frame.len() as u64, 4);
    assert_eq!(first(&[capture, frame].concat()), "part 192.0.2.1");
}

#[test]
fn other_packets_are_counted() {
    let udp = |payload: &[u8]| ip("192.0.2.1", 1, payload);
    let mut fragment = udp(&payload());
    fragment[6] = 0x20;
    let mut last_fragment = udp(&payload());
    last_fragment[7] = 0x10;
    let mut tcp = udp(&payload());
    tcp[9] = 6;
    let mut v6_fragment = ip("2001:db8::7", 1, &payload());
    v6_fragment[6] = 44;
    v6_fragment[42..44].copy_from_slice(&[0, 1]);
    let sflow = udp(&[0, 0, 0, 5, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0]);
    let dns = udp(b"\0\x05\x01\0\0\x01\0\0\0\0\0\0\x03www\0\0\x01\0\x01");
    let frames = [fragment, last_fragment, tcp, v6_fragment, sflow, dns, udp(b""), vec![0x45, 0], vec![], vec![0x13]];
    let expected =
        ["fragment", "fragment", "packet", "fragment", "sflow", "packet", "packet", "packet", "packet", "packet"];
    assert_eq!(read(&pcap(101, &frames), None), expected);
    assert_eq!(read(&pcap(1, &[vec![1; 60], vec![]]), None), ["packet", "packet"]);
}

#[test]
fn cut_captures_are_told() {
    let whole = ethernet(&ip("192.0.2.1", 1, &v5(1, 0, &[RECORD; 3])));
    let snapped = pcap(1, &[whole[..whole.len() - 60].to_vec()]);
    let seen = without_reports(read(&snapped, None));
    assert_eq!(
        seen,
        ["part Some(900) None", "reject 82 the datagram has 108 bytes; by its header it must have 168 raw 36"]
    );
    let capture = pcap(1, &[whole.clone(), whole]);
    let seen = without_reports(read(&capture[..capture.len() - 1], None));
    let reason = "the capture ends in the midst of a packet, 225 bytes after its first; nothing after it can be read";
    assert_eq!(seen[3], format!("reject 250 {reason} raw 225"));
    let mut long = pcap(1, &[vec![0; 4]]);
    long[32..36].copy_from_slice(&300_000_u32.to_le_bytes());
    let reason = "the packet has 300000 bytes; it must have 262144 at most; nothing after it can be read";
    assert_eq!(read(&long, None), [format!("reject 24 {reason} raw 20")]);
}

/// A block of a pcapng file in little-endian order.
fn block(kind: u32, content: &[&[u8]]) -> Vec<u8> {
    let mut content = content.concat();
    content.resize(content.len().next_multiple_of(4), 0);
    let length = u32::try_from(12 + content.len()).unwrap().to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &content, &length].concat()
}

fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &[&[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0], &[0xff; 8]])
}

fn interface(link: u8) -> Vec<u8> {
    block(1, &[&[link, 0, 0, 0], &[0, 0, 4, 0]])
}

fn enhanced(interface: u32, frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
    block(6, &[&interface.to_le_bytes(), &[0; 8], &length, &length, frame])
}

#[test]
fn pcapng_has_interfaces_and_other_blocks() {
    let v4 = ip("192.0.2.1", 1, &payload());
    let length = u32::try_from(v4.len()).unwrap().to_le_bytes();
    let capture = [
        section(),
        interface(1),
        block(5, &[&vec![0; 400_000]]),
        interface(101),
        enhanced(1, &v4),
        enhanced(0, &ethernet(&v4)),
        block(2, &[&[1, 0, 0, 0], &[0; 8], &length, &length, &v4]),
        enhanced(2, &v4),
        section(),
        interface(101),
        block(3, &[&length, &v4]),
        enhanced(1, &v4),
        interface(105),
        enhanced(1, &v4),
    ];
    let seen = without_reports(read_with(&capture.concat(), None, |flow| flow.sensor.unwrap_or("-").to_owned()));
    let reasons: Vec<_> = seen.iter().map(|text| text.split(" raw").next().unwrap()).collect();
    assert_eq!(reasons[..3], ["part 192.0.2.1"; 3]);
    assert!(reasons[3].ends_with("the packet is of interface 2; there are 2"));
    assert_eq!(reasons[4], "part 192.0.2.1");
    assert!(reasons[5].ends_with("the packet is of interface 1; there are 1"));
    assert!(reasons[6].ends_with("the packet is of link type 105, which is not read"));
    assert_eq!(seen.len(), 7);
}

#[test]
fn damaged_pcapng_ends() {
    let v4 = ip("192.0.2.1", 1, &payload());
    let check = |blocks: &[Vec<u8>], reason: &str| {
        let seen = without_reports(read(&blocks.concat(), None));
        assert!(seen.last().unwrap().contains(reason), "{seen:?}");
    };
    let mut magic = section();
    magic[8] = 0;
    check(&[magic], "byte-order magic is not 0x1A2B3C4D; nothing after it can be read");
    let mut odd = enhanced(0, &v4);
    odd[4] = 13;
    check(&[section(), interface(101), odd], "the block has 13 bytes");
    let mut long = enhanced(0, &v4);
    long[6] = 99;
    check(&[section(), interface(101), long], "it must have 327680 at most");
    let mut unlike = enhanced(0, &v4);
    *unlike.last_mut().unwrap() = 1;
    check(&[section(), interface(101), unlike], "the block of kind 6 has 132 bytes, and does not end so");
    let mut far = block(5, &[&[0; 8]]);
    far[6] = 9;
    check(
        &[section(), interface(101), far, enhanced(0, &v4)],
        "the block of kind 5 has 589844 bytes, and does not end",
    );
    let mut full = enhanced(0, &v4);
    full[21] = 9;
    check(&[section(), interface(101), full], "where its block has room for");
    check(&[section(), interface(101), block(6, &[&[0; 4]])], "the block of kind 6 has 16 bytes; it must have 32");
    check(&[section(), interface(101), enhanced(0, &v4)[..40].to_vec()], "the capture ends in the midst of a packet");
}
