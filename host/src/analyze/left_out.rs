//! Files that a slice was analysed without, since they cannot be read.
//!
//! Coverage names them, and its digest of what was analysed is one of the slice without them: a slice is analysed again once
//! such a file is another one or gone, and not each time until then.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    archive::ArchiveFile,
    catalog::{Cause, Unreadable},
    coverage::Row,
};

/// What coverage says of each such file, behind its path.
const IS_LEFT_OUT: &str = " is left out, since it cannot be read";

/// What it says behind all of them.
const SEE: &str = "`wardflow archive check` tells what is wrong";

const BETWEEN: &str = "; ";

/// Files that are left out of a slice, by their paths in the archive.
#[derive(Clone, Debug, Default)]
pub(super) struct LeftOut(BTreeMap<String, Unreadable>);

impl LeftOut {
    /// Leaves a file out; whether it was not yet.
    pub(super) fn add(&mut self, file: &ArchiveFile, why: Unreadable) -> bool {
        self.0.insert(file.path.clone(), why).is_none()
    }

    pub(super) fn has(&self, file: &ArchiveFile) -> bool {
        self.0.contains_key(&file.path)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The files, and why.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &Unreadable)> {
        self.0.iter().map(|(path, why)| (path.as_str(), why))
    }

    /// What coverage says of them. The reasons are not in it: which of several a file meets first is not always the same.
    pub(super) fn fault(&self) -> Option<String> {
        let files = self.0.keys().map(|path| format!("{path}{IS_LEFT_OUT}"));
        let parts: Vec<_> = files.chain([SEE.to_owned()]).collect();
        (!self.is_empty()).then(|| parts.join(BETWEEN))
    }

    /// The digest of a slice without them. What may come back by itself is tried again, so its digest is no file's.
    pub(super) fn digest(&self, of_all: &str, files: &[ArchiveFile]) -> String {
        let version = |(path, why): (&String, &Unreadable)| {
            let file = named(files, path);
            let file = file.filter(|_| why.cause == Cause::Damaged);
            file.map_or_else(|| format!("{path}\n"), ArchiveFile::version)
        };
        digest(of_all, self.0.iter().map(version))
    }
}

fn digest(of_all: &str, versions: impl Iterator<Item = String>) -> String {
    let versions: Vec<_> = versions.collect();
    if versions.is_empty() {
        return of_all.to_owned();
    }
    blake3::hash(format!("{of_all}\n{}", versions.join("\n")).as_bytes()).to_hex()[..32].to_owned()
}

/// The files of those that there are that a slice was analysed without, in order of path.
pub(super) fn of<'f>(row: &Row, files: &'f [ArchiveFile]) -> Vec<&'f ArchiveFile> {
    let parts = row.fault.as_deref().unwrap_or_default().split(BETWEEN);
    let named: BTreeSet<&str> = parts.map_while(|part| part.strip_suffix(IS_LEFT_OUT)).collect();
    named.iter().filter_map(|path| self::named(files, path)).collect()
}

/// The file at a path, of files in order of path.
fn named<'f>(files: &'f [ArchiveFile], path: &str) -> Option<&'f ArchiveFile> {
    files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().map(|at| &files[at])
}

/// Whether a row is of a slice with this digest as the files are now.
pub(super) fn is_of(row: &Row, of_all: &str, files: &[ArchiveFile]) -> bool {
    row.input_digest == digest(of_all, of(row, files).into_iter().map(ArchiveFile::version))
}

#[cfg(test)]
mod tests {
    use object_store::{ObjectMeta, path::Path};

    use super::{LeftOut, is_of, of};
    use crate::{
        analyze::{Stage, rows::blank_row},
        archive::ArchiveFile,
        catalog::{Cause, Unreadable},
        coverage::Row,
        detect::Slice,
    };

    fn file(path: &str, size: u64) -> ArchiveFile {
        let object = ObjectMeta {
            location: Path::from(path),
            last_modified: Default::default(),
            size,
            e_tag: None,
            version: None,
        };
        let (hours, sensors) = (Vec::new(), Vec::new());
        ArchiveFile { object, path: path.into(), rows: 1, hours, sensors, foreign: false, fit: None }
    }

    /// Coverage of a slice without these files.
    fn row(files: &[ArchiveFile], left_out: &[usize], cause: Cause) -> Row {
        let mut without = LeftOut::default();
        for file in left_out.iter().map(|index| &files[*index]) {
            let why = Unreadable { place: file.path.as_str().into(), reason: "no page".into(), cause };
            assert!(without.add(file, why.clone()) && !without.add(file, why) && without.has(file));
        }
        let stage = Stage {
            slice: Slice { start: 0, end: 1 },
            rows: 1,
            input_digest: "all".into(),
            delivered: None,
            files: Vec::new(),
            is_skipped: false,
        };
        let digest = without.digest("all", files);
        Row { fault: without.fault(), input_digest: digest, ..blank_row("r", None, &stage) }
    }

    #[test]
    fn a_slice_is_analysed_again_once_its_file_is_another() {
        let files = [file("d/a.parquet", 1), file("a.parquet", 2), file("b.parquet", 3)];
        let mended = [file("d/a.parquet", 1), file("a.parquet", 9), file("b.parquet", 3)];
        let whole = row(&files, &[], Cause::Damaged);
        assert!(whole.fault.is_none() && is_of(&whole, "all", &files) && !is_of(&whole, "more", &files));
        let lacking = row(&files, &[1, 2], Cause::Damaged);
        let named: Vec<_> = of(&lacking, &files).iter().map(|file| file.path.as_str()).collect();
        assert_eq!(named, ["a.parquet", "b.parquet"]);
        assert!(is_of(&lacking, "all", &files));
        for (now, files) in [("more", &files[..]), ("all", &mended[..]), ("all", &files[..2]), ("all", &[])] {
            assert!(!is_of(&lacking, now, files), "{now} {files:?}");
        }
        // Sensors have their say behind it, and what a plugin says of itself names no file.
        let blind = Row { fault: lacking.fault.map(|fault| format!("{fault}; a sensor was silent")), ..whole.clone() };
        assert_eq!(of(&blind, &files).len(), 2);
        let forged = format!("trap: a.parquet{}; b.parquet{}", super::IS_LEFT_OUT, super::IS_LEFT_OUT);
        assert!(is_of(&Row { fault: Some(forged), ..whole }, "all", &files[..1]));
    }

    #[test]
    fn what_may_come_back_is_tried_again() {
        let files = [file("a.parquet", 1)];
        for cause in [Cause::Gone, Cause::OutOfReach] {
            assert!(!is_of(&row(&files, &[0], cause), "all", &files));
        }
    }
}
