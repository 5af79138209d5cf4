//! Views: of the lake what counts, and flows as devices see them.

use datafusion::{datasource::ViewTable, prelude::SessionContext};
use std::sync::Arc;

use crate::{
    error::{Context, Result},
    lake::CURRENT_FINDINGS,
};

/// Coverage that counts: of each plugin and slice the last commit, with the devices that it says something of.
const COVERAGE: &str = "
SELECT run_id, commit, plugin, plugin_version, plugin_digest, config_digest, world_digest, slice_start, slice_end,
       device_id, devices, flows, status, fault, input_digest, state_before, state_digest
FROM (
  SELECT *, max(CASE WHEN device_id IS NULL THEN commit END) OVER (PARTITION BY plugin, slice_start) AS newest
  FROM lake.coverage
)
WHERE commit = newest";

/// The view that `findings` and `excepted_findings` are the two parts of.
pub(super) const EVERY_FINDING: &str = "every_finding";

/// One row a cause: what its slices show, taken together.
const FINDINGS: &str = "
SELECT finding_id,
       last_value(plugin ORDER BY slice_start) AS plugin,
       last_value(plugin_version ORDER BY slice_start) AS plugin_version,
       last_value(plugin_digest ORDER BY slice_start) AS plugin_digest,
       last_value(device_id ORDER BY slice_start) AS device_id,
       last_value(device_ip ORDER BY slice_start) AS device_ip,
       last_value(device_class ORDER BY slice_start) AS device_class,
       last_value(firmware ORDER BY slice_start) AS firmware,
       last_value(zone ORDER BY slice_start) AS zone,
       last_value(kind ORDER BY slice_start) AS kind,
       last_value(title ORDER BY slice_start) AS title,
       last_value(severity ORDER BY severity_id, slice_start) AS severity,
       max(severity_id) AS severity_id,
       max(score) AS score,
       max(confidence) AS confidence,
       min(first_seen) AS first_seen,
       max(last_seen) AS last_seen,
       last_value(peer_ip ORDER BY slice_start) AS peer_ip,
       last_value(peer_port ORDER BY slice_start) AS peer_port,
       last_value(protocol ORDER BY slice_start) AS protocol,
       sum(flow_count) AS flow_count,
       count(*) AS slices,
       last_value(summary ORDER BY severity_id, slice_start) AS summary,
       last_value(techniques ORDER BY slice_start) AS techniques,
       last_value(cause_key ORDER BY slice_start) AS cause_key,
       last_value(examples ORDER BY slice_start) AS examples,
       last_value(group_id ORDER BY slice_start) AS group_id,
       last_value(shows ORDER BY slice_start) AS shows,
       last_value(possible_causes ORDER BY slice_start) AS possible_causes,
       last_value(first_action ORDER BY slice_start) AS first_action,
       last_value(not_while_connected ORDER BY slice_start) AS not_while_connected
FROM finding_slices
GROUP BY finding_id";

const OBSERVATIONS: &str = "
SELECT o.finding_id, o.slice_start, o.plugin, o.name, o.measured, o.expected_low, o.expected_high, o.unit
FROM lake.observations AS o
JOIN (SELECT DISTINCT finding_id, commit, slice_start FROM finding_slices) AS f
ON o.finding_id = f.finding_id AND o.commit = f.commit AND o.slice_start = f.slice_start";

/// Runs as they stand: of a run the row with its end, if it ended.
const RUNS: &str = "
SELECT run_id, started_at, ended_at, command, wardflow_version, slices, flows, findings, status, message
FROM (SELECT *, row_number() OVER (PARTITION BY run_id ORDER BY ended_at DESC NULLS LAST) AS place FROM lake.runs)
WHERE place = 1";

/// One row a flow and end that is a device, as that device sees it; of what several sensors saw, once and whole.
const DEVICE_FLOWS: &str = "
SELECT device_of(src_ip, src_mac, end_time) AS device_id, 'outbound' AS direction, start_time, end_time,
       src_ip AS local_ip, src_port AS local_port, dst_ip AS peer_ip, dst_port AS peer_port,
       device_of(dst_ip, dst_mac, end_time) AS peer_device_id, protocol, service,
       src_bytes AS bytes_sent, dst_bytes AS bytes_received, src_packets AS packets_sent, dst_packets AS packets_received,
       conn_state, tcp_flags, vlan, dst_name AS peer_name, sensor, flow_uid, community_id
FROM single_flows WHERE device_of(src_ip, src_mac, end_time) IS NOT NULL
UNION ALL
SELECT device_of(dst_ip, dst_mac, end_time), 'inbound', start_time, end_time,
       dst_ip, dst_port, src_ip, src_port,
       device_of(src_ip, src_mac, end_time), protocol, service,
       dst_bytes, src_bytes, dst_packets, src_packets,
       conn_state, tcp_flags, vlan, CAST(NULL AS VARCHAR), sensor, flow_uid, community_id
FROM single_flows WHERE device_of(dst_ip, dst_mac, end_time) IS NOT NULL";

/// Connections that had not ended when they were told last, and have not since: of each the latest record.
const OPEN_FLOWS: &str = "
SELECT o.* FROM (
  SELECT * EXCEPT (place) FROM (
    SELECT *, row_number() OVER (
      PARTITION BY sensor, flow_uid ORDER BY end_time DESC, src_packets DESC NULLS LAST, dst_packets DESC NULLS LAST
    ) AS place FROM open.records
  ) WHERE place = 1
) AS o
LEFT ANTI JOIN flows AS f ON o.flow_uid = f.flow_uid";

