use super::{
    super::tests::{ping, query, visit},
    *,
};

#[track_caller]
fn check(flow: &Flow, expected: &str) {
    let mut eve = Eve::new(Vec::new());
    eve.write(flow).unwrap();
    assert_eq!(String::from_utf8(eve.finish().unwrap()).unwrap(), expected);
}

#[test]
fn a_name_comes_before_its_flow() {
    check(
        &visit(),
        concat!(
            r#"{"timestamp":"2026-03-02T00:00:00.000001+0000","flow_id":42,"in_iface":"tap0","event_type":"tls","#,
            r#""vlan":[110],"src_ip":"10.110.0.7","src_port":50000,"dest_ip":"198.51.100.20","dest_port":443,"#,
            r#""proto":"TCP","pkt_src":"wire/pcap","#,
            r#""ether":{"src_mac":"02:00:00:00:ab:07","dest_mac":"02:52:54:00:00:6e"},"#,
            r#""community_id":"1:sw7I7C79b9Gs/sdqfymBNrZhPwI=","tls":{"sni":"ingest.pulsewisp.example"},"#,
            r#""host":"clinical-a"}"#,
            "\n",
            r#"{"timestamp":"2026-03-02T00:01:30.250000+0000","flow_id":42,"in_iface":"tap0","event_type":"flow","#,
            r#""vlan":[110],"src_ip":"10.110.0.7","src_port":50000,"dest_ip":"198.51.100.20","dest_port":443,"#,
            r#""proto":"TCP","app_proto":"tls","flow":{"pkts_toserver":7,"pkts_toclient":8,"#,
            r#""bytes_toserver":1378,"bytes_toclient":5433,"start":"2026-03-02T00:00:00.000001+0000","#,
            r#""end":"2026-03-02T00:01:30.250000+0000","age":90,"state":"closed","reason":"timeout","#,
            r#""alerted":false},"ether":{"dest_macs":["02:52:54:00:00:6e"],"src_macs":["02:00:00:00:ab:07"]},"#,
            r#""community_id":"1:sw7I7C79b9Gs/sdqfymBNrZhPwI=","tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","#,
            r#""tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed","#,
            r#""ts_max_regions":1,"tc_max_regions":1},"host":"clinical-a"}"#,
            "\n",
        ),
    );
}

#[test]
fn queries_and_pings() {
    let common = r#""in_iface":"tap0","event_type":"#;
    let line = |at, rest: &str| format!(r#"{{"timestamp":"2026-03-02T00:0{at}+0000","flow_id":42,{common}{rest}"#);
    let query_head = concat!(
        r#""vlan":[110],"src_ip":"fd00:a::7","src_port":50000,"dest_ip":"2001:db8::2","dest_port":53,"#,
        r#""proto":"UDP","#
    );
    let dns = format!(
        "{}{query_head}{}\n",
        line("0:00.000001", r#""dns","#),
        concat!(
            r#""pkt_src":"wire/pcap","ether":{"src_mac":"02:00:00:00:ab:07","dest_mac":"02:52:54:00:00:6e"},"#,
            r#""community_id":"1:VYrl5AExRJJy5HDWyioUbqZK/u8=","dns":{"type":"query","id":42,"#,
            r#""rrname":"a\"b.example","rrtype":"A","tx_id":0,"opcode":0},"host":"clinical-a"}"#,
        )
    );
    let flow = format!(
        "{}{query_head}{}\n",
        line("1:30.250000", r#""flow","#),
        concat!(
            r#""app_proto":"dns","flow":{"pkts_toserver":1,"pkts_toclient":0,"bytes_toserver":102,"#,
            r#""bytes_toclient":0,"start":"2026-03-02T00:00:00.000001+0000","#,
            r#""end":"2026-03-02T00:01:30.250000+0000","age":90,"state":"new","reason":"timeout","#,
            r#""alerted":false},"ether":{"dest_macs":["02:52:54:00:00:6e"],"src_macs":["02:00:00:00:ab:07"]},"#,
            r#""community_id":"1:VYrl5AExRJJy5HDWyioUbqZK/u8=","host":"clinical-a"}"#,
        )
    );
    check(&query(), &(dns + &flow));
    let ping_line = format!(
        "{}{}\n",
        line("1:30.250000", r#""flow","#),
        concat!(
            r#""src_ip":"10.110.0.7","dest_ip":"198.51.100.20","proto":"ICMP","icmp_type":8,"icmp_code":0,"#,
            r#""response_icmp_type":0,"response_icmp_code":0,"flow":{"pkts_toserver":1,"pkts_toclient":1,"#,
            r#""bytes_toserver":98,"bytes_toclient":98,"start":"2026-03-02T00:00:00.000001+0000","#,
            r#""end":"2026-03-02T00:01:30.250000+0000","age":90,"state":"established","reason":"timeout","#,
            r#""alerted":false},"community_id":"1:WMa3Hsrfqziy32CoETnuJk/38ak=","host":"clinical-a"}"#,
        )
    );
    check(&ping(), &ping_line);
}
