//! Whether a content is known already, or goes on from one that is: a log that was ingested before, or has grown since.
//!
//! A content is known by the BLAKE3 of all of it, which is had when it was read. What it cannot be is known before, by the
//! digest of its first bytes, so that a new log is read once.

use std::{
    collections::{BTreeMap, HashMap},
    io::Read,
};

use crate::archive::{content::head_length, ledger::SourceEntry};

/// What an archive holds of a content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recognised {
    /// The digest of the source that is the same.
    pub(super) same: Option<String>,
    /// The digest of the longest shorter source with which the content begins.
    pub(super) begins_with: Option<String>,
}

/// The sources that an archive holds.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownSources {
    /// Lengths and digests by the length of the head, and by its digest.
    by_head: BTreeMap<usize, HashMap<String, Vec<(u64, String)>>>,
    /// Of sources that an earlier version ingested, which recorded no head.
    headless: Vec<(u64, String)>,
}

impl KnownSources {
    pub(super) fn add(&mut self, source: &SourceEntry) {
        let known = (source.bytes, source.digest.clone());
        match &source.head {
            Some(head) => {
                let of_length = self.by_head.entry(head_length(source.bytes)).or_default();
                of_length.entry(head.clone()).or_default().push(known);
            }
            None => self.headless.push(known),
        }
    }

    pub(super) fn remove(&mut self, source: &SourceEntry) {
        let of_length = self.by_head.get_mut(&head_length(source.bytes));
        let with_head = match &source.head {
            Some(head) => of_length.and_then(|of_length| of_length.get_mut(head)),
            None => Some(&mut self.headless),
        };
        with_head.into_iter().for_each(|known| known.retain(|(_, digest)| *digest != source.digest));
    }

    /// The sources whose heads are the beginning of a content, by its first bytes: those too that are longer than it.
    pub(super) fn alike(&self, start: &[u8]) -> Vec<String> {
        self.with_equal_head(start).map(|(_, digest)| digest.clone()).collect()
    }

    /// Reads as much of a content, behind its head, as it takes to recognise it. One that breaks off counts as far as it can
    /// be read.
    pub(super) fn recognise(&self, head: &[u8], rest: impl Read) -> Recognised {
        let mut by_length: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
        for (bytes, digest) in self.with_head(head) {
            by_length.entry(*bytes).or_default().push(digest);
        }
        if by_length.is_empty() { Recognised::default() } else { compare(head.chain(rest), &by_length) }
    }

    /// The sources that a content may be or go on from, by its first bytes.
    fn with_head(&self, start: &[u8]) -> impl Iterator<Item = &(u64, String)> {
        self.with_equal_head(start).chain(&self.headless)
    }

    fn with_equal_head(&self, start: &[u8]) -> impl Iterator<Item = &(u64, String)> {
        let of_lengths = self
            .by_head
            .range(..=start.len())
            .filter_map(|(length, by_digest)| by_digest.get(blake3::hash(&start[..*length]).to_hex().as_str()));
        of_lengths.flatten()
    }
}

