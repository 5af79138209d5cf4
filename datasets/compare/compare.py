"""Other means for the same question: an isolation forest, and each detector's question in plain SQL, beside Wardflow.

    python compare.py WORKSPACE --wardflow target/release/wardflow [--learning 96] [--json]

WORKSPACE is one of `wardflow demo`, analysed, with `truth.csv` and `truth_hours.csv` in it. It needs duckdb and
scikit-learn. All means are asked alike, and judged by the same function, with the same number of false findings allowed:

- A *candidate* is a device and hours with a number that says how unusual they are. From the most unusual down, each begins a
  finding, or joins one that names the same device in an hour beside it: a person would look at them once.
- An incident is found if a finding names one of its devices in one of its hours; every other finding is false. What is
  counted is what is found before one false finding more than allowed.
- Flows of the scanner, network manager, backup, proxy and NAT that `wardflow.toml` declares are left out for all others:
  Wardflow's detectors know of them, and so would an analyst.
- What is before the end of learning is learned from and not judged. The forest is trained on all device-hours before it
  (Liu, Ting, Zhou, "Isolation Forest", ICDM 2008; 200 trees, everything else as scikit-learn has it).
- Each question is asked twice, of the number as it is, and of how many times the greatest it is that the device had while it
  was learned; the better of the two is shown. For all questions together the candidates of each, asked the better way, are
  taken in turn, the most unusual of each first.
- Wardflow's candidates are its findings, slice by slice, by severity and score.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import tomllib

import duckdb
import numpy
from sklearn.ensemble import IsolationForest

HOUR = 3_600_000_000

FLOWS = """
SELECT device_id, direction, CAST(extract(epoch FROM start_time) * 1000000 AS BIGINT) AS start_us,
       CAST(extract(epoch FROM end_time) * 1000000 AS BIGINT) AS end_us, peer_ip, ip_scope(peer_ip) AS scope,
       local_port, peer_port, protocol, service, bytes_sent, bytes_received, packets_sent, packets_received, conn_state
FROM device_flows WHERE NOT ({declared})
"""

# Roles of hosts that do what would be unusual of a device.
APART = ["scanner", "network-management", "backup", "proxy", "nat"]

FAILED = "conn_state IN ('S0', 'REJ', 'RSTOS0', 'RSTRH', 'SH', 'SHR')"

# What an hour of a device looks like, for the forest.
FEATURES = f"""
SELECT device_id, end_us // {HOUR} AS hour,
       count(*) AS flows,
       count(*) FILTER (WHERE direction = 'inbound') AS inbound,
       count(DISTINCT peer_ip) AS peers,
       count(DISTINCT peer_port) AS peer_ports,
       count(DISTINCT local_port) FILTER (WHERE direction = 'inbound') AS local_ports,
       count(DISTINCT peer_ip) FILTER (WHERE scope = 'external') AS outside_peers,
       coalesce(sum(bytes_sent), 0) AS sent,
       coalesce(sum(bytes_received), 0) AS received,
       coalesce(sum(bytes_sent) FILTER (WHERE scope = 'external'), 0) AS sent_outside,
       coalesce(sum(packets_sent + packets_received), 0) AS packets,
       count(*) FILTER (WHERE {FAILED}) AS failed,
       count(*) FILTER (WHERE peer_port = 53) AS lookups,
       coalesce(max(end_us - start_us), 0) AS longest,
       count(*) FILTER (WHERE peer_port IN (22, 23, 135, 139, 445, 3389, 5900, 5985)) AS administration
