//! What sensors and exporters write of the synthetic hospital comes back as it went out, column by column, but for what the
//! format has no place for; and what two sensors saw is found as what one saw.

use std::{collections::BTreeMap, fmt::Write as _, fs::File, io::BufWriter};

use wardflow::synthetic;
use wardflow_datasets::{
    Flow, Hospital, Incident, Oddity, Options, View, ViewKind,
    export::{self, Eve, Format, Ipfix, Log, Records, Vpc, Zeek},
};

use crate::support::{FEW, Scratch};

/// One in which no connection is kept open and told of in pieces: those are joined, and would not come back one by one.
fn hospital() -> Hospital {
    let kept_open = [Incident::RogueServer, Incident::ReverseTunnel, Incident::CryptoMiner];
    let incidents = Incident::ALL.iter().copied().filter(|incident| !kept_open.contains(incident)).collect();
    let options = Options { devices: 40, days: 1, flows: Some(20_000), incidents, ..Options::default() };
    Hospital::new(options).unwrap()
}

/// Oddities but for those in which the same is asked again from the same port: two flows that follow each other so are not
/// told apart, where one sensor saw the first of them and another the second.
fn without_repetition() -> Vec<Oddity> {
    let repeat = [Oddity::Discovery, Oddity::NetworkManagement, Oddity::RetryStorm];
    Oddity::ALL.iter().copied().filter(|oddity| !repeat.contains(oddity)).collect()
}

/// Columns as text, in their order.
type Row = Vec<String>;

const COLUMNS: &str = "CAST(start_time AS BIGINT) AS start_us, CAST(end_time AS BIGINT) AS end_us, src_ip, dst_ip, src_port, dst_port, protocol, \
                       src_packets, dst_packets, src_bytes, dst_bytes, conn_state, tcp_flags, src_mac, dst_mac, vlan, \
                       service, dst_name, sensor, community_id";

/// What is known of a flow everywhere: times, ends, protocol and packets; then what the format carries.
struct Expected {
    times: (i64, i64),
    bytes: (u64, u64),
    state: Option<String>,
    flags: Option<u8>,
    has_link: bool,
    service: Option<String>,
    name: Option<String>,
    sensor: Option<String>,
    community_id: Option<String>,
}

fn row(flow: &Flow, expected: Expected) -> Row {
    let text = |value: Option<String>| value.unwrap_or_default();
    let mac = |mac: Option<[u8; 6]>| {
        let mac = mac.filter(|_| expected.has_link)?;
        Some(mac.map(|byte| format!("{byte:02x}")).join(":"))
    };
    vec![
        expected.times.0.to_string(),
        expected.times.1.to_string(),
        flow.src_ip.to_string(),
        flow.dst_ip.to_string(),
        flow.src_port.to_string(),
        flow.dst_port.to_string(),
        flow.protocol.to_string(),
        flow.src_packets.to_string(),
        flow.dst_packets.to_string(),
        expected.bytes.0.to_string(),
        expected.bytes.1.to_string(),
        text(expected.state),
        text(expected.flags.map(|flags| flags.to_string())),
        text(mac(flow.src_mac)),
        text(mac(flow.dst_mac)),
        text(flow.vlan.filter(|_| expected.has_link).map(|vlan| vlan.to_string())),
        text(expected.service),
        text(expected.name),
        text(expected.sensor),
        text(expected.community_id),
    ]
}

/// What the archive holds after a file was ingested.
fn ingested(scratch: &Scratch, source: &str) -> Vec<Row> {
    scratch.done(&format!("wardflow init w && wardflow -C w -q ingest {source}"));
    let rows = scratch.done(&format!("wardflow -C w sql 'SELECT {COLUMNS} FROM flows' --format json"));
    let mut rows: Vec<Row> = rows
        .lines()
        .map(|line| {
            // In the order of the query, which a map of serde_json need not keep.
            let values: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            let value = |value: &serde_json::Value| match value {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            columns().map(|column| values.get(column).map(value).unwrap_or_default()).collect()
        })
        .collect();
    rows.sort();
    rows
}

/// The names of the query's columns.
fn columns() -> impl Iterator<Item = &'static str> {
    COLUMNS.split(", ").map(|column| column.rsplit(" AS ").next().unwrap_or(column).trim())
}

#[track_caller]
fn check(seen: &[Row], mut expected: Vec<Row>) {
    expected.sort();
    let first = seen.iter().zip(&expected).find(|(seen, expected)| seen != expected);
    assert!(first.is_none(), "came back, went out: {first:#?}");
    assert_eq!(seen.len(), expected.len());
}

