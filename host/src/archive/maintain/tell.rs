//! What a check tells of sources whose rows or entries are lost, and what becomes of them.

use std::collections::BTreeSet;

use super::{
    check::Check,
    holdings::Holdings,
    orphans::Orphans,
    records::Records,
    repair::{self, TakenOut},
    report::{IngestAgain, Problem},
    tables::{self, Lost},
};
use crate::{
    archive::{SourceEntry, chains::Chains, ingest::again as taken_out, ledger},
    error::Result,
};

impl Check<'_> {
    /// Writes entries anew that the ledger lost, where nothing else helps, and returns them.
    pub(super) async fn entries_anew(
        &mut self,
        records: &Records,
        orphans: &Orphans,
        is_fixed: impl Fn(&str) -> bool,
    ) -> Result<Vec<SourceEntry>> {
        if self.is_cut_off {
            return Ok(Vec::new());
        }
        let chains = Chains::new(&records.entries);
        let anew = repair::entries_anew(&chains, &records.entries, orphans, &records.expired, is_fixed);
        for entry in &anew {
            let flows = entry.counts.flows;
            let what = format!("it is missing, and what went on from it is compacted; {flows} flows of it are there");
            let remedy = match self.lock {
                Some(lock) => {
                    lock.archive().record_source(entry).await?;
                    "it was written anew, by what there is of its rows"
                }
                None => "`wardflow archive check --repair` writes it anew, by what there is of its rows",
            };
            let (file, remedy) = (ledger::path(&entry.digest), remedy.to_owned());
            self.report.problems.push(Problem { file, what, remedy, mended: self.lock.is_some() });
        }
        Ok(anew)
    }

    /// Tells of sources that a run took out to read them anew, and did not before it ended.
    pub(super) fn tell_of_taken_out(&mut self, records: &Records) {
        for out in &records.taken_out {
            if records.entries.iter().any(|entry| entry.digest == out.digest) {
                continue;
            }
            let file = taken_out::path(&out.digest);
            let what = format!("what {} had given was taken out to be read anew, and was not read yet", out.name);
            let remedy = "ingest it again, as said below; or delete this file, to do without".to_owned();
            self.report.ingest_again.push(IngestAgain::taken_out(out));
            self.report.problems.push(Problem { file, what, remedy, mended: false });
        }
    }

    /// Tells of a source that was taken out, and which is not known.
    pub(super) fn tell_of_lost_note(&mut self, file: &str, reason: &str) {
        let what = format!("a source was taken out to be read anew, and which it was cannot be read: {reason}");
        let remedy = "ingest with --again what was given to the run that was killed, then delete this file".to_owned();
        self.report.problems.push(Problem { file: file.to_owned(), what, remedy, mended: false });
    }

    /// Tells of sources that lack rows, and which of them were taken out.
    pub(super) fn tell_of_sources(
        &mut self,
        lost: &[&SourceEntry],
        chains: &Chains<'_>,
        holdings: &Holdings<'_>,
        taken: &TakenOut,
    ) {
        let remedy = match (self.is_cut_off, self.lock) {
            (true, _) => "some files cannot be read just now, and they may be there: check again when they can",
            (false, Some(_)) => "ingest it again, as said below",
            (false, None) => "run `wardflow archive check --repair`, then ingest again what it says",
        };
        for entry in lost {
            let (there, flows, name) = (holdings.flows(entry), entry.counts.flows, &entry.name);
            let what = if there != flows {
                format!("{there} of the {flows} flows of {name} are there")
            } else if chains.missing_beginning(entry).is_some() {
                format!("{name} goes on from what was added of it before, and the ledger has no entry of that")
            } else {
                format!("flows of {name}, or of the source before it, that waited for more are lost")
            };
            let mended = [&taken.sources, &taken.told].iter().any(|digests| digests.contains(&entry.digest));
            let (file, remedy) = (ledger::path(&entry.digest), remedy.to_owned());
            self.report.problems.push(Problem { file, what, remedy, mended });
        }
    }

    /// Tells of files of tables that are damaged or gone, moves them away if it is to be repaired, and counts them as
    /// expired then, so that they are missed once. That is put right where an ingest alone restores them.
    pub(super) async fn tell_of_tables(
        &mut self,
        lost: Vec<Lost>,
        records: &Records,
        chains: &Chains<'_>,
        taken: &BTreeSet<String>,
        is_fixed: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let owners = tables::owners(&records.entries);
        let mut again = BTreeSet::new();
        for file in lost {
            let sources: BTreeSet<&str> =
                file.of.iter().filter_map(|path| owners.get(path)).map(|source| source.digest.as_str()).collect();
            let (mut remedies, mut mended) = (BTreeSet::new(), self.lock.is_some());
            for source in sources.iter().filter_map(|digest| chains.together(digest).first().copied()) {
                if taken.contains(&source.digest) {
                    remedies.insert(format!("ingesting {} again, as said below, has its rows", source.name));
                } else {
                    let (remedy, source) = tables::way_back(source, chains, &is_fixed);
                    remedies.insert(remedy);
                    mended &= source.is_some();
                    again.extend(source);
                }
            }
            if sources.is_empty() {
                remedies.insert("its sources are not known: to have its rows back, ingest them again".to_owned());
            }
            let remedy = remedies.into_iter().collect::<Vec<_>>().join("; ");
            if let Some(lock) = self.lock {
                if file.is_there {
                    repair::set_aside(lock, &file.file).await?;
                }
                let stays = |path: &String| owners.get(path).is_none_or(|source| !taken.contains(&source.digest));
                let expired = file.of.into_iter().filter(stays).map(|path| (path, 0)).collect();
                lock.archive().record_expired(&expired).await?;
            }
            self.report.problems.push(Problem { file: file.file, what: file.what, remedy, mended });
        }
        if self.lock.is_some() {
            self.report.ingest_again.extend(again);
        }
        Ok(())
    }
}
