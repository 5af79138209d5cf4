//! What a check tells of sources whose rows or entries are lost, and what becomes of them.

use std::{collections::BTreeSet, path::Path};

use super::{
    check::Check,
    holdings::Holdings,
    orphans::Orphans,
    records::Records,
    repair::{self, Repaired},
    report::Problem,
    tables::{self, Lost},
};
use crate::{
    archive::{IngestAgain, SourceEntry, chains::Chains, ledger},
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
            self.write_anew(entry, what).await?;
        }
        Ok(anew)
    }

    /// Writes entries anew that know less of their sources than compacted files have, and returns them.
    pub(super) async fn recount(
        &mut self,
        records: &Records,
        holdings: &Holdings<'_>,
        orphans: &Orphans,
    ) -> Result<Vec<SourceEntry>> {
        if self.is_cut_off {
            return Ok(Vec::new());
        }
        let recounted = repair::recounted(&records.entries, holdings, orphans);
        for entry in &recounted {
            let (name, flows) = (&entry.name, entry.counts.flows);
            let what = format!("{flows} flows of {name} are in compacted files, and it knows of fewer");
            self.write_anew(entry, what).await?;
        }
        Ok(recounted)
    }

    /// Tells of an entry that is to be another, and writes it if it is to be repaired.
    async fn write_anew(&mut self, entry: &SourceEntry, what: String) -> Result<()> {
        let remedy = match self.lock {
            Some(lock) => {
                lock.archive().record_source(entry).await?;
                "it was written anew, by what there is of its rows"
            }
            None => "`wardflow archive check --repair` writes it anew, by what there is of its rows",
        };
        let (file, remedy) = (ledger::path(&entry.digest), remedy.to_owned());
        self.report.problems.push(Problem { file, what, remedy, mended: self.lock.is_some() });
        Ok(())
    }

    /// Tells of sources of which the ledger knows nothing but that others went on with their conversations.
    pub(super) fn tell_of_followed(&mut self, entries: &[SourceEntry], chains: &Chains<'_>) {
        for entry in entries {
            let Some(before) = chains.missing_followed(entry) else { continue };
            let path = Path::new(entry.path.as_ref().unwrap_or(&entry.name));
            let directory = path.parent().unwrap_or(path).display().to_string();
            let beside = IngestAgain { name: directory, ..IngestAgain::anew(entry) };
            let what = format!("it is missing: nothing is known of it but that {} went on from it", entry.name);
            let remedy = format!("give it in one run with what lies beside it: {}", beside.command(&[]));
            self.report.problems.push(Problem { file: ledger::path(before), what, remedy, mended: false });
        }
    }

    /// Tells of sources that went on from another one's reading than the last.
    pub(super) fn tell_of_overtaken(&mut self, entries: &[SourceEntry], chains: &Chains<'_>) {
        for entry in entries {
            let followed = chains.followed(entry);
            let Some(before) = followed.filter(|before| before.ingested_at > entry.ingested_at) else { continue };
            let what = format!(
                "{} went on from {}, which was read anew since: what it had left waiting may count twice",
                entry.name, before.name
            );
            let remedy = "ingest them again together, as said below".to_owned();
            self.report.problems.push(Problem { file: ledger::path(&entry.digest), what, remedy, mended: false });
            self.report.ingest_again.extend(chains.together(&entry.digest).into_iter().map(IngestAgain::anew));
        }
    }

    /// Tells of sources that lack rows, and which of them were taken out.
    pub(super) fn tell_of_sources(
        &mut self,
        lost: &[&SourceEntry],
        chains: &Chains<'_>,
        holdings: &Holdings<'_>,
        taken: &Repaired,
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