fn with_header(flow: &Flow) -> (u64, u64) {
    export::ip_bytes(flow)
}

fn state(flow: &Flow) -> Option<String> {
    Some(flow.conn_state.as_str().to_owned())
}

fn tcp_flags(flow: &Flow) -> Option<u8> {
    (flow.protocol == 6 && flow.tcp_flags != 0).then_some(flow.tcp_flags)
}

#[test]
fn zeek_as_text_and_as_json() {
    for (format, ending) in [(Format::Tsv, "log"), (Format::Json, "json")] {
        let hospital = hospital();
        let scratch = Scratch::new();
        std::fs::create_dir(scratch.path().join("logs")).unwrap();
        let opened = hospital.flows().next().unwrap().start_us;
        let mut logs = [Log::Conn, Log::Ssl, Log::Dns].map(|log| {
            let name = match log {
                Log::Conn => "conn",
                Log::Ssl => "ssl",
                Log::Dns => "dns",
            };
            let file = File::create(scratch.path().join(format!("logs/{name}.{ending}"))).unwrap();
            Zeek::new(BufWriter::new(file), log, format, opened).unwrap()
        });
        for flow in hospital.flows() {
            logs.iter_mut().for_each(|log| log.write(&flow).unwrap());
        }
        logs.into_iter().for_each(|log| drop(log.finish().unwrap()));
        let expected = hospital.flows().map(|flow| {
            let is_told = ["ssl", "quic", "dns"].contains(&flow.service);
            let expected = Expected {
                times: (flow.start_us, flow.end_us),
                bytes: (flow.src_bytes, flow.dst_bytes),
                state: state(&flow),
                // A history tells of no PSH, and of the ACK of a refusal neither.
                flags: None,
                has_link: true,
                service: Some(flow.service.to_owned()),
                name: flow.dst_name.as_deref().filter(|_| is_told).map(str::to_owned),
                sensor: (ending == "json").then(|| flow.sensor.to_owned()),
                community_id: Some(export::community_id(&flow)),
            };
            row(&flow, expected)
        });
        let expected: Vec<Row> = expected.map(without_flags).collect();
        let seen: Vec<Row> = ingested(&scratch, "zeek logs").into_iter().map(without_flags).collect();
        check(&seen, expected);
    }
}

fn without_flags(mut row: Row) -> Row {
    row[12].clear();
    row
}

fn write_eve(scratch: &Scratch, flows: impl Iterator<Item = Flow>, file: &str) {
    let mut eve = Eve::new(BufWriter::new(File::create(scratch.path().join(file)).unwrap()));
    flows.for_each(|flow| eve.write(&flow).unwrap());
    eve.finish().unwrap();
}

#[test]
fn eve() {
    let hospital = hospital();
    let scratch = Scratch::new();
    write_eve(&scratch, hospital.flows(), "eve.json");
    let expected = hospital.flows().map(|flow| {
        let (src, dst) = with_header(&flow);
        let is_told = ["ssl", "quic", "http", "dns"].contains(&flow.service);
        let expected = Expected {
            times: (flow.start_us, flow.end_us),
            bytes: (src + 14 * flow.src_packets, dst + 14 * flow.dst_packets),
            state: state(&flow),
            flags: tcp_flags(&flow),
            has_link: true,
            service: None,
            name: flow.dst_name.as_deref().filter(|_| is_told).map(str::to_owned),
            sensor: Some(flow.sensor.to_owned()),
            community_id: Some(export::community_id(&flow)),
        };
        row(&flow, expected)
    });
    // Suricata has names of its own for services.
    let without_service = |mut row: Row| {
        row[16].clear();
        row
    };
    let expected: Vec<Row> = expected.map(without_service).collect();
    let seen: Vec<Row> = ingested(&scratch, "eve eve.json").into_iter().map(without_service).collect();
    check(&seen, expected);
}

fn write_ipfix(scratch: &Scratch, flows: impl Iterator<Item = Flow>, records: Records, file: &str) {
    let out = BufWriter::new(File::create(scratch.path().join(file)).unwrap());
    let mut ipfix = Ipfix::new(out, records, 7, 20);
    flows.for_each(|flow| ipfix.write(&flow).unwrap());
    ipfix.finish().unwrap();
}

