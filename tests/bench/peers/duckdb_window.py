"""The stateful detector in DuckDB, with a window function. Arguments: directory of Parquet, threads."""

import json
import sys
import time

import duckdb


def peak_mib():
    """Of this process alone: what getrusage() tells includes the process that started it."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


directory, threads = sys.argv[1], int(sys.argv[2])
connection = duckdb.connect()
connection.execute(f"SET threads = {threads}")
connection.execute("SET enable_progress_bar = false")
connection.execute("SET preserve_insertion_order = false")
flows = f"read_parquet('{directory}/**/*.parquet', hive_partitioning = false)"
devices = f"{directory}/devices.csv"
began = time.perf_counter()
rows = connection.execute(
    f"""
    SELECT device, peer, port, count(*), avg(gap), var_pop(gap), sum(sent) / (sum(received) + 1.0)
    FROM (
      SELECT src_ip AS device, dst_ip AS peer, dst_port AS port, src_bytes AS sent, dst_bytes AS received,
             (epoch_us(end_time)
              - lag(epoch_us(end_time)) OVER (PARTITION BY src_ip, dst_ip, dst_port ORDER BY end_time)) / 1e6 AS gap
      FROM {flows}
      WHERE src_ip IN (SELECT ip FROM read_csv('{devices}'))
    )
    GROUP BY device, peer, port
    HAVING count(*) >= 500 AND sum(sent) >= 100000
    """
).fetchall()
seconds = time.perf_counter() - began
names = ("flows", "mean-interval", "interval-variance", "byte-ratio")
print(
    json.dumps(
        {
            "seconds": seconds,
            "flows": connection.execute(f"SELECT count(*) FROM {flows}").fetchone()[0],
            "peak_mib": peak_mib(),
            "found": [
                {"device": row[0], "peer": row[1], "port": row[2], "measured": dict(zip(names, map(float, row[3:])))}
                for row in rows
            ],
        }
    )
)
