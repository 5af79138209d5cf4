"""A Zeek conn.log to Parquet by DuckDB's CSV reader. Arguments: directory with conn.log, threads."""

import json
import os
import sys
import tempfile
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
log = f"{directory}/conn.log"
with open(log) as lines:
    fields = next(line for line in lines if line.startswith("#fields")).rstrip("\n").split("\t")[1:]
types = dict.fromkeys(fields, "VARCHAR") | {
    "ts": "DOUBLE", "duration": "DOUBLE", "id.orig_p": "USMALLINT", "id.resp_p": "USMALLINT", "orig_bytes": "UBIGINT",
    "resp_bytes": "UBIGINT", "orig_pkts": "UBIGINT", "resp_pkts": "UBIGINT",
}  # fmt: skip
with tempfile.TemporaryDirectory(dir=directory) as scratch:
    target = os.path.join(scratch, "flows.parquet")
    began = time.perf_counter()
    connection.execute(
        f"""
        COPY (
          SELECT make_timestamptz((ts * 1e6)::BIGINT) AS start_time,
                 make_timestamptz(((ts + coalesce(duration, 0)) * 1e6)::BIGINT) AS end_time,
                 "id.orig_h" AS src_ip, "id.resp_h" AS dst_ip, "id.orig_p" AS src_port, "id.resp_p" AS dst_port,
                 CASE proto WHEN 'tcp' THEN 6 WHEN 'udp' THEN 17 WHEN 'icmp' THEN 1 ELSE 255 END::UTINYINT AS protocol,
                 service, orig_bytes AS src_bytes, resp_bytes AS dst_bytes, orig_pkts AS src_packets,
                 resp_pkts AS dst_packets, conn_state, uid AS flow_uid
          FROM read_csv('{log}', delim = '\t', header = false, comment = '#', nullstr = '-', quote = '', escape = '',
                        auto_detect = false, columns = {types})
        ) TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 262144)
        """
    )
    seconds = time.perf_counter() - began
    flows = connection.execute(f"SELECT count(*) FROM '{target}'").fetchone()[0]
print(
    json.dumps(
        {
            "seconds": seconds,
            "flows": flows,
            "peak_mib": peak_mib(),
            "found": [],
        }
    )
)