fn of_ipfix(flow: &Flow) -> Row {
    let expected = Expected {
        times: (flow.start_us, flow.end_us),
        bytes: with_header(flow),
        state: state(flow),
        flags: tcp_flags(flow),
        has_link: true,
        service: None,
        name: None,
        sensor: None,
        community_id: None,
    };
    row(flow, expected)
}

#[test]
fn ipfix_of_both_directions() {
    let hospital = hospital();
    let scratch = Scratch::new();
    write_ipfix(&scratch, hospital.flows(), Records::Biflows, "x.ipfix");
    let expected: Vec<Row> = hospital.flows().map(|flow| of_ipfix(&flow)).collect();
    let sensor = |mut row: Row| {
        row[18].clear();
        row
    };
    let seen: Vec<Row> = ingested(&scratch, "netflow x.ipfix").into_iter().map(sensor).collect();
    check(&seen, expected);
}

/// One direction a record, cut each minute: counts and ends come back, and as many flows as there were conversations.
#[test]
fn ipfix_of_one_direction_cut_by_time() {
    let hospital = hospital();
    let scratch = Scratch::new();
    write_ipfix(&scratch, hospital.flows(), Records::Halves { active_timeout_s: 60 }, "x.ipfix");
    let seen = ingested(&scratch, "netflow x.ipfix");
    let sum = |rows: &[Row], column: usize| rows.iter().map(|row| row[column].parse().unwrap_or(0)).sum::<u64>();
    let expected: Vec<Row> = hospital.flows().map(|flow| of_ipfix(&flow)).collect();
    for column in 7..11 {
        let both = |rows: &[Row]| sum(rows, column) + sum(rows, if column % 2 == 1 { column + 1 } else { column - 1 });
        assert_eq!(both(&seen), both(&expected), "{column}");
    }
    // Of each pair of ends: who speaks with whom, how much in all, from when to when.
    let by_ends = |rows: &[Row]| {
        let mut ends: BTreeMap<[String; 5], (u64, i64, i64)> = BTreeMap::new();
        for row in rows {
            let mut sides = [[row[2].clone(), row[4].clone()], [row[3].clone(), row[5].clone()]];
            if !["1", "58"].contains(&row[6].as_str()) {
                sides.sort();
            }
            let [[a, b], [c, d]] = sides;
            let (start, end): (i64, i64) = (row[0].parse().unwrap(), row[1].parse().unwrap());
            let entry = ends.entry([a, b, c, d, row[6].clone()]).or_insert((0, i64::MAX, i64::MIN));
            *entry = (
                entry.0 + (7..11).map(|column| row[column].parse::<u64>().unwrap_or(0)).sum::<u64>(),
                entry.1.min(start),
                entry.2.max(end),
            );
        }
        ends
    };
    let (seen_ends, expected_ends) = (by_ends(&seen), by_ends(&expected));
    let wrong = expected_ends.iter().filter(|(ends, totals)| seen_ends.get(*ends).map(|seen| seen.0) != Some(totals.0));
    assert_eq!(wrong.count(), 0);
    assert_eq!(seen_ends.len(), expected_ends.len());
    // Conversations of the same ends that follow each other closely are one, as they are for Zeek.
    let (flows, conversations) = (seen.len() as f64, expected.len() as f64);
    assert!((0.9 * conversations..=conversations).contains(&flows), "{flows} of {conversations}");
}

#[test]
fn vpc_flow_logs() {
    let hospital = hospital();
    let scratch = Scratch::new();
    let mut vpc = Vpc::new(BufWriter::new(File::create(scratch.path().join("vpc.txt")).unwrap())).unwrap();
    hospital.flows().for_each(|flow| vpc.write(&flow).unwrap());
    vpc.finish().unwrap();
    let seen = ingested(&scratch, "csv vpc.txt --mapping aws-vpc");
    let sum = |rows: &[Row]| {
        let number = |row: &Row, column: usize| row[column].parse::<u64>().unwrap_or(0);
        rows.iter().fold((0, 0), |(packets, bytes), row| {
            (packets + number(row, 7) + number(row, 8), bytes + number(row, 9) + number(row, 10))
        })
    };
    let expected: Vec<Row> = hospital.flows().map(|flow| of_ipfix(&flow)).collect();
    assert_eq!(sum(&seen), sum(&expected));
}

