use super::{
    super::{
        ip_bytes,
        tests::{ping, query, visit},
    },
    record::ntp,
    *,
};
use crate::{ConnState, Hospital, Options, side::state};
use std::collections::BTreeMap;

/// A decoded record: values as numbers by element, those of reverse elements by their negative.
type Decoded = BTreeMap<i32, u128>;

/// Microseconds of a time, cut as most readers do.
fn us(time: u128) -> i64 {
    let (seconds, fraction) = ((time >> 32) as i64 - 2_208_988_800, time as u32);
    seconds * 1_000_000 + ((u64::from(fraction) * 1_000_000) >> 32) as i64
}

#[derive(Default)]
struct Decoder {
    templates: BTreeMap<u16, Vec<(i32, usize)>>,
    records: Vec<Decoded>,
    /// Of each message whether it has templates.
    messages: Vec<bool>,
}

impl Decoder {
    fn read(mut file: &[u8]) -> Self {
        let mut decoder = Self::default();
        while !file.is_empty() {
            let (message, rest) = file.split_at(number(&file[2..4]) as usize);
            assert_eq!((number(&message[..2]), number(&message[12..16])), (10, 7));
            assert_eq!(number(&message[8..12]) as usize, decoder.records.len(), "sequence number");
            assert!(message.len() <= 1_400);
            decoder.messages.push(false);
            let mut sets = &message[16..];
            while !sets.is_empty() {
                let (set, others) = sets.split_at(number(&sets[2..4]) as usize);
                decoder.set(number(&set[..2]) as u16, &set[4..]);
                sets = others;
            }
            file = rest;
        }
        decoder
    }

    fn set(&mut self, id: u16, mut set: &[u8]) {
        let take = |set: &mut &[u8], length| number(set.split_off(..length).unwrap());
        if id == 2 {
            *self.messages.last_mut().unwrap() = true;
            while !set.is_empty() {
                let (template, count) = (take(&mut set, 2) as u16, take(&mut set, 2));
                let fields = (0..count).map(|_| {
                    let (element, length) = (take(&mut set, 2) as i32, take(&mut set, 2) as usize);
                    if element & 0x8000 == 0 {
                        return (element, length);
                    }
                    assert_eq!(take(&mut set, 4), 29_305);
                    (-(element & 0x7fff), length)
                });
                let fields = fields.collect();
                self.templates.insert(template, fields);
            }
            return;
        }
        while !set.is_empty() {
            let fields = &self.templates[&id];
            self.records.push(fields.iter().map(|&(element, length)| (element, take(&mut set, length))).collect());
        }
    }
}

fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u128::from(byte))
}

fn decoded(records: Records, template_every: u32, flows: &[Flow]) -> Decoder {
    let mut ipfix = Ipfix::new(Vec::new(), records, 7, template_every);
    for flow in flows {
        ipfix.write(flow).unwrap();
    }
    Decoder::read(&ipfix.finish().unwrap())
}

#[track_caller]
fn check(record: &Decoded, expected: &[(i32, u128)]) {
    for (element, value) in expected {
        assert_eq!(record.get(element), Some(value), "element {element} of {record:?}");
    }
}

#[test]
fn biflows_have_both_directions() {
    let records = decoded(Records::Biflows, 1, &[visit(), ping(), query()]).records;
    check(&records[0], &[(8, 0x0a6e_0007), (12, 0xc633_6414), (7, 50_000), (11, 443), (4, 6), (32, 0), (136, 3)]);
    check(&records[0], &[(1, 1_280), (2, 7), (6, 0x1b), (-1, 5_321), (-2, 8), (-6, 0x1b), (239, 1)]);
    check(&records[0], &[(56, 0x0200_0000_ab07), (80, 0x0252_5400_006e), (58, 110)]);
    assert_eq!((us(records[0][&154]), us(records[0][&155])), (visit().start_us, visit().end_us));
    check(&records[1], &[(7, 0), (11, 0), (4, 1), (32, 0x0800), (56, 0), (58, 0), (136, 1), (6, 0), (-6, 0)]);
    check(&records[2], &[(27, ip(query().src_ip)), (28, ip(query().dst_ip)), (139, 0), (1, 88), (-1, 0), (-2, 0)]);
}

