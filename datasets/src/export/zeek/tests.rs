use super::{
    super::tests::{ping, query, visit},
    *,
};
use crate::{ConnState, Hospital, Options};

fn written(log: Log, format: Format, flows: &[Flow]) -> String {
    let mut zeek = Zeek::new(Vec::new(), log, format, 1_772_409_600_000_000).unwrap();
    for flow in flows {
        zeek.write(flow).unwrap();
    }
    String::from_utf8(zeek.finish().unwrap()).unwrap()
}

/// `|` stands for a tab.
#[track_caller]
fn check(log: Log, format: Format, expected: &str) {
    assert_eq!(written(log, format, &[visit(), ping(), query()]), expected.replace('|', "\t"));
}

#[test]
fn conn_log_as_tsv() {
    check(
        Log::Conn,
        Format::Tsv,
        "#separator \\x09\n#set_separator|,\n#empty_field|(empty)\n#unset_field|-\n#path|conn\n\
         #open|2026-03-02-00-00-00\n\
         #fields|ts|uid|id.orig_h|id.orig_p|id.resp_h|id.resp_p|proto|service|duration|orig_bytes|resp_bytes|conn_state\
         |local_orig|local_resp|missed_bytes|history|orig_pkts|orig_ip_bytes|resp_pkts|resp_ip_bytes|tunnel_parents\
         |orig_l2_addr|resp_l2_addr|vlan|inner_vlan|community_id\n\
         #types|time|string|addr|port|addr|port|enum|string|interval|count|count|string\
         |bool|bool|count|string|count|count|count|count|set[string]|string|string|int|int|string\n\
         1772409600.000001|CAzL8n0Y58mo|10.110.0.7|50000|198.51.100.20|443|tcp|ssl|90.249999|1000|5001|SF|T|F|0\
         |ShADadFf|7|1280|8|5321|-|02:00:00:00:ab:07|02:52:54:00:00:6e|110|-|1:sw7I7C79b9Gs/sdqfymBNrZhPwI=\n\
         1772409600.000001|CAzL8n0Y58mo|10.110.0.7|8|198.51.100.20|0|icmp|-|90.249999|56|56|OTH|T|F|0|-\
         |1|84|1|84|-|-|-|-|-|1:WMa3Hsrfqziy32CoETnuJk/38ak=\n\
         1772409600.000001|CAzL8n0Y58mo|fd00:a::7|50000|2001:db8::2|53|udp|dns|90.249999|40|0|S0|T|F|0|D\
         |1|88|0|0|-|02:00:00:00:ab:07|02:52:54:00:00:6e|110|-|1:VYrl5AExRJJy5HDWyioUbqZK/u8=\n\
         #close|2026-03-02-00-01-30\n",
    );
}

#[test]
fn conn_log_as_json() {
    let instant = Flow { end_us: visit().start_us, ..visit() };
    assert_eq!(
        written(Log::Conn, Format::Json, &[visit(), instant]),
        concat!(
            r#"{"_path":"conn","_system_name":"clinical-a","ts":1772409600.000001,"uid":"CAzL8n0Y58mo","#,
            r#""id.orig_h":"10.110.0.7","id.orig_p":50000,"id.resp_h":"198.51.100.20","id.resp_p":443,"proto":"tcp","#,
            r#""service":"ssl","duration":90.249999,"orig_bytes":1000,"resp_bytes":5001,"conn_state":"SF","#,
            r#""local_orig":true,"local_resp":false,"missed_bytes":0,"history":"ShADadFf","orig_pkts":7,"#,
            r#""orig_ip_bytes":1280,"resp_pkts":8,"resp_ip_bytes":5321,"orig_l2_addr":"02:00:00:00:ab:07","#,
            r#""resp_l2_addr":"02:52:54:00:00:6e","vlan":110,"community_id":"1:sw7I7C79b9Gs/sdqfymBNrZhPwI="}"#,
            "\n",
            r#"{"_path":"conn","_system_name":"clinical-a","ts":1772409600.000001,"uid":"CAzL8n0Y58mo","#,
            r#""id.orig_h":"10.110.0.7","id.orig_p":50000,"id.resp_h":"198.51.100.20","id.resp_p":443,"proto":"tcp","#,
            r#""service":"ssl","conn_state":"SF","#,
            r#""local_orig":true,"local_resp":false,"missed_bytes":0,"history":"ShADadFf","orig_pkts":7,"#,
            r#""orig_ip_bytes":1280,"resp_pkts":8,"resp_ip_bytes":5321,"orig_l2_addr":"02:00:00:00:ab:07","#,
            r#""resp_l2_addr":"02:52:54:00:00:6e","vlan":110,"community_id":"1:sw7I7C79b9Gs/sdqfymBNrZhPwI="}"#,
            "\n",
        )
    );
}

#[test]
fn names_are_in_logs_of_their_own() {
    check(
        Log::Ssl,
        Format::Tsv,
        "#separator \\x09\n#set_separator|,\n#empty_field|(empty)\n#unset_field|-\n#path|ssl\n\
         #open|2026-03-02-00-00-00\n\
         #fields|ts|uid|id.orig_h|id.orig_p|id.resp_h|id.resp_p|version|cipher|curve|server_name|resumed|last_alert\
         |next_protocol|established|ssl_history|cert_chain_fps|client_cert_chain_fps|sni_matches_cert\n\
         #types|time|string|addr|port|addr|port|string|string|string|string|bool|string|string|bool|string\
         |vector[string]|vector[string]|bool\n\
         1772409600.000001|CAzL8n0Y58mo|10.110.0.7|50000|198.51.100.20|443|-|-|-|ingest.pulsewisp.example|F|-|-|T|Cs\
         |-|-|-\n\
         #close|2026-03-02-00-01-30\n",
    );
    check(
        Log::Dns,
        Format::Json,
        concat!(
            r#"{"_path":"dns","_system_name":"clinical-a","ts":1772409600.000001,"uid":"CAzL8n0Y58mo","#,
            r#""id.orig_h":"fd00:a::7","id.orig_p":50000,"id.resp_h":"2001:db8::2","id.resp_p":53,"proto":"udp","#,
            r#""query":"a\"b.example","AA":false,"TC":false,"RD":true,"RA":false,"Z":0,"rejected":false}"#,
            "\n",
        ),
    );
}

#[test]
fn histories_tell_the_flags_but_for_push_and_the_ack_of_a_refusal() {
    let hospital = Hospital::new(Options { flows: Some(200_000), ..Options::default() }).unwrap();
    let (_, history) = CONN.iter().map(|field| (field.name, field.value)).find(|(name, _)| *name == "history").unwrap();
    for flow in hospital.flows().filter(|flow| flow.protocol == 6) {
        let mut text = String::new();
        history(&flow, &mut text).unwrap();
        let told = text.chars().fold(0, |flags, letter| {
            flags
                | match letter.to_ascii_lowercase() {
                    's' => 0x02,
                    'h' => 0x12,
                    'a' => 0x10,
                    'f' => 0x01,
                    'r' => 0x04,
                    _ => 0,
                }
        });
        let untold = if flow.conn_state == ConnState::Rej { 0x18 } else { 0x08 };
        assert_eq!(told, flow.tcp_flags & !untold, "{text}: {flow:#?}");
    }
}

#[test]
fn uids_differ_and_have_one_length() {
    assert_eq!([uid(0), uid(61), uid(62)], ["C00000000000", "C0000000000z", "C00000000010"]);
    assert_eq!(uid(u64::MAX).len(), 12);
}
