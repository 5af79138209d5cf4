//! Sources that a run took out to read them anew, `_wardflow/again/<source>`: noted until they are there again, with what
//! the run was asked for and when they had been ingested, so that another run gives what it would have given.

use serde::{Deserialize, Serialize};

use crate::{
    archive::{
        ingest_again::IngestAgain,
        ledger::{self, SourceEntry},
        location::{Archive, OWN_DIRECTORY},
    },
    error::{Context, Result},
};

/// A source of which everything was taken out, to be read anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::archive) struct TakenOut {
    pub(in crate::archive) digest: String,
    #[serde(flatten)]
    pub(in crate::archive) source: IngestAgain,
    /// The note's path in the archive.
    #[serde(skip)]
    pub(in crate::archive) file: String,
    /// Why the note cannot be read. It still says that something is missing.
    #[serde(skip)]
    pub(in crate::archive) unreadable: Option<String>,
}

/// What is noted of sources.
#[derive(Debug, Default)]
struct Noted {
    /// They were taken out.
    out: Vec<TakenOut>,
    /// They were about to be, and are in the ledger as they were.
    as_it_was: Vec<TakenOut>,
    /// They were read anew.
    back: Vec<TakenOut>,
}

impl TakenOut {
    pub(super) fn new(digest: &str, source: IngestAgain) -> Self {
        Self { digest: digest.to_owned(), source, file: path(digest), unreadable: None }
    }

    fn parse(file: String, json: &[u8]) -> Self {
        let read = serde_json::from_slice(json).map_err(|error| error.to_string());
        let read = read.and_then(|out: Self| match path(&out.digest) == file {
            true => Ok(out),
            false => Err(format!("it says that the source is {}", out.digest)),
        });
        match read {
            Ok(out) => Self { file, ..out },
            Err(reason) => {
                let source = IngestAgain { name: format!("the source of {file}"), ..IngestAgain::default() };
                Self { digest: String::new(), source, file, unreadable: Some(reason) }
            }
        }
    }

    /// Whether it is a source: of the same content, or what lies at its path by now.
    pub(super) fn is(&self, digest: &str, place: Option<&String>) -> bool {
        self.digest == digest || place == Some(&self.source.name)
    }
}

impl Archive {
    /// Sources that were taken out to be read anew and are not there yet, in the order in which they had been ingested. Where
    /// the run was killed while it took out those that go together, the rest of them is among these.
    pub(in crate::archive) async fn taken_out(&self) -> Result<Vec<TakenOut>> {
        let Noted { mut out, as_it_was, .. } = self.noted().await?;
        if !out.is_empty() {
            out.extend(as_it_was);
        }
        out.sort_by(|one, other| one.source.cmp(&other.source));
        Ok(out)
    }

    /// Digests of those that a run was killed before it had taken them out, though it had others that go with them.
    pub(super) async fn half_taken_out(&self) -> Result<Vec<String>> {
        let Noted { out, as_it_was, .. } = self.noted().await?;
        let rest = as_it_was.into_iter().filter(|_| !out.is_empty());
        Ok(rest.map(|one| one.digest).collect())
    }

    /// Forgets those that are there again, or still, where nothing was taken out: a run was killed before it had.
    pub(super) async fn forget_those_there(&self) -> Result<()> {
        let Noted { out, as_it_was, back } = self.noted().await?;
        let still = as_it_was.into_iter().filter(|_| out.is_empty());
        for there in back.into_iter().chain(still) {
            self.forget_taken_out(&there).await?;
        }
        Ok(())
    }

    async fn noted(&self) -> Result<Noted> {
        let mut noted = Noted::default();
        for note in self.objects(Some(&directory())).await? {
            let file = self.file(&note.location).to_owned();
            let Some(json) = self.get(&file).await? else { continue };
            let out = TakenOut::parse(file, &json);
            let of_ledger = match out.unreadable {
                None => self.get(&ledger::path(&out.digest)).await?,
                Some(_) => None,
            };
            // An entry that cannot be read may be of then.
            let ingested_at = of_ledger.map(|json| SourceEntry::from_json(&json).map(|entry| entry.ingested_at));
            match ingested_at {
                None => noted.out.push(out),
                Some(Ok(ingested_at)) if ingested_at != out.source.ingested_at => noted.back.push(out),
                Some(_) => noted.as_it_was.push(out),
            }
        }
        Ok(noted)
    }

    /// The names of sources that were taken out to be read anew, and were not.
    ///
    /// # Errors
    /// The archive cannot be read.
    pub async fn unfinished(&self) -> Result<Vec<String>> {
        Ok(self.taken_out().await?.into_iter().map(|out| out.source.name).collect())
    }

    pub(super) async fn note_taken_out(&self, out: &TakenOut) -> Result<()> {
        let json = serde_json::to_vec_pretty(out).context(|| format!("noting {}", out.source.name))?;
        self.put(&out.file, json).await
    }

    pub(super) async fn forget_taken_out(&self, out: &TakenOut) -> Result<()> {
        self.delete(&self.place(&out.file)).await
    }
}

fn directory() -> String {
    format!("{OWN_DIRECTORY}/again")
}

fn path(digest: &str) -> String {
    format!("{}/{}", directory(), SourceEntry::short(digest))
}
