//! Doubles: flows that several sensors saw. SQL's `flows` marks them, `device_flows` and the operator leave them out, and
//! complete what one sensor saw of one direction by what another saw of the other.
//!
//! They are found slice by slice, as slices are asked for, and only in slices of which the footers say that several sensors
//! delivered flows. Flows just outside of a slice are looked at too, so that no clock parts what belongs together.

mod clocks;
mod complete;
mod exec;
mod find;
mod records;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use datafusion::common::Result;
use foldhash::fast::FixedState;
use futures::TryStreamExt;

pub use self::table::{MarkedFlows, SingleFlows};
use self::{
    clocks::{Offset, clocks},
    find::{Found, Half, Seen},
    records::{BYTES, COLUMNS, Records},
};
use super::{per_slice::PerSlice, slice_flows::SliceFlows};
use crate::{
    archive::{Archive, ArchiveFile},
    error::{Context, Result as HostResult},
    time::{HOUR, MINUTE},
    workspace::Workspace,
};

/// How far outside of a slice flows are looked at: more than clocks may differ and exporters be late.
const MARGIN: i64 = 10 * MINUTE;

/// Flows that are compared at a time, 64 bytes each, besides those just outside of the slice. Of a slice with more it is read
/// several times.
const MOST_AT_ONCE: u64 = 1_500_000;

/// The doubles of an archive.
#[derive(Debug)]
pub struct Doubles {
    flows: SliceFlows,
    slice_length: i64,
    /// Sensors, in order of name, and flows of each slice of which there are several, by the slice's number.
    slices: BTreeMap<i64, (Vec<String>, u64)>,
    known: PerSlice<SliceDoubles>,
}

/// The doubles of a slice.
#[derive(Debug, Default)]
pub struct SliceDoubles {
    records: HashSet<u64, FixedState>,
    /// What completes records of one direction that are no doubles.
    halves: HashMap<u64, Half, FixedState>,
    /// What each sensor saw twice, in order of name.
    pub sensors: Vec<SensorDoubles>,
}

/// What a sensor saw that another saw more fully.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorDoubles {
    /// Its name; empty where the source named none.
    pub sensor: String,
    /// Number of its flows that do not count.
    pub flows: u64,
    clock: Offset,
}

impl SensorDoubles {
    /// How far its clock is ahead of the first sensor's at a time by it, microseconds; nothing where too few flows tell.
    pub fn clock_offset(&self, time: i64) -> Option<i64> {
        self.clock.known_at(time)
    }
}

impl Doubles {
    /// Of a workspace's archive.
    pub fn of(workspace: &Workspace) -> Self {
        Self::new(&workspace.archive, &workspace.listing.files, workspace.config.slice_hours)
    }

    /// Of flow files, in slices of so many hours.
    pub fn new(archive: &Archive, files: &[ArchiveFile], slice_hours: u32) -> Self {
        let hours = i64::from(slice_hours.max(1));
        let mut slices: BTreeMap<i64, (BTreeSet<&str>, u64)> = BTreeMap::new();
        for hour in files.iter().flat_map(|file| &file.sensors) {
            let (sensors, rows) = slices.entry(hour.hour.div_euclid(hours)).or_default();
            sensors.insert(hour.sensor.as_deref().unwrap_or_default());
            *rows += hour.rows;
        }
        let several = slices.into_iter().filter(|(_, (sensors, _))| sensors.len() > 1);
        let owned = |sensors: BTreeSet<&str>| sensors.into_iter().map(str::to_owned).collect();
        Self {
            flows: SliceFlows::of(archive, files),
            slice_length: hours * HOUR,
            slices: several.map(|(slice, (sensors, rows))| (slice, (owned(sensors), rows))).collect(),
            known: PerSlice::default(),
        }
    }

    /// Whether there may be any.
    pub fn may_be(&self) -> bool {
        !self.slices.is_empty()
    }

    /// Whether there may be any in the slice that holds a time, microseconds UTC.
    pub fn may_be_at(&self, time: i64) -> bool {
        self.slices.contains_key(&self.slice(time))
    }

    /// Those of the slice that holds a time, microseconds UTC; none where one sensor alone delivered flows.
    ///
    /// # Errors
    /// Flows cannot be read.
    pub async fn at(&self, time: i64) -> HostResult<Option<Arc<SliceDoubles>>> {
        self.of_slice(self.slice(time)).await.context(|| "comparing what several sensors saw".to_owned())
    }

    fn slice(&self, time: i64) -> i64 {
        time.div_euclid(self.slice_length)
    }

    async fn of_slice(&self, slice: i64) -> Result<Option<Arc<SliceDoubles>>> {
        let Some((sensors, rows)) = self.slices.get(&slice) else { return Ok(None) };
        let cell = self.known.cell(slice);
        cell.get_or_try_init(|| self.find(slice, sensors, *rows)).await.cloned().map(Some)
    }

    async fn find(&self, slice: i64, sensors: &[String], rows: u64) -> Result<Arc<SliceDoubles>> {
        let [start, end] = [slice, slice + 1].map(|number| number * self.slice_length);
        let parts = rows.div_ceil(MOST_AT_ONCE).max(1);
        let mut told = None;
        let (records, halves, counts) = (HashSet::default(), HashMap::default(), vec![0; sensors.len()]);
        let mut found = Found { records, halves, counts, counted: start..end };
        for part in 0..parts {
            // As much as there will be, and a little for the margin: growing would take twice that.
            let mut seen = Vec::with_capacity((rows / parts * 17 / 16) as usize);
            self.read(start - MARGIN, end + MARGIN, sensors, |key| key % parts == part, &mut seen).await?;
            let clocks = told.get_or_insert_with(|| clocks(&mut seen, sensors.len()));
            find::find(&mut seen, clocks, &mut found);
        }
        let offsets = told.into_iter().flat_map(|clocks| clocks.offsets);
        let of_sensor = |((sensor, flows), clock): ((&String, &u64), Offset)| SensorDoubles {
            sensor: sensor.clone(),
            flows: *flows,
            clock,
        };
        let sensors = sensors.iter().zip(&found.counts).zip(offsets).map(of_sensor).collect();
        Ok(Arc::new(SliceDoubles { records: found.records, halves: found.halves, sensors }))
    }

    /// Reads flows that end in a time, of the keys that are wanted.
    async fn read(
        &self,
        from: i64,
        to: i64,
        sensors: &[String],
        wanted: impl Fn(u64) -> bool,
        seen: &mut Vec<Seen>,
    ) -> Result<()> {
        let columns = [COLUMNS.as_slice(), &BYTES].concat();
        let mut batches = self.flows.ending_in(from..to, &columns).await?;
        while let Some(batch) = batches.try_next().await? {
            let records = Records::of(&batch)?;
            for row in 0..records.len() {
                let key = records.key(row);
                // A sensor of the margin alone has nothing in the slice.
                let Ok(sensor) = sensors.binary_search_by(|sensor| sensor.as_str().cmp(records.sensor(row))) else {
                    continue;
                };
                if wanted(key) {
                    seen.push(Seen {
                        key,
                        record: records.record(row, key),
                        start: records.start(row),
                        end: records.end[row],
                        packets: records.packets(row),
                        bytes: records.bytes(row),
                        alone: records.alone(row),
                        sensor: u16::try_from(sensor).unwrap_or(u16::MAX),
                    });
                }
            }
        }
        Ok(())
    }
}
