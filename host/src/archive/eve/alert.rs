//! Events `alert` as remarks of an IDS.

use super::{
    event::Event,
    flow::{self, IP, PROTOCOL},
    protocol, time,
    value::{Value, as_number, as_text, optional, required},
};
use crate::archive::{
    aside::IdsEvent,
    tcp::{ICMP, ICMPV6},
    values,
};

/// The remark, without sensor and flow. On failure the reason.
pub(super) fn alert(event: &Event<'_>) -> Result<IdsEvent, String> {
    let alert = &event.alert;
    let owned = |value: &Value<'_>| value.text().map(str::to_owned);
    let remark = IdsEvent {
        time: required("timestamp", &event.timestamp, as_text(time::micros), time::RULE)?,
        origin: "suricata".into(),
        signature_id: Some(required("alert.signature_id", &alert.signature_id, as_number, "a signature's number")?),
        signature: owned(&alert.signature).unwrap_or_default(),
        category: owned(&alert.category),
        severity: optional("alert.severity", &alert.severity, as_number, "a number from 0 to 255")?,
        action: owned(&alert.action),
        community_id: owned(&event.community_id),
        ..IdsEvent::default()
    };
    as_in_flow(event, remark)
}

/// Adds the ends of the flow. An alert has those of its packet, which may be an answer: from version 7 on it says so.
/// In earlier versions an answer's stay as they are.
fn as_in_flow(event: &Event<'_>, remark: IdsEvent) -> Result<IdsEvent, String> {
    let src_ip = optional("src_ip", &event.src_ip, as_text(values::ip), IP)?;
    let dst_ip = optional("dest_ip", &event.dest_ip, as_text(values::ip), IP)?;
    let protocol = optional("proto", &event.proto, as_text(protocol::number), PROTOCOL)?;
    let [src_port, dst_port] = flow::ports(event, protocol)?;
    let (src, dst) = ((src_ip, src_port), (dst_ip, dst_port));
    let is_answer = event.direction.text() == Some("to_client");
    let (src, dst) = match (is_answer, protocol) {
        (false, _) => (src, dst),
        // Type and code are no ends.
        (true, Some(ICMP | ICMPV6)) => ((dst_ip, src_port), (src_ip, dst_port)),
        (true, _) => (dst, src),
    };
    Ok(IdsEvent { src_ip: src.0, src_port: src.1, dst_ip: dst.0, dst_port: dst.1, protocol, ..remark })
}

#[cfg(test)]
mod tests {
    use super::IdsEvent;
    use crate::archive::{
        aside::Aside,
        eve::{
            EveLog,
            flow_tests::{START, reason},
        },
        reader::{Reader, Record},
    };

    const LINE: &str = concat!(
        r#"{"timestamp":"2021-06-07T07:34:12.260567+0200","flow_id":5,"event_type":"alert","src_ip":"10.0.0.1","#,
        r#""src_port":443,"dest_ip":"10.0.0.5","dest_port":40000,"proto":"TCP","community_id":"1:x","#,
        r#""alert":{"action":"allowed","gid":1,"signature_id":2403388,"rev":6,"signature":"ET \"X\"","#,
        r#""category":"Misc Attack","severity":2},"host":"ward-1"}"#,
    );

    fn alert(line: &str) -> IdsEvent {
        match EveLog::new(line.as_bytes(), None).next().unwrap() {
            Some(Record::Aside(Aside::IdsEvent(event))) => event,
            other => panic!("{other:?} of {line}"),
        }
    }

    #[test]
    fn an_alert_has_every_column() {
        let expected = IdsEvent {
            time: START,
            sensor: Some("ward-1".into()),
            origin: "suricata".into(),
            src_ip: Some("10.0.0.1".parse().unwrap()),
            src_port: Some(443),
            dst_ip: Some("10.0.0.5".parse().unwrap()),
            dst_port: Some(40_000),
            protocol: Some(6),
            signature_id: Some(2_403_388),
            signature: "ET \"X\"".into(),
            category: Some("Misc Attack".into()),
            severity: Some(2),
            action: Some("allowed".into()),
            message: None,
            flow_uid: Some("5".into()),
            community_id: Some("1:x".into()),
        };
        assert_eq!(alert(LINE), expected);
        let bare = concat!(
            r#"{"timestamp":"2021-06-07T07:34:12.260567+0200","event_type":"alert","#,
            r#""alert":{"signature_id":1,"category":""}}"#,
        );
        let expected =
            IdsEvent { time: START, origin: "suricata".into(), signature_id: Some(1), ..IdsEvent::default() };
        assert_eq!(alert(bare), expected);
    }

    #[test]
    fn an_answer_has_the_ends_of_its_flow() {
        let ends = |event: IdsEvent| (event.src_ip.unwrap().to_string(), event.src_port, event.dst_port);
        let answer = LINE.replace("\"proto\"", "\"direction\":\"to_client\",\"proto\"");
        assert_eq!(ends(alert(&answer)), ("10.0.0.5".into(), Some(40_000), Some(443)));
        let icmp = answer.replace("\"TCP\"", r#""ICMP","icmp_type":0,"icmp_code":3"#);
        assert_eq!(ends(alert(&icmp)), ("10.0.0.5".into(), Some(0), Some(3)));
        let asked = LINE.replace("\"proto\"", "\"direction\":\"to_server\",\"proto\"");
        assert_eq!(alert(&asked), alert(LINE));
    }

    #[test]
    fn says_what_is_wrong() {
        for (from, to, expected) in [
            ("\"signature_id\"", "\"id\"", "alert.signature_id is not set; it must be a signature's number"),
            ("timestamp", "t", "timestamp is not set; it must be a time in ISO 8601 with an offset"),
            (":2}", ":256}", "alert.severity is \"256\"; it must be a number from 0 to 255"),
            ("10.0.0.1", "host", "src_ip is \"host\"; it must be an IP address"),
            (":443", ":65536", "src_port is \"65536\"; it must be a port from 0 to 65535"),
            ("\"TCP\"", "\"TPC\"", "proto is \"TPC\"; it must be a transport protocol"),
        ] {
            assert_eq!(reason(&LINE.replacen(from, to, 1)), expected);
        }
    }
}
