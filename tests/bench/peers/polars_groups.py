"""The stateful detector in Polars. Arguments: directory of Parquet, threads."""

import json
import os
import sys
import time


def peak_mib():
    """Of this process alone: what getrusage() tells includes the process that started it."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


directory, threads = sys.argv[1], sys.argv[2]
os.environ["POLARS_MAX_THREADS"] = threads

import polars as pl  # noqa: E402

began = time.perf_counter()
devices = pl.scan_csv(f"{directory}/devices.csv")
gaps = pl.col("end_time").sort().diff().dt.total_microseconds() / 1e6
rows = (
    pl.scan_parquet(f"{directory}/**/*.parquet", hive_partitioning=False)
    .join(devices, left_on="src_ip", right_on="ip", how="semi")
    .group_by("src_ip", "dst_ip", "dst_port")
    .agg(
        flows=pl.len(),
        sent=pl.col("src_bytes").sum(),
        received=pl.col("dst_bytes").sum(),
        mean=gaps.mean(),
        variance=gaps.var(ddof=0),
    )
    .filter((pl.col("flows") >= 500) & (pl.col("sent") >= 100000))
    .with_columns(ratio=pl.col("sent") / (pl.col("received") + 1.0))
    .select("src_ip", "dst_ip", "dst_port", "flows", "mean", "variance", "ratio")
    .collect()
    .rows()
)
seconds = time.perf_counter() - began
names = ("flows", "mean-interval", "interval-variance", "byte-ratio")
flows = pl.scan_parquet(f"{directory}/**/*.parquet", hive_partitioning=False).select(pl.len()).collect().item()
print(
    json.dumps(
        {
            "seconds": seconds,
            "flows": flows,
            "peak_mib": peak_mib(),
            "found": [
                {"device": row[0], "peer": row[1], "port": row[2], "measured": dict(zip(names, map(float, row[3:])))}
                for row in rows
            ],
        }
    )
)
