//! Looks after an archive: few large files in place of many small ones, damage found and mended, what is old let go.
//!
//! | file | answers |
//! |---|---|
//! | [`compact`](compact()), [`compact_tables`] | few large files in place of many small ones |
//! | [`replaces`], [`replacing`] | how one file takes the place of others in one moment |
//! | [`check`](check()), [`tell`], [`report`] | is it whole? |
//! | [`leftovers`], [`records`], [`notes`], [`tables`], [`orphans`] | what did killed runs leave, what is noted, what of that is lost, what lies beside, what has no source? |
//! | [`mod@repair`] | what is damaged goes out of the way, so that its sources can be ingested again |
//! | [`expire`](expire()), [`expired`] | what is old goes, and its sources count as there all the same |
//! | [`holdings`], [`lacking`] | where the flows of every source are, and which are nowhere |
//! | [`read_back`], [`flow_rows`] | Parquet into flows, exactly |
//!
//! Every step may be the last one of a killed process, and may be done twice.

mod check;
mod compact;
mod compact_tables;
mod expire;
mod expired;
mod flow_rows;
mod foreign;
mod holdings;
mod lacking;
mod leftovers;
mod notes;
mod orphans;
mod read_back;
mod records;
mod repair;
mod replaces;
mod replacing;
mod report;
mod tables;
mod tell;

#[cfg(test)]
mod repair_tests;
#[cfg(test)]
mod tests;

use crate::{
    archive::Archive,
    error::{Error, Result},
};

pub use check::{check, repair};
pub use compact::{CompactReport, Compacted, Refused, compact};
pub use expire::{ExpireReport, Expired, expire, would_expire};
pub use lacking::{Lacking, LackingSource};
pub use replaces::REPLACES_KEY;
pub(super) use replaces::{Replaces, is_compacted};
pub use report::{CheckReport, Problem};

impl Archive {
    /// Refuses to look after an archive whose files are another program's.
    ///
    /// # Errors
    /// It is one.
    pub fn refuse_foreign(&self) -> Result<()> {
        if !self.is_read_only() {
            return Ok(());
        }
        let rule = "`wardflow archive` looks after what `wardflow ingest` wrote";
        Err(Error::usage(format!("{rule}, and the files of {} are another program's", self.describe()))
            .remedy("leave them to that program; `wardflow status` names those of them that cannot be used"))
    }
}

/// How far a long task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Bytes of files that were read.
    pub bytes_read: u64,
    /// Bytes of files to read.
    pub bytes: u64,
    /// Flows read.
    pub flows: u64,
}

/// Is told how far a task is.
pub type OnStep<'a> = &'a (dyn Fn(Step) + Sync);

/// Counts the steps.
struct Steps<'a> {
    now: Step,
    told: OnStep<'a>,
}

impl<'a> Steps<'a> {
    fn new(bytes: u64, told: OnStep<'a>) -> Self {
        Self { now: Step { bytes, ..Step::default() }, told }
    }

    fn add(&mut self, bytes: u64, flows: u64) {
        self.now.bytes_read += bytes;
        self.now.flows += flows;
        (self.told)(self.now);
    }
}

/// The directory of a flow file that lies where this program puts them, such as `date=2024-05-01`.
fn date_of(path: &str) -> Option<&str> {
    let (date, name) = path.split_once('/')?;
    (date.starts_with("date=") && !name.contains('/')).then_some(date)
}
