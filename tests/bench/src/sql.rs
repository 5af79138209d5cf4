//! The stateful detector in DataFusion SQL.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, Float64Type, Int64Type},
};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use wardflow::device::Inventory;

use crate::{Result, arm::Found, engine::Ran};

/// What `bench/rhythm` computes, with its thresholds. A flow's device is its initiator.
const RHYTHM: &str = "
SELECT device, peer, port, count(*) AS flows, avg(gap) AS mean, var_pop(gap) AS variance,
       sum(sent) / (sum(received) + 1.0) AS ratio
FROM (
  SELECT src_ip AS device, dst_ip AS peer, dst_port AS port, src_bytes AS sent, dst_bytes AS received,
         (end_us - lag(end_us) OVER (PARTITION BY src_ip, dst_ip, dst_port ORDER BY end_us)) / 1e6 AS gap
  FROM (SELECT *, arrow_cast(end_time, 'Int64') AS end_us FROM flows)
  WHERE src_ip IN (SELECT ip FROM devices)
)
GROUP BY device, peer, port
HAVING count(*) >= 500 AND sum(sent) >= 100000";

/// Runs it.
pub(crate) async fn run(session: &SessionContext, inventory: &Inventory, directory: &Path) -> Result<Ran> {
    let devices: StringArray = inventory.device_ids().map(Some).collect();
    session.register_batch("devices", RecordBatch::try_from_iter([("ip", Arc::new(devices) as ArrayRef)])?)?;
    let options = ParquetReadOptions::default();
    session.register_parquet("flows", directory.display().to_string(), options).await?;
    let mut ran = Ran::default();
    for batch in session.sql(RHYTHM).await?.collect().await? {
        let text = |index: usize| cast(batch.column(index), &DataType::Utf8);
        let number = |index: usize| cast(batch.column(index), &DataType::Float64);
        let (devices, peers) = (text(0)?, text(1)?);
        let ports = cast(batch.column(2), &DataType::Int64)?;
        let names = ["flows", "mean-interval", "interval-variance", "byte-ratio"];
        let numbers = (3..7).map(number).collect::<std::result::Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let measured = names
                .iter()
                .zip(&numbers)
                .map(|(name, values)| ((*name).to_owned(), values.as_primitive::<Float64Type>().value(row)));
            let found = Found {
                device: devices.as_string::<i32>().value(row).to_owned(),
                peer: peers.as_string::<i32>().value(row).to_owned(),
                port: i32::try_from(ports.as_primitive::<Int64Type>().value(row))?,
                slice: 0,
                measured: measured.collect(),
            };
            ran.found.insert(format!("{} {} {}", found.device, found.peer, found.port), found);
        }
    }
    let count = session.sql("SELECT count(*) FROM flows").await?.collect().await?;
    let flows = count.first().map_or(0, |batch| batch.column(0).as_primitive::<Int64Type>().value(0));
    ran.flows = flows.cast_unsigned();
    Ok(ran)
}
