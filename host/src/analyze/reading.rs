//! Reading a slice, without the files of it that cannot be read.
//!
//! What a plugin finds must not depend on how far a file was read until it failed: each time that one does, the slice is run
//! anew without it, from the same states. So what comes of a slice is a matter of the files that can be read, in whatever
//! order they were.

use std::{error::Error as StdError, ops::Range, sync::Arc};

use datafusion::{
    common::DataFusionError,
    logical_expr::{col, lit},
    prelude::SessionContext,
    scalar::ScalarValue,
};

use futures::StreamExt;

use super::{
    Stage, damaged,
    left_out::LeftOut,
    step::{Looked, SliceOutcome, look},
    traveller::Traveller,
};
use crate::{
    archive::ArchiveFile,
    catalog::{self, Cause, Doubles, Routers, SingleFlows, Unreadable},
    detect::Directory,
    detector::Stop,
    error::{Context, Error, Result},
    workspace::Workspace,
};

/// Files that are found by running a slice without those found before. Where there are more, each other file is read alone.
const ONE_BY_ONE: usize = 8;

/// What slices are read with.
pub(super) struct Reading<'a> {
    workspace: &'a Workspace,
    session: &'a SessionContext,
    directory: Arc<Directory>,
    doubles: Arc<Doubles>,
    routers: Arc<Routers>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(workspace: &'a Workspace, session: &'a SessionContext) -> Result<Self> {
        let directory = Directory::new(Arc::clone(&workspace.world))?.with_plugins_for(workspace.plugins.scopes());
        Ok(Self {
            workspace,
            session,
            directory: Arc::new(directory),
            doubles: Arc::new(Doubles::of(workspace)),
            routers: Arc::new(Routers::of(workspace)),
        })
    }

    /// Runs plugins over a slice and moves them past it. Tells what was left out.
    ///
    /// # Errors
    /// Of many files none is given by the disk or the object store, or something else than a file cannot be read; or the run
    /// was stopped. The travellers stand where they stood.
    pub(super) async fn slice(
        &self,
        stage: &Stage,
        here: &mut [&mut Traveller],
        stop: &Stop,
    ) -> Result<(SliceOutcome, LeftOut)> {
        let mut left_out = LeftOut::default();
        loop {
            let error = match self.attempt(stage, &left_out, here, stop).await {
                Ok(looked) => return Ok((looked.take_over(here)?, left_out)),
                Err(error) => error,
            };
            let Some((file, why)) = self.file_of(&error).filter(|_| !stop.is_stopped()) else { return Err(error) };
            if !left_out.add(file, why) {
                return Err(error);
            }
            // Each attempt finds one. Looking through finds all that cannot be read, and not all that give other flows.
            let is_time = left_out.len() >= ONE_BY_ONE && left_out.len().is_power_of_two();
            if is_time && !self.look_through(stage, &mut left_out, stop).await? {
                let files = left_out.len();
                return Err(Error::failed(format!("none of the {files} files of a slice can be read"))
                    .because(error)
                    .remedy(
                        "see that the disk or the object store is well; `wardflow archive check` reads all of it",
                    ));
            }
        }
    }

    /// Leaves out every file of a slice that cannot be read. Whether it is the files: where the disk gives none, it is the disk.
    async fn look_through(&self, stage: &Stage, left_out: &mut LeftOut, stop: &Stop) -> Result<bool> {
        let mut is_any_read = false;
        for file in stage.files.iter().map(|file| &self.workspace.listing.files[*file]) {
            if stop.is_stopped() {
                return Ok(true);
            }
            if left_out.has(file) {
                continue;
            }
            match self.read(file).await {
                Ok(()) => is_any_read = true,
                // What else is wrong, the next attempt tells, if it matters to it.
                Err(error) => match self.file_of(&error) {
                    Some((file, why)) => _ = left_out.add(file, why),
                    None => is_any_read = true,
                },
            }
        }
        Ok(is_any_read || left_out.files().all(|(_, why)| why.cause == Cause::Damaged))
    }

    /// Reads all of a file, and counts its flows.
    async fn read(&self, file: &ArchiveFile) -> Result<()> {
        let doing = || format!("reading {}", file.path);
        let flows = catalog::flows(&self.workspace.archive, vec![file.clone()])?;
        let rows = self.session.read_table(flows).context(doing)?;
        let mut batches = rows.execute_stream().await.context(doing)?;
        let mut read = 0;
        while let Some(batch) = batches.next().await {
            read += batch.context(doing)?.num_rows() as u64;
        }
        if read == file.rows || file.foreign { Ok(()) } else { Err(other_count(file, file.rows, read)) }
    }

    /// The file that an error is of, if the rest can do without it. An object store that cannot be reached has others too.
    fn file_of(&self, error: &Error) -> Option<(&ArchiveFile, Unreadable)> {
        let why = Unreadable::of(error)?.clone();
        let is_local = self.workspace.archive.directory().is_some();
        let is_its_own = why.cause != Cause::OutOfReach || is_local;
        let file = self.workspace.listing.files.iter().find(|file| file.object.location.as_ref() == &*why.place);
        file.filter(|_| is_its_own).map(|file| (file, why))
    }

    async fn attempt(&self, stage: &Stage, left_out: &LeftOut, here: &[&mut Traveller], stop: &Stop) -> Result<Looked> {
        let workspace = self.workspace;
        let (archive, hours) = (&workspace.archive, workspace.config.slice_hours);
        let files = stage.files.iter().map(|file| &workspace.listing.files[*file]);
        let files: Vec<_> = files.filter(|file| !left_out.has(file)).cloned().collect();
        let (doubles, routers) = if left_out.is_empty() {
            (Arc::clone(&self.doubles), Arc::clone(&self.routers))
        } else {
            let rest = workspace.listing.files.iter().filter(|file| !left_out.has(file)).cloned().collect::<Vec<_>>();
            (Arc::new(Doubles::new(archive, &rest, hours)), Arc::new(Routers::among(workspace, &rest)))
        };
        let flows = catalog::joined(archive, catalog::flows(archive, files.clone())?, hours);
        let flows = routers.left_out_of(Arc::new(SingleFlows::new(flows, Arc::clone(&doubles))));
        let looked = look(self.session, flows, &self.directory, stage.slice, here, None, stop).await?;
        if files.iter().all(|file| !file.foreign) {
            let doubles = doubles.at(stage.slice.start).await?;
            let twice: u64 = doubles.iter().flat_map(|doubles| &doubles.sensors).map(|sensor| sensor.flows).sum();
            let time = stage.slice.start..stage.slice.end;
            let told: u64 = files.iter().map(|file| file.rows_in(time.clone())).sum();
            if looked.flows() + twice != told {
                return Err(self.miscounted(stage, &files, time, looked.flows() + twice, told).await);
            }
        }
        Ok(looked)
    }

    /// Which file holds another number of flows than its footer says.
    async fn miscounted(&self, stage: &Stage, files: &[ArchiveFile], time: Range<i64>, read: u64, told: u64) -> Error {
        for file in files {
            let (counted, expected) = (self.count(file, &time).await, file.rows_in(time.clone()));
            match counted {
                Ok(counted) if counted == expected => {}
                Ok(counted) => return other_count(file, expected, counted),
                Err(error) => return error,
            }
        }
        damaged(stage, told, read)
    }

    /// Flows of a file that end in a time.
    async fn count(&self, file: &ArchiveFile, time: &Range<i64>) -> Result<u64> {
        let doing = || format!("counting the flows of {}", file.path);
        let flows = catalog::flows(&self.workspace.archive, vec![file.clone()])?;
        let at = |time| lit(ScalarValue::TimestampMicrosecond(Some(time), Some("UTC".into())));
        let ends = col("end_time").gt_eq(at(time.start)).and(col("end_time").lt(at(time.end)));
        let rows = self.session.read_table(flows).and_then(|flows| flows.filter(ends)).context(doing)?;
        rows.count().await.map(|rows| rows as u64).context(doing)
    }
}

/// That a file holds another number of flows than its footer says.
fn other_count(file: &ArchiveFile, told: u64, read: u64) -> Error {
    let place = file.object.location.as_ref().into();
    let reason = format!("of {told} flows {read} could be read");
    Error::failed("counting flows").because(Unreadable { place, reason, cause: Cause::Damaged })
}

/// That the flows of a slice have no room in memory, if that is what an error says.
pub(super) fn no_room(error: &Error) -> Option<String> {
    let first: &(dyn StdError + 'static) = error;
    let errors = std::iter::successors(Some(first), |&error| error.source());
    errors.filter_map(|error| error.downcast_ref::<DataFusionError>()).find_map(|error| match error.find_root() {
        DataFusionError::ResourcesExhausted(why) => Some(why.lines().next().unwrap_or_default().to_owned()),
        _ => None,
    })
}