#[test]
fn halves_are_cut_by_the_active_timeout() {
    let records = decoded(Records::Halves { active_timeout_s: 60 }, 1, &[visit(), ping(), query()]).records;
    let shapes: Vec<_> = records.iter().map(|record| [1, 2, 6, 136].map(|element| record[&element])).collect();
    let there = [[4 * 143 + 4 * 40, 4, 0x1a, 2], [2 * 143 + 142 + 3 * 40, 3, 0x19, 3]];
    let back = [[626 + 5 * 625 + 6 * 40, 6, 0x1a, 2], [2 * 625 + 2 * 40, 2, 0x19, 3]];
    assert_eq!(shapes[..4], [there, back].concat());
    assert_eq!(shapes[4..], [[84, 1, 0, 1], [84, 1, 0, 1], [88, 1, 0, 1]]);
    check(&records[2], &[(8, 0xc633_6414), (12, 0x0a6e_0007), (7, 443), (11, 50_000), (80, 0x0200_0000_ab07)]);
    assert_eq!([4, 5].map(|at: usize| records[at][&32]), [0x0800, 0], "an echo and its reply");
    assert!(!records[0].contains_key(&-1) && !records[0].contains_key(&239));
}

#[test]
fn templates_come_again_and_messages_are_full() {
    let flows: Vec<Flow> = (0..100).map(|at| if at % 3 == 0 { query() } else { visit() }).collect();
    let messages = |every| decoded(Records::Biflows, every, &flows).messages;
    let third = messages(3);
    assert!((7..10).contains(&third.len()), "{} messages", third.len());
    assert!(third.iter().enumerate().all(|(at, &has)| has == at.is_multiple_of(3)), "{third:?}");
    assert!(messages(1).iter().all(|&has| has));
    assert_eq!(messages(0).iter().filter(|&&has| has).count(), 1);
}

#[test]
fn microseconds_come_back_whether_cut_or_rounded() {
    for us in 0..1_000_000 {
        let time = ntp(1_772_409_600_000_000 + us);
        let scaled = (time & 0xffff_ffff) * 1_000_000;
        assert_eq!((time >> 32, time & 0x7ff), (1_772_409_600 + 2_208_988_800, 0));
        assert_eq!((scaled >> 32, (scaled + (1 << 31)) >> 32), (us as u64, us as u64));
    }
    assert_eq!(us(ntp(-1).into()), -1);
}

#[test]
fn pieces_of_every_flow_add_up_to_it() {
    let hospital = Hospital::new(Options { days: 1, flows: Some(20_000), ..Options::default() }).unwrap();
    let mut cut = 0;
    for flow in hospital.flows() {
        let records = decoded(Records::Halves { active_timeout_s: 60 }, 1, std::slice::from_ref(&flow)).records;
        let (mut octets, mut packets, mut flags) = ([0; 2], [0; 2], [0; 2]);
        for record in &records {
            let side = usize::from(record.get(&8).or(record.get(&27)) != Some(&ip(flow.src_ip)));
            octets[side] += record[&1] as u64;
            packets[side] += record[&2] as u64;
            flags[side] |= record[&6] as u8;
            let (start_us, end_us) = (us(record[&154]), us(record[&155]));
            assert!(flow.start_us <= start_us && start_us <= end_us && end_us <= flow.end_us, "{record:?}");
            assert!(end_us - start_us < 60_000_000, "{record:?}");
            cut += u32::from(record[&136] == 2 && flow.conn_state != ConnState::Oth);
        }
        assert_eq!((octets[0], octets[1]), ip_bytes(&flow), "{flow:#?}");
        assert_eq!(packets, [flow.src_packets, flow.dst_packets], "{flow:#?}");
        assert_eq!(state(flow.protocol, packets, flags), flow.conn_state, "{flow:#?}");
    }
    assert!(cut > 100, "{cut} pieces were cut");
}

fn ip(ip: std::net::IpAddr) -> u128 {
    match ip {
        std::net::IpAddr::V4(ip) => u32::from(ip).into(),
        std::net::IpAddr::V6(ip) => ip.into(),
    }
}