/// Findings by device, kind, peer, port and protocol, with how often and how surely.
fn findings(scratch: &Scratch) -> String {
    scratch.done("wardflow -C w -q analyze");
    scratch.done(
        "wardflow -C w sql 'SELECT plugin, kind, device_id, peer_ip, peer_port, protocol, severity, round(score, 6), flow_count, \
         first_seen, last_seen FROM findings ORDER BY 1, 2, 3, 4, 5, 6, 10' --format csv",
    )
}

fn write_zeek(scratch: &Scratch, flows: impl Iterator<Item = Flow>, directory: &str, opened: i64) {
    std::fs::create_dir_all(scratch.path().join(directory)).unwrap();
    let file = File::create(scratch.path().join(directory).join("conn.json")).unwrap();
    let mut log = Zeek::new(BufWriter::new(file), Log::Conn, Format::Json, opened).unwrap();
    flows.for_each(|flow| log.write(&flow).unwrap());
    log.finish().unwrap();
}

fn workspace(scratch: &Scratch, hospital: &Hospital) {
    scratch.done("wardflow init w");
    scratch.keep_plugins("w", &FEW);
    scratch.write("w/wardflow.toml", synthetic::config(hospital));
    synthetic::write_inventory(hospital, &scratch.path().join("w/inventory.csv")).unwrap();
}

/// Two sensors that both see a third of the traffic find what one finds that sees all; so they do where one's clock is seven
/// seconds ahead.
#[test]
fn two_sensors_find_what_one_finds() {
    let options = Options {
        devices: 60,
        days: 4,
        flows: Some(60_000),
        incidents: vec![Incident::Beacon, Incident::Scan],
        oddities: without_repetition(),
        ..Options::default()
    };
    let hospital = Hospital::new(options).unwrap();
    let opened = hospital.flows().next().unwrap().start_us;
    let one = Scratch::new();
    workspace(&one, &hospital);
    write_zeek(&one, View::new(ViewKind::Everything { sensor: "all" }).of(hospital.flows()), "logs", opened);
    one.done("wardflow -C w -q ingest zeek logs");
    let expected = findings(&one);
    assert!(expected.lines().count() > 2, "{expected}");

    let two = Scratch::new();
    workspace(&two, &hospital);
    let overlap = 0.33;
    let [north, south] = [ViewKind::North { overlap }, ViewKind::South { overlap }].map(View::new);
    write_zeek(&two, north.of(hospital.flows()), "north", opened);
    write_zeek(&two, south.of(hospital.flows()), "south", opened);
    two.done("wardflow -C w -q ingest zeek north south");
    let doubles = two.done("wardflow -C w sql 'SELECT sum(CAST(is_double AS INT)), count(*) FROM flows' --format csv");
    let numbers: Vec<u64> = doubles.lines().nth(1).unwrap().split(',').map(|n| n.parse().unwrap()).collect();
    let flows = hospital.flows().count() as u64;
    assert_eq!(numbers[1] - numbers[0], flows, "{doubles}");
    assert_eq!(findings(&two), expected);

    let skewed = Scratch::new();
    workspace(&skewed, &hospital);
    write_zeek(&skewed, north.of(hospital.flows()), "north", opened);
    let south = View::new(ViewKind::Skewed { by_us: 7_000_000 }).of(south.of(hospital.flows()));
    write_zeek(&skewed, south, "south", opened);
    skewed.done("wardflow -C w -q ingest zeek north south");
    let health = skewed.done(
        "wardflow -C w sql 'SELECT DISTINCT sensor, clock_offset FROM sensor_health ORDER BY sensor' --format csv",
    );
    assert!(health.contains("north,0") && health.contains("south,7000000"), "{health}");
    let doubles = skewed.done("wardflow -C w sql 'SELECT sum(CAST(is_double AS INT)) FROM flows' --format csv");
    let seen: u64 = doubles.lines().nth(1).unwrap().parse().unwrap();
    assert_eq!(seen, numbers[0], "doubles beside {}", numbers[0]);
    assert_eq!(causes(&findings(&skewed)), causes(&expected));
}

/// Findings by plugin, kind, device, peer, port and protocol.
fn causes(findings: &str) -> Vec<String> {
    let cause = |line: &str| line.split(',').take(6).collect::<Vec<_>>().join(",");
    let mut causes: Vec<String> = findings.lines().map(cause).collect();
    causes.sort();
    causes
}

