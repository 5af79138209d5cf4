//! The last record that could not be read may be one that is being written.

use super::counts::Counts;
use crate::{
    archive::{
        reader::{Place, Reject},
        rejects::{MOST_RAW_BYTES, RejectsWriter},
    },
    error::Result,
};

/// The reject that came last, until it is known whether more follows.
#[derive(Debug, Default)]
pub(super) struct LastReject(Option<(Place, String, Vec<u8>)>);

impl LastReject {
    pub(super) fn place(&self) -> Option<Place> {
        self.0.as_ref().map(|(place, ..)| *place)
    }

    pub(super) fn replace(
        &mut self,
        reject: &Reject<'_>,
        rejects: &mut RejectsWriter,
        counts: &mut Counts,
    ) -> Result<()> {
        std::mem::take(self).write(rejects, counts)?;
        let raw = &reject.raw[..reject.raw.len().min(MOST_RAW_BYTES)];
        self.0 = Some((reject.place, reject.reason.clone(), raw.to_vec()));
        Ok(())
    }

    pub(super) fn write(self, rejects: &mut RejectsWriter, counts: &mut Counts) -> Result<()> {
        let Some((place, reason, raw)) = self.0 else { return Ok(()) };
        counts.rejects += 1;
        rejects.push(&Reject { place, reason, raw: &raw })
    }
}
