//! The archive: flow files, and the readers of foreign formats.
//!
//! ```text
//! <archive>/date=2024-05-01/<source>-0.parquet    flows that end on that date, UTC
//! <archive>/_wardflow/sources/<digest>.json       what was ingested, so that nothing is twice
//! <archive>/_wardflow/rejects/<source>.parquet    lines that could not be read
//! ```
//!
//! An archive is one directory or one prefix of an object store. [`ArchiveWriter`] takes flows and lays them out;
//! [`ingest_zeek`] feeds it; [`Archive::list`] and [`slices`] tell what there is, from footers alone. The archive knows
//! neither devices nor detectors nor SQL, and reads no flows back: DataFusion does.

mod begun;
mod buffer;
mod column;
mod content;
mod digest;
mod encoder;
mod files;
mod footer;
mod hours;
mod ingest;
mod input;
mod inventory;
mod known;
mod layout;
mod ledger;
mod lines;
mod location;
mod lock;
mod options;
mod record;
pub mod rejects;
mod slices;
mod source;
mod writer;
pub mod zeek;

pub use digest::FlowsDigest;
pub use files::{ArchiveFile, BrokenFile, Listing};
pub use hours::{Delivered, HOURS_KEY, Hour};
pub use ingest::{IngestOptions, IngestReport, OnProgress, Progress, SourceReport, SourceStatus, ingest_zeek};
pub use inventory::{COLUMNS as INVENTORY_COLUMNS, read_inventory, write_inventory_csv};
pub use layout::ROW_GROUP_ROWS;
pub use ledger::SourceEntry;
pub use location::{Archive, OWN_DIRECTORY};
pub use lock::ArchiveLock;
pub use record::FlowRecord;
pub use slices::{SliceDelivered, SliceInput, slices};
pub use writer::{ArchiveWriter, BUFFER_BYTES, Written};

#[cfg(test)]
mod ingest_tests;
#[cfg(test)]
mod round_trip;