/// Two sensors of which each loses a tenth, but not the same, find what a whole one finds: to the flow where each lacks other
/// flows; the same causes where each loses flows and packets by chance, some of which the other loses too.
#[test]
fn two_lossy_sensors_find_what_a_whole_one_finds() {
    let options = Options {
        devices: 60,
        days: 4,
        flows: Some(60_000),
        incidents: vec![Incident::Beacon, Incident::Scan],
        oddities: without_repetition(),
        ..Options::default()
    };
    let hospital = Hospital::new(options).unwrap();
    let opened = hospital.flows().next().unwrap().start_us;
    let flows = hospital.flows().count() as f64;
    let whole = Scratch::new();
    workspace(&whole, &hospital);
    write_zeek(&whole, View::new(ViewKind::Everything { sensor: "all" }).of(hospital.flows()), "logs", opened);
    whole.done("wardflow -C w -q ingest zeek logs");
    let expected = findings(&whole);
    assert!(expected.lines().count() > 2, "{expected}");

    let lossy = |view: View, loss: f64| View::new(ViewKind::Lossy { ratio: loss }).of(view.of(hospital.flows()));
    for (overlap, loss) in [(0.8, 0.0), (1.0, 0.1)] {
        let two = Scratch::new();
        workspace(&two, &hospital);
        write_zeek(&two, lossy(View::new(ViewKind::North { overlap }), loss), "north", opened);
        write_zeek(&two, lossy(View::new(ViewKind::South { overlap }), loss), "south", opened);
        two.done("wardflow -C w -q ingest zeek north south");
        let counts = two.done(
            "wardflow -C w sql 'SELECT sensor, count(*), sum(CAST(is_double AS INT)) FROM flows GROUP BY sensor' --format csv",
        );
        let count = |line: &str, place: usize| line.split(',').nth(place).unwrap().parse::<f64>().unwrap();
        let sensors: Vec<(f64, f64)> = counts.lines().skip(1).map(|line| (count(line, 1), count(line, 2))).collect();
        assert!(sensors.iter().all(|(seen, _)| (0.8..0.92).contains(&(seen / flows))), "of {flows}: {counts}");
        let counted = sensors.iter().map(|(seen, doubles)| seen - doubles).sum::<f64>() / flows;
        if loss > 0.0 {
            assert!((0.97..1.0).contains(&counted), "{counted} of {flows}: {counts}");
            assert_eq!(causes(&findings(&two)), causes(&expected));
        } else {
            assert_eq!(counted, 1.0, "{counts}");
            assert_eq!(findings(&two), expected);
        }
    }
}

/// Two sensors of which each sees one direction see together what one sees that sees both, and are not taken for one that does
/// not.
#[test]
fn directions_that_two_sensors_saw_are_one_flow() {
    const SUMS: &str = "wardflow -C w sql 'SELECT direction, count(*), sum(bytes_sent), sum(bytes_received), sum(packets_sent), \
                        sum(packets_received) FROM device_flows GROUP BY direction ORDER BY direction' --format csv";
    const FINDINGS: &str = "wardflow -C w -q analyze > /dev/null && wardflow -C w sql 'SELECT DISTINCT kind, device_id, peer_port FROM findings \
                            WHERE plugin = $$wardflow/scan$$ ORDER BY 1, 2, 3' --format csv";
    let hospital = hospital();
    let opened = hospital.flows().next().unwrap().start_us;
    let [whole, two] = [Scratch::new(), Scratch::new()];
    write_zeek(&whole, hospital.flows(), "logs", opened);
    let forth = hospital.flows().filter(|flow| flow.src_packets > 0);
    let forth = forth.map(|flow| Flow { dst_packets: 0, dst_bytes: 0, sensor: "forth", ..flow });
    write_zeek(&two, forth, "logs/forth", opened);
    let back = hospital.flows().filter(|flow| flow.dst_packets > 0);
    let back = back.map(|flow| Flow { src_packets: 0, src_bytes: 0, sensor: "back", uid: !flow.uid, ..flow });
    write_zeek(&two, back, "logs/back", opened);
    for scratch in [&whole, &two] {
        scratch.done("wardflow init w && wardflow -C w -q ingest zeek logs");
        scratch.keep_plugins("w", &FEW);
    }
    let expected = whole.done(SUMS);
    assert_eq!(expected.lines().count(), 3, "{expected}");
    assert_eq!(two.done(SUMS), expected);
    // A condition on what was completed finds it.
    let answered = "wardflow -C w sql 'SELECT count(*) FROM device_flows WHERE packets_received > 3 AND packets_sent > 3' --format csv";
    assert_eq!(two.done(answered), whole.done(answered));
    let found = whole.done(FINDINGS);
    assert!(found.contains("scan"), "{found}");
    assert_eq!(two.done(FINDINGS), found);
}