/// Compares a content with known ones, given by length, and reads no more of it than they have.
fn compare(mut content: impl Read, known: &BTreeMap<u64, Vec<&str>>) -> Recognised {
    let mut lengths = known.iter().peekable();
    let mut hasher = blake3::Hasher::new();
    let mut recognised = Recognised::default();
    let mut chunk = vec![0; 128 << 10];
    let find = |hasher: &blake3::Hasher, digests: &[&str]| {
        let digest = hasher.finalize().to_hex();
        digests.contains(&digest.as_str()).then(|| digest.to_string())
    };
    while lengths.peek().is_some() {
        let mut rest = match content.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(read) => &chunk[..read],
        };
        while !rest.is_empty() {
            if let Some((_, digests)) = lengths.next_if(|(length, _)| **length == hasher.count())
                && let Some(digest) = find(&hasher, digests)
            {
                recognised.begins_with = Some(digest);
            }
            let Some((length, _)) = lengths.peek() else { break };
            let until = usize::try_from(**length - hasher.count()).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(rest.len().min(until));
            hasher.update(now);
            rest = later;
        }
    }
    if let Some((_, digests)) = lengths.next_if(|(length, _)| **length == hasher.count()) {
        recognised.same = find(&hasher, digests);
    }
    recognised
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::{KnownSources, Recognised};
    use crate::archive::{
        SourceEntry,
        content::{Content, Digested, HEAD},
        ledger::LastLine,
    };

    fn content(bytes: &[u8]) -> Content {
        let mut digested = Digested::new(bytes);
        io::copy(&mut digested, &mut io::sink()).unwrap();
        digested.content()
    }

    fn entry(bytes: &[u8], has_head: bool) -> SourceEntry {
        let Content { digest, bytes, head, .. } = content(bytes);
        SourceEntry {
            digest,
            name: "conn.log".into(),
            bytes,
            head: has_head.then_some(head),
            last_line: LastLine::Whole,
            ..SourceEntry::default()
        }
    }

    fn known(contents: &[&[u8]], has_head: bool) -> KnownSources {
        let mut known = KnownSources::default();
        contents.iter().for_each(|content| known.add(&entry(content, has_head)));
        known
    }

    #[test]
    fn a_content_that_is_the_same_or_goes_on_is_recognised() {
        fn check(content: &[u8], contents: &[&[u8]], same: Option<&[u8]>, begins_with: Option<&[u8]>) {
            let digest = |content: &[u8]| blake3::hash(content).to_hex().to_string();
            let expected = Recognised { same: same.map(digest), begins_with: begins_with.map(digest) };
            for has_head in [true, false] {
                let (head, rest) = content.split_at(content.len().min(HEAD));
                assert_eq!(known(contents, has_head).recognise(head, rest), expected, "{has_head} {content:.20?}");
            }
        }
        let text = b"a\nb\nc\n";
        check(text, &[], None, None);
        check(text, &[b"a\n", b"a\nb\n", b"x\ny\n"], None, Some(b"a\nb\n"));
        check(text, &[text], Some(text), None);
        check(text, &[text, b"a\n"], Some(text), Some(b"a\n"));
        check(text, &[b"a\nb\nc\nd\n", b"a\nb\nx\n"], None, None);
        check(b"a\nbig\n", &[b"a\nb"], None, Some(b"a\nb"));
        check(text, &[b"a\nb"], None, Some(b"a\nb"));
        check(b"", &[b"a"], None, None);
        check(b"", &[b""], Some(b""), None);
        let mut forgotten = known(&[b"a\n", b"a\nb\n"], true);
        forgotten.remove(&entry(b"a\nb\n", true));
        assert_eq!(forgotten.recognise(text, &[][..]).begins_with.unwrap(), blake3::hash(b"a\n").to_hex().as_str());
        assert_eq!(known(&[b"a\nb\nc\nd", b"x"], true).alike(text).len(), 1);
        assert_eq!(known(&[b"a\nb\nc\n+", b"a\nb\nc\nde"], true).alike(b"a\nb\nc\n+-").len(), 1);
        let long: Vec<u8> = (0..800_000_u32).flat_map(u32::to_le_bytes).collect();
        for length in [1, HEAD - 1, HEAD, HEAD + 1, 2 << 20] {
            check(&long, &[&long[..length]], None, Some(&long[..length]));
            check(&long[..length], &[&long, &long[..length]], Some(&long[..length]), None);
        }
    }

    #[test]
    fn what_begins_otherwise_is_read_once() {
        struct Counted<'a>(&'a [u8], &'a mut usize);
        impl Read for Counted<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let read = self.0.read(buffer)?;
                *self.1 += read;
                Ok(read)
            }
        }
        let [mut one, two] = [b'1', b'2'].map(|first| vec![first; 1 << 20]);
        let read = |content: &[u8], known: &KnownSources| {
            let mut read = 0;
            let (head, rest) = content.split_at(content.len().min(HEAD));
            known.recognise(head, Counted(rest, &mut read));
            HEAD + read
        };
        assert_eq!(read(&one, &known(&[&two, &two[..7]], true)), HEAD);
        assert_eq!(read(&one, &known(&[&two], false)), 1 << 20);
        one[HEAD..].fill(b'3');
        assert!(read(&one, &known(&[&one[..HEAD + 1]], true)) < 1 << 19);
    }
}
