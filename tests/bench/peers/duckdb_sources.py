"""Any source of flows to Parquet by DuckDB's readers of text. Arguments: format, file, directory for what is written,
`sorted` as Wardflow lays flows out, or `unsorted`."""

import json
import os
import subprocess
import sys
import tempfile
import time

import duckdb

source, file, directory, order = sys.argv[1:]

TSV = """ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state local_orig
local_resp missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes tunnel_parents orig_l2_addr resp_l2_addr
vlan inner_vlan community_id""".split()
NUMBERS = {
    "ts": "DOUBLE", "duration": "DOUBLE", "id.orig_p": "USMALLINT", "id.resp_p": "USMALLINT", "orig_bytes": "UBIGINT",
    "resp_bytes": "UBIGINT", "orig_pkts": "UBIGINT", "resp_pkts": "UBIGINT", "vlan": "USMALLINT",
}  # fmt: skip
ZEEK = dict.fromkeys(TSV, "VARCHAR") | NUMBERS
DEFAULT = "tunnel_parents"  # The last of the columns that Zeek writes where it was not asked for more.
ZEEK_DEFAULT = {name: ZEEK[name] for name in TSV[: TSV.index(DEFAULT) + 1]}
ZEEK_MORE = ", ".join(f"NULL::VARCHAR AS {name}" for name in TSV[TSV.index(DEFAULT) + 1 :])
ZEEK_JSON = {name: kind for name, kind in ZEEK.items() if not name.startswith(("local", "inner", "tunnel"))}
EVE = {
    "event_type": "VARCHAR", "flow_id": "UBIGINT", "vlan": "USMALLINT[]", "src_ip": "VARCHAR", "src_port": "USMALLINT",
    "dest_ip": "VARCHAR", "dest_port": "USMALLINT", "proto": "VARCHAR", "app_proto": "VARCHAR",
    "flow": "STRUCT(pkts_toserver UBIGINT, pkts_toclient UBIGINT, bytes_toserver UBIGINT, bytes_toclient UBIGINT,"
    ' "start" TIMESTAMPTZ, "end" TIMESTAMPTZ)',
    "ether": "STRUCT(dest_macs VARCHAR[], src_macs VARCHAR[])", "community_id": "VARCHAR",
    "tcp": "STRUCT(tcp_flags VARCHAR)", "icmp_type": "USMALLINT", "icmp_code": "USMALLINT", "host": "VARCHAR",
}  # fmt: skip
ARGUS = {
    "StartTime": "DOUBLE", "Dur": "DOUBLE", "Proto": "VARCHAR", "SrcAddr": "VARCHAR", "Sport": "VARCHAR",
    "Dir": "VARCHAR", "DstAddr": "VARCHAR", "Dport": "VARCHAR", "State": "VARCHAR", "TotPkts": "UBIGINT",
    "TotBytes": "UBIGINT", "SrcPkts": "UBIGINT", "SrcBytes": "UBIGINT",
}  # fmt: skip
NFDUMP = "ts te td sa da sp dp pr flg fwd stos ipkt ibyt opkt obyt".split()
PROTOCOL = "CASE lower({}) WHEN 'tcp' THEN 6 WHEN 'udp' THEN 17 WHEN 'icmp' THEN 1 ELSE 255 END::UTINYINT AS protocol"
ZEEK_COLUMNS = f"""
    make_timestamptz((ts * 1e6)::BIGINT) AS start_time,
    make_timestamptz(((ts + coalesce(duration, 0)) * 1e6)::BIGINT) AS end_time,
    "id.orig_h" AS src_ip, "id.resp_h" AS dst_ip, "id.orig_p" AS src_port, "id.resp_p" AS dst_port,
    {PROTOCOL.format("proto")}, service, orig_bytes AS src_bytes, resp_bytes AS dst_bytes, orig_pkts AS src_packets,
    resp_pkts AS dst_packets, conn_state, orig_l2_addr AS src_mac, resp_l2_addr AS dst_mac, vlan, uid AS flow_uid,
    community_id
"""
ZEEK_TEXT = f"""read_csv('{file}', delim = '\t', header = false, comment = '#', nullstr = '-', quote = '', escape = '',
                auto_detect = false, columns = {{}})"""