/// What people said of findings, taken together, but for what is of a time to come: it would have the last word for ever.
const TRIAGE: &str = "
SELECT finding_id,
       coalesce(last_value(status ORDER BY time) FILTER (WHERE status IS NOT NULL), 'new') AS status,
       coalesce(last_value(disposition ORDER BY time) FILTER (WHERE disposition IS NOT NULL), 'undecided') AS disposition,
       last_value(assignee ORDER BY time) FILTER (WHERE assignee IS NOT NULL) AS assignee,
       last_value(note ORDER BY time) FILTER (WHERE note IS NOT NULL) AS note,
       max(time) AS time
FROM lake.triage WHERE time <= now() + INTERVAL '1 day' GROUP BY finding_id";

/// One row a cause on whatever devices.
const FINDING_GROUPS: &str = "
SELECT coalesce(group_id, finding_id) AS group_id,
       last_value(plugin ORDER BY severity_id, score) AS plugin,
       last_value(kind ORDER BY severity_id, score) AS kind,
       last_value(title ORDER BY severity_id, score) AS title,
       last_value(severity ORDER BY severity_id, score) AS severity,
       max(severity_id) AS severity_id,
       max(score) AS score,
       count(DISTINCT device_id) AS devices,
       last_value(device_id ORDER BY severity_id, score) AS worst_device_id,
       min(first_seen) AS first_seen,
       max(last_seen) AS last_seen,
       last_value(peer_ip ORDER BY severity_id, score) AS peer_ip,
       last_value(peer_port ORDER BY severity_id, score) AS peer_port,
       sum(flow_count) AS flow_count,
       last_value(summary ORDER BY severity_id, score) AS summary
FROM findings GROUP BY coalesce(group_id, finding_id)";

/// Devices by what was found of them and what hangs on them. Evidence adds up as 1 - e^-x, where x is the sum over findings of
/// score, confidence and a weight of severity: several weak signs count, and no number of them is more than certain.
/// Findings that people said are none do not count. A criticality that the device list does not say counts as medium.
const DEVICES_AT_RISK: &str = "
SELECT f.device_id,
       last_value(f.device_class ORDER BY f.last_seen) AS device_class,
       max(d.criticality) AS criticality,
       (1 - exp(-sum(f.score * f.confidence * f.weight)))
         * coalesce(max(d.weight), 0.6)
         AS risk,
       1 - exp(-sum(f.score * f.confidence * f.weight)) AS evidence,
       count(*) AS findings,
       last_value(f.severity ORDER BY f.severity_id, f.score) AS worst_severity,
       last_value(f.title ORDER BY f.severity_id, f.score) AS worst_title,
       last_value(f.finding_id ORDER BY f.severity_id, f.score) AS worst_finding_id,
       min(f.first_seen) AS first_seen,
       max(f.last_seen) AS last_seen
FROM (
  SELECT f.*, CASE f.severity_id WHEN 2 THEN 0.2 WHEN 3 THEN 1.0 WHEN 4 THEN 2.0 WHEN 5 THEN 4.0 ELSE 0.02 END AS weight
  FROM findings AS f LEFT JOIN triage AS t ON f.finding_id = t.finding_id
  WHERE coalesce(t.disposition, 'undecided') NOT IN ('false-positive', 'benign', 'test', 'duplicate')
) AS f
LEFT JOIN (
  SELECT device_id, last_value(criticality ORDER BY weight) AS criticality, max(weight) AS weight
  FROM (
    SELECT device_id, criticality,
           CASE criticality WHEN 'life-supporting' THEN 1.0 WHEN 'high' THEN 0.8 WHEN 'low' THEN 0.4 ELSE 0.6 END AS weight
    FROM devices
  ) GROUP BY device_id
) AS d
ON f.device_id = d.device_id
GROUP BY f.device_id";

/// Makes the views over findings as people judged them.
pub(super) async fn register_judged(context: &SessionContext) -> Result<()> {
    let views = [("triage", TRIAGE), ("finding_groups", FINDING_GROUPS), ("devices_at_risk", DEVICES_AT_RISK)];
    register_all(context, &views).await
}

/// Makes the views, each over those before it.
pub(super) async fn register(context: &SessionContext) -> Result<()> {
    let finding_slices =
        CURRENT_FINDINGS.replace("FROM findings", "FROM lake.findings").replace("FROM coverage", "FROM lake.coverage");
    let views = [
        ("coverage", COVERAGE),
        ("runs", RUNS),
        ("finding_slices", finding_slices.as_str()),
        (EVERY_FINDING, FINDINGS),
        ("observations", OBSERVATIONS),
        ("device_flows", DEVICE_FLOWS),
        ("open_flows", OPEN_FLOWS),
    ];
    register_all(context, &views).await
}

async fn register_all(context: &SessionContext, views: &[(&str, &str)]) -> Result<()> {
    for (name, query) in views {
        let doing = || format!("making the view {name}");
        let plan = context.state().create_logical_plan(query).await.context(doing)?;
        context.register_table(*name, Arc::new(ViewTable::new(plan, None))).context(doing)?;
    }
    Ok(())
}
