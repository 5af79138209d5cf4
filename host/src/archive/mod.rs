//! The archive: flow files, and the readers of foreign formats.
//!
//! ```text
//! <archive>/date=2024-05-01/<source>-0.parquet    flows that end on that date, UTC
//! <archive>/_wardflow/sources/<digest>.json       what was ingested, so that nothing is twice
//! <archive>/_wardflow/copies/<source>.json        the same once more, should one of these be lost
//! <archive>/_wardflow/rejects/<source>.parquet    records that could not be read
//! <archive>/_wardflow/open_flows/<source>-….parquet   connections that had not ended
//! <archive>/_wardflow/{leases,ids_events,…}/<source>.parquet   what sources tell beside flows
//! <archive>/_wardflow/carried/<source>            conversations that wait for the source that follows
//! <archive>/date=2024-05-01/compact-….parquet     flows of many sources, in place of files of their own
//! <archive>/_wardflow/expired/date=….json         what was deleted since it is old, so that it is not read in again
//! <archive>/_wardflow/damaged/…                   what is no longer what was written
//! ```
//!
//! An archive is one directory or one prefix of an object store. One whose files are another program's has a
//! [`Mapping`](crate::mapping::Mapping), and is only read. [`ArchiveWriter`] takes flows and lays them out;
//! [`ingest`](ingest()) feeds it; [`Archive::list`] and [`slices`] tell what there is, from footers alone. The archive knows
//! neither devices nor detectors nor SQL, and reads no flows back but to look after them: DataFusion does.

mod argus;
mod aside;
mod asides;
mod asked;
mod begun;
mod block_sums;
mod buffer;
mod carried;
mod chains;
mod column;
mod content;
mod copies;
mod delimited;
mod digest;
mod discover;
mod encoder;
mod eve;
mod files;
mod footer;
mod format;
mod guarded;
mod health;
mod hours;
mod ingest;
mod ingest_again;
mod input;
mod inventory;
mod join;
mod labels;
mod layout;
mod ledger;
mod lines;
mod links;
mod local_time;
mod location;
mod lock;
mod maintain;
mod mapped;
mod metadata;
mod netflow;
mod nfdump;
mod options;
mod pcap;
mod program;
mod read_all;
mod reader;
mod record;
pub mod rejects;
mod sensor_hours;
mod slices;
mod spool;
mod tail_sums;
mod tcp;
mod told;
mod values;
mod version;
mod writer;
mod zeek;

pub use aside::{Aside, AsideTable, HostFact, IdsEvent, Lease, SensorReport};
pub use asked::Asked;
pub use block_sums::BlockSums;
pub use digest::FlowsDigest;
pub use files::{ArchiveFile, BrokenFile, Listing};
pub use format::Format;
pub use guarded::{caught, is_guarded};
pub use health::{Health, SensorHealth};
pub use hours::{Delivered, HOURS_KEY, Hour};
pub use ingest::{
    Counts, Ingest, IngestOptions, IngestReport, MaxRejects, OnProgress, Progress, SourceReport, SourceStatus, ingest,
};
pub use ingest_again::IngestAgain;
pub(crate) use input::{cannot_read, read_file};
pub use inventory::{COLUMNS as INVENTORY_COLUMNS, read_inventory, read_inventory_csv, write_inventory_csv};
pub use labels::{Label, read_labels};
pub use layout::ROW_GROUP_ROWS;
pub use ledger::SourceEntry;
pub use location::{Archive, OWN_DIRECTORY};
pub use lock::{ArchiveLock, ReadLock};
pub use maintain::{
    CheckReport, CompactReport, Compacted, ExpireReport, Expired, Lacking, LackingSource, OnStep, Problem,
    REPLACES_KEY, Refused, Step, check, compact, expire, repair, would_expire,
};
pub use mapped::{JoinedRows, RowCounts};
pub use metadata::{check_range, metadata_and_index};
pub use read_all::{Held, read_all};
pub use reader::{Place, Reader, Record, Reject};
pub use record::FlowRecord;
pub use sensor_hours::{SENSORS_KEY, SensorHour};
pub use slices::{EMPTY_SLICES, SliceDelivered, SliceInput, slices};
pub use writer::{ArchiveWriter, BUFFER_BYTES, Written};

#[cfg(test)]
mod page;
#[cfg(test)]
mod round_trip;