QUERIES = {
    "zeek": f"SELECT {ZEEK_COLUMNS} FROM {ZEEK_TEXT.format(ZEEK)}",
    "zeek-default": f"SELECT {ZEEK_COLUMNS} FROM (SELECT *, {ZEEK_MORE} FROM {ZEEK_TEXT.format(ZEEK_DEFAULT)})",
    "zeek-json": f"SELECT {ZEEK_COLUMNS} FROM read_json('{file}', format = 'newline_delimited', columns = {ZEEK_JSON})",
    "eve": f"""SELECT flow."start" AS start_time, flow."end" AS end_time, src_ip, dest_ip AS dst_ip,
               coalesce(src_port, icmp_type, 0) AS src_port, coalesce(dest_port, icmp_code, 0) AS dst_port,
               {PROTOCOL.format("proto")}, app_proto AS service, flow.bytes_toserver AS src_bytes,
               flow.bytes_toclient AS dst_bytes, flow.pkts_toserver AS src_packets, flow.pkts_toclient AS dst_packets,
               ('0x' || tcp.tcp_flags)::USMALLINT AS tcp_flags, ether.src_macs[1] AS src_mac,
               ether.dest_macs[1] AS dst_mac, vlan[1] AS vlan, flow_id::VARCHAR AS flow_uid, community_id,
               host AS sensor
               FROM read_json('{file}', format = 'newline_delimited', columns = {EVE}) WHERE event_type = 'flow'""",
    "csv": f"""SELECT to_timestamp(start) AS start_time, to_timestamp("end") AS end_time, srcaddr AS src_ip,
               dstaddr AS dst_ip, srcport AS src_port, dstport AS dst_port, protocol, bytes AS src_bytes,
               packets AS src_packets, action, "interface-id" AS sensor
               FROM read_csv('{file}', delim = ' ', header = true)""",
    "argus": f"""SELECT make_timestamptz((StartTime * 1e6)::BIGINT) AS start_time,
                 make_timestamptz(((StartTime + Dur) * 1e6)::BIGINT) AS end_time, SrcAddr AS src_ip, DstAddr AS dst_ip,
                 coalesce(try_cast(Sport AS USMALLINT), 0) AS src_port,
                 coalesce(try_cast(Dport AS USMALLINT), 0) AS dst_port, {PROTOCOL.format("Proto")},
                 SrcBytes AS src_bytes, TotBytes - SrcBytes AS dst_bytes, SrcPkts AS src_packets,
                 TotPkts - SrcPkts AS dst_packets, State AS conn_state
                 FROM read_csv('{file}', header = true, auto_detect = false, columns = {ARGUS})""",
    "nfdump": f"""SELECT ts AS start_time, te AS end_time, sa AS src_ip, da AS dst_ip, sp AS src_port,
                  try_cast(dp AS USMALLINT) AS dst_port, {PROTOCOL.format("pr")}, flg AS tcp_flags, ipkt AS src_packets,
                  ibyt AS src_bytes, opkt AS dst_packets, obyt AS dst_bytes
                  FROM read_csv('{directory}/nfdump.csv', header = false, names = {NFDUMP})""",
}
# Wardflow's row groups are a quarter of a million flows by their end, each laid out by the internal end's address: of
# these flows that many end in a quarter of an hour.
INTERNAL = "src_ip LIKE '10.%' OR src_ip LIKE 'fd%'"
SORTED = f"ORDER BY time_bucket(INTERVAL '15 minutes', end_time), CASE WHEN {INTERNAL} THEN src_ip ELSE dst_ip END, end_time"

connection = duckdb.connect()
connection.execute("SET threads = 1")
connection.execute("SET TimeZone = 'UTC'")
connection.execute("SET enable_progress_bar = false")
connection.execute("SET preserve_insertion_order = false")
with tempfile.TemporaryDirectory(dir=directory) as scratch:
    target = os.path.join(scratch, "flows.parquet")
    began = time.perf_counter()
    if source == "nfdump":
        with open(f"{directory}/nfdump.csv", "w") as text:
            environment = os.environ | {"TZ": "UTC"}
            subprocess.run(["nfdump", "-q", "-N", "-o", "csv", "-r", file], stdout=text, env=environment, check=True)
    connection.execute(
        f"""COPY ({QUERIES[source]} {SORTED if order == "sorted" else ""})
            TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 262144)"""
    )
    seconds = time.perf_counter() - began
    rows = connection.execute(f"SELECT count(*) FROM '{target}'").fetchone()[0]
print(json.dumps({"seconds": seconds, "rows": rows}))