FROM flows GROUP BY ALL ORDER BY ALL
"""

# Each detector's question, as an analyst would ask it: device, hour, how unusual, and for how many hours. `seen` has the
# peers of each device while it was learned.
QUESTIONS = {
    "beacon": f"""
        WITH gaps AS (
          SELECT device_id, peer_ip, peer_port, start_us,
                 (start_us - lag(start_us) OVER (PARTITION BY device_id, peer_ip, peer_port ORDER BY start_us)) / 1e6 AS gap
          FROM flows WHERE direction = 'outbound' AND scope = 'external' AND peer_port NOT IN (53, 123)
        )
        SELECT device_id, start_us // {HOUR} // 24 * 24 AS hour, max(regular) AS unusual, 24 AS hours FROM (
          SELECT device_id, peer_ip, peer_port, min(start_us) AS start_us,
                 count(*) / (1 + stddev(gap) / avg(gap)) AS regular
          FROM gaps WHERE gap > 1 GROUP BY device_id, peer_ip, peer_port, start_us // {HOUR} // 24 HAVING count(*) >= 20
        ) GROUP BY ALL""",
    "scan": f"""
        SELECT device_id, end_us // {HOUR} AS hour,
               greatest(count(DISTINCT peer_ip), count(DISTINCT peer_port)) AS unusual, 1 AS hours
        FROM flows WHERE direction = 'outbound' AND {FAILED} AND scope IN ('internal', 'external') GROUP BY ALL""",
    "exfiltration": f"""
        SELECT device_id, end_us // {HOUR} // 24 * 24 AS hour, sum(bytes_sent) AS unusual, 24 AS hours
        FROM flows WHERE scope = 'external' GROUP BY ALL""",
    "brute-force": f"""
        SELECT device_id, hour, max(tries) AS unusual, 1 AS hours FROM (
          SELECT device_id, peer_ip, peer_port, end_us // {HOUR} AS hour, count(*) AS tries
          FROM flows WHERE peer_port IN (21, 22, 23, 445, 3389, 5900) AND direction = 'outbound' GROUP BY ALL
        ) GROUP BY ALL""",
    "flood": f"""
        SELECT device_id, hour, max(flows) AS unusual, 1 AS hours FROM (
          SELECT device_id, end_us // {HOUR} AS hour, end_us // 60000000 AS minute, peer_ip, peer_port, count(*) AS flows
          FROM flows GROUP BY ALL
        ) GROUP BY ALL""",
    "dns-tunnel": f"""
        SELECT device_id, end_us // {HOUR} AS hour, sum(bytes_sent) AS unusual, 1 AS hours
        FROM flows WHERE peer_port = 53 AND direction = 'outbound' GROUP BY ALL""",
    "long-connection": f"""
        SELECT device_id, end_us // {HOUR} AS hour, max(end_us - start_us) AS unusual, 1 AS hours
        FROM flows WHERE scope = 'external' GROUP BY ALL""",
    "lateral-movement": f"""
        SELECT f.device_id, f.end_us // {HOUR} // 24 * 24 AS hour, count(DISTINCT f.peer_ip) AS unusual, 24 AS hours
        FROM flows AS f ANTI JOIN seen AS s ON f.device_id = s.device_id AND f.peer_ip = s.peer_ip
        WHERE f.direction = 'outbound' AND f.scope = 'internal'
          AND f.peer_port IN (22, 23, 135, 139, 445, 3389, 5900, 5985, 5986) GROUP BY ALL""",
    "new-behaviour": f"""
        SELECT f.device_id, f.end_us // {HOUR} AS hour, count(DISTINCT (f.peer_ip, f.peer_port)) AS unusual, 1 AS hours
        FROM flows AS f ANTI JOIN seen AS s ON f.device_id = s.device_id AND f.peer_ip = s.peer_ip
        WHERE f.direction = 'outbound' GROUP BY ALL""",
    "failed-contact": f"""
        SELECT device_id, hour, max(failed) AS unusual, 1 AS hours FROM (
          SELECT device_id, peer_ip, peer_port, end_us // {HOUR} AS hour, count(*) AS failed
          FROM flows WHERE direction = 'outbound' AND {FAILED} GROUP BY ALL
        ) GROUP BY ALL""",
    "silence": f"""
        SELECT device_id, (last_us // {HOUR}) AS hour, (start_us - last_us) / 1e6 AS unusual,
               greatest(1, (start_us - last_us) // {HOUR}) AS hours
        FROM (SELECT device_id, start_us, lag(end_us) OVER (PARTITION BY device_id ORDER BY end_us) AS last_us FROM flows
              WHERE coalesce(packets_sent, 1) > 0)
        WHERE last_us IS NOT NULL AND start_us - last_us BETWEEN {HOUR} // 6 AND {HOUR} * 24""",
}


# False findings allowed, for each thousand days of a device. The first is what a hospital of 8,000 devices could look at.
ALLOWED = [1, 10, 100]

# Wardflow's own candidates. First and last are of flows in the slice.
FINDINGS = """
SELECT device_id, severity_id, score, CAST(extract(epoch FROM first_seen) * 1000000 AS BIGINT) AS first_us,
       CAST(extract(epoch FROM last_seen) * 1000000 AS BIGINT) AS last_us
FROM finding_slices
"""


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("workspace")
    arguments.add_argument("--wardflow", default="wardflow", help="the command")
    arguments.add_argument("--learning", type=int, default=96, help="hours of learning (default 96)")
    arguments.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    asked = arguments.parse_args()
    if asked.learning < 1:
        arguments.error("--learning must be 1 or more: the forest learns from what is before")
    try:
        report = compare(asked)
    except FileNotFoundError as error:
        sys.exit(f"error: {error.filename} is not there\nhelp: give a workspace of `wardflow demo`, which has truth.csv and truth_hours.csv")
    if asked.json:
        print(json.dumps(report))
        return
    print(f"{report['incidents']} incidents, {report['device_days']:.0f} days of devices; found at so many false findings:")
    for row in report["means"]:
        found = "  ".join(f"{at['found']:3} at {at['allowed']}" for at in row["found"])
        print(f"{row['means']:32} {found}")


def compare(asked):
    evaluated = run(asked, ["--json", "evaluate", "--truth", os.path.join(asked.workspace, "truth.csv"),
                            "--severity", "informational", "--learning", f"{asked.learning}h"])
    evaluated = json.loads(evaluated)
    allowed = [max(1, round(rate * evaluated["device_days"] / 1000)) for rate in ALLOWED]
    incidents = truth(asked.workspace, {scenario["incident"] for scenario in evaluated["by_scenario"]})
    means = {}
    with tempfile.TemporaryDirectory() as scratch:
        flows, findings = os.path.join(scratch, "flows.parquet"), os.path.join(scratch, "findings.parquet")
        run(asked, ["sql", FLOWS.format(declared=declared(asked.workspace)), "-o", flows])
        run(asked, ["sql", FINDINGS, "-o", findings])
        data = duckdb.connect()
        data.execute(f"CREATE VIEW flows AS SELECT * FROM '{flows}'")
        learned = int(numpy.datetime64(evaluated["from"].rstrip("Z"), "us").astype("int64")) // HOUR
        data.execute(f"CREATE TABLE seen AS SELECT DISTINCT device_id, peer_ip FROM flows WHERE end_us // {HOUR} < {learned}")
        rows = data.execute(f"""
            SELECT device_id, first_us // {HOUR}, (severity_id, score), last_us // {HOUR} - first_us // {HOUR} + 1
            FROM (SELECT device_id, greatest(first_us, {learned * HOUR}) AS first_us, last_us, severity_id, score
                  FROM '{findings}' WHERE last_us >= {learned * HOUR})""").fetchall()
        means["Wardflow"] = [rows]
        means["isolation forest"] = [forest(data, learned)]
        for name, question in QUESTIONS.items():
            means[f"SQL: {name}"] = asked_twice(data, question, learned)
    for most in allowed:
        # Each the way in which it finds more.
        better = [max(means[f"SQL: {name}"], key=lambda way: judge(way, incidents, most)) for name in QUESTIONS]
        means.setdefault("SQL: all of these", []).append(in_turn(better))
    return {
        "incidents": len(incidents),
        "device_days": evaluated["device_days"],
        "means": [
            {"means": name, "found": [{"allowed": most, "found": max(judge(way, incidents, most) for way in ways)}
                                      for most in allowed]}
            for name, ways in means.items()
        ],
    }


def declared(workspace):
    """Whether a flow has an end of declared infrastructure, in SQL."""
    with open(os.path.join(workspace, "wardflow.toml"), "rb") as settings:
        infrastructure = tomllib.load(settings).get("infrastructure", [])
    networks = [entry["cidr"] for entry in infrastructure if entry["role"] in APART]
    ends = [f"cidr_match({end}, '{network}')" for network in networks for end in ("local_ip", "peer_ip")]
    return " OR ".join(ends) or "false"


def asked_twice(data, question, learned):
    """The candidates of a question, as it is and beside the device's own past."""
    rows = [row for row in data.execute(question).fetchall() if row[2] is not None]
    most = {}
    for device, hour, unusual, hours in rows:
        if hour + hours <= learned:
            most[device] = max(unusual, most.get(device, 0))
    judged = [row for row in rows if row[1] + row[3] > learned]
    beside = [(device, hour, (unusual + 1) / (most.get(device, 0) + 1), hours) for device, hour, unusual, hours in judged]
    return [judged, beside]


def in_turn(questions):
    """The candidates of several questions, which are not on one scale, by their place in each."""
    ranked = []
    for candidates in questions:
        for place, (device, hour, _, hours) in enumerate(best_first(candidates)):
            ranked.append((device, hour, -place, hours))
    return ranked


def best_first(candidates):
    """Candidates from the most unusual down; those that are alike in order of time and device, so that runs come to the same."""
    in_order = sorted(candidates, key=lambda candidate: (candidate[1], candidate[0], candidate[3]))
    return sorted(in_order, key=lambda candidate: candidate[2], reverse=True)


def run(asked, arguments):
    try:
        done = subprocess.run([asked.wardflow, "-C", asked.workspace, "-q", *arguments], capture_output=True, text=True)
    except OSError as error:
        sys.exit(f"error: cannot run {asked.wardflow}: {error.strerror}\nhelp: name the command with --wardflow")
    if done.returncode != 0:
        command = next(argument for argument in arguments if not argument.startswith("-"))
        sys.exit(f"error: wardflow {command} failed: {done.stderr.strip()}")
    return done.stdout


def truth(workspace, names):
    """By incident, the device-hours that tell of it."""
    incidents = {name: set() for name in names}
    devices = {}
    with open(os.path.join(workspace, "truth.csv"), newline="", encoding="utf-8-sig") as table:
        for line in csv.DictReader(table):
            if line.get("peer_device_id"):
                devices.setdefault((line["incident"], line["device_id"]), set()).add(line["peer_device_id"])
    with open(os.path.join(workspace, "truth_hours.csv"), newline="", encoding="utf-8-sig") as table:
        for line in csv.DictReader(table):
            if line["incident"] not in incidents:
                continue
            hour = numpy.datetime64(line["hour"].rstrip("Z"), "us").astype("int64") // HOUR
            for device in {line["device_id"]} | devices.get((line["incident"], line["device_id"]), set()):
                incidents[line["incident"]].add((device, int(hour)))
    return incidents


def forest(data, learned):
    """Hours of devices, and how soon random cuts set them apart."""
    rows = data.execute(FEATURES).fetchnumpy()
    hours = rows["hour"]
    features = numpy.log1p(numpy.column_stack([
        numpy.asarray(values, dtype="float64") for name, values in rows.items() if name not in ("device_id", "hour")
    ]))
    model = IsolationForest(n_estimators=200, random_state=1, n_jobs=-1).fit(features[hours < learned])
    judged = hours >= learned
    unusual = -model.score_samples(features[judged])
    return list(zip(rows["device_id"][judged], hours[judged].astype(int), unusual, numpy.ones(judged.sum(), dtype=int)))


def judge(candidates, incidents, allowed):
    """How many incidents are found before one false finding more than allowed."""
    owners = {}
    for name, hours in incidents.items():
        for place in hours:
            owners.setdefault(place, set()).add(name)
    found, false = set(), 0
    named = {}
    for device, hour, _, hours in best_first(candidates):
        of_device = named.setdefault(device, set())
        span = range(hour, hour + int(hours))
        hits = set().union(*(owners.get((device, at), set()) for at in span))
        is_known = any(at in of_device for at in range(hour - 1, hour + int(hours) + 1))
        if not hits and not is_known:
            if false == allowed:
                break
            false += 1
        found |= hits
        of_device.update(span)
    return len(found)


if __name__ == "__main__":
    main()