/// A lossy sensor is not taken for a whole one for as long as it says that it loses much, and each slice of that is counted
/// once, whatever the number of plugins.
#[test]
fn what_a_sensor_loses_is_told_of_the_slices_in_which_it_does() {
    let hospital = hospital();
    let scratch = Scratch::new();
    scratch.done("wardflow init w");
    scratch.keep_plugins("w", &FEW);
    let opened = hospital.flows().next().unwrap().start_us;
    write_zeek(&scratch, View::new(ViewKind::Lossy { ratio: 0.2 }).of(hospital.flows()), "logs", opened);
    // For half of the day.
    let hours = (opened / 1_000_000)..(opened / 1_000_000 + 43_200);
    let end = hours.end;
    let mut loss =
        String::from("#separator \\x09\n#path\tcapture_loss\n#fields\tts\tts_delta\tpeer\tgaps\tacks\tpercent_lost\n");
    for at in hours.step_by(900) {
        let _ = writeln!(loss, "{}.000000\t900.000000\tzeek\t20\t100\t20.0", at + 900);
    }
    scratch.write("logs/capture_loss.log", loss);
    scratch.done("sed -i 's/,\"_system_name\":\"[a-z-]*\"//' logs/conn.json && wardflow -C w -q ingest zeek logs");
    let said = scratch.done("wardflow -C w -q analyze");
    let coverage = scratch.done(&format!(
        "wardflow -C w sql 'SELECT status, slice_start < to_timestamp_seconds({end}) AS lossy, fault, \
         count(DISTINCT slice_start) AS slices, count(*) AS rows \
         FROM coverage WHERE plugin IS NOT NULL AND device_id IS NULL GROUP BY ALL ORDER BY 1' --format csv"
    ));
    let lines: Vec<Vec<&str>> = coverage.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let [blind, complete] = lines.as_slice() else { panic!("{coverage}") };
    assert_eq!(blind[..3], ["blind", "true", "the sensor missed up to 20 %"], "{coverage}");
    assert_eq!(complete[..2], ["complete", "false"], "{coverage}");
    let (slices, rows): (u64, u64) = (blind[3].parse().unwrap(), blind[4].parse().unwrap());
    assert!(slices > 1 && rows == 3 * slices, "{coverage}");
    let told = format!("{slices} slices in which sensors were down or lossy");
    assert!(said.contains(&told), "{said}");
    let status = scratch.done("wardflow -C w status");
    assert!(status.contains(&told), "{status}");
}

/// A router of the device list is not taken for what is behind it, where devices are found by MAC address.
#[test]
fn what_is_behind_a_router_is_not_the_router() {
    let scratch = Scratch::new();
    scratch.done("wardflow init w && sed -i 's/^#inventory/inventory/' w/wardflow.toml");
    scratch.write("w/inventory.csv", "device,mac\nrouter,02:00:00:00:00:01\npump,02:00:00:00:00:02\n");
    let mut log = String::from(
        "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_pkts\tresp_pkts\torig_l2_addr\n",
    );
    let ends = (1..=6).map(|last| (format!("10.1.0.{last}"), 1)).chain([("10.2.0.1".to_owned(), 2)]);
    for (number, (ip, mac)) in ends.enumerate() {
        let _ = writeln!(
            log,
            "{}.0\tC{number}\t{ip}\t40000\t203.0.113.9\t443\ttcp\t5\t5\t02:00:00:00:00:0{mac}",
            1_772_442_000 + number
        );
    }
    scratch.write("logs/conn.log", log);
    scratch.done("wardflow -C w -q ingest zeek logs && wardflow -C w -q analyze");
    let devices =
        scratch.done("wardflow -C w sql 'SELECT DISTINCT device_id FROM device_flows ORDER BY 1' --format csv");
    let expected = "device_id\n10.1.0.1\n10.1.0.2\n10.1.0.3\n10.1.0.4\n10.1.0.5\n10.1.0.6\npump\n";
    assert_eq!(devices, expected);
    // Sessions of these, and of the router, which had no flow.
    let covered =
        scratch.done("wardflow -C w sql 'SELECT devices FROM coverage WHERE plugin = $$wardflow/scan$$' --format csv");
    assert_eq!(covered, "devices\n8\n");
}
