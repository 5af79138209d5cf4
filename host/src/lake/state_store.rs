//! The files of states: one a plugin and moment, named by its digest, few of them kept.

use std::{collections::BTreeSet, time::Duration};

use futures::TryStreamExt;
use object_store::{Error as StoreError, ObjectStoreExt, path::Path};
use wardflow_manifest::PluginId;

use super::{location::Location, states::StateSet};
use crate::error::{Context, Error, Result};

/// The files of one lake.
#[derive(Clone, Debug)]
pub struct StateStore {
    location: Location,
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateFile {
    /// Up to which slices the states go, microseconds UTC.
    pub slice_end: i64,
    /// The digest of the set.
    pub digest: String,
}

/// What is in such a file.
#[derive(Debug)]
pub enum Kept {
    /// The file is not there.
    Gone,
    /// What was written is not there any more: why.
    Damaged(Error),
    /// The states.
    Whole(Box<StateSet>),
}

/// What a file's name ends with that is put aside.
const ASIDE: &str = ".damaged";

/// Files that are kept whatever their age. A change to the archive's last slices then costs only these slices.
const LAST: usize = 8;

/// Of older files, one is kept for each stretch of this length.
const KEPT_PER: Duration = Duration::from_hours(7 * 24);

/// zstd's own default: states are a few kilobytes a device and mostly counters.
const LEVEL: i32 = 3;

impl StateStore {
    pub(super) const fn new(location: Location) -> Self {
        Self { location }
    }

    /// Writes a set and returns its digest. Older files beyond those that are kept are deleted.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn save(&self, set: &StateSet) -> Result<String> {
        let digest = set.digest();
        let file = StateFile { slice_end: set.slice_end, digest: digest.clone() };
        let path = self.path(&set.plugin, &file);
        let doing = || format!("cannot write the states {path}");
        let plain = set.encode()?;
        let packed = blocking(move || zstd::encode_all(plain.as_slice(), LEVEL)).await.context(doing)?;
        self.location.store.put(&path, packed.into()).await.context(doing)?;
        self.prune(&set.plugin, &file).await?;
        Ok(digest)
    }

    /// Reads the set of a file.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn load(&self, plugin: &PluginId, file: &StateFile) -> Result<Kept> {
        let path = self.path(plugin, file);
        let packed = match self.location.store.get(&path).await {
            Err(StoreError::NotFound { .. }) => return Ok(Kept::Gone),
            found => match found {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            }
            .context(|| format!("cannot read the states {path}"))?,
        };
        let damaged = |error: Error| {
            let name = path.filename().unwrap_or_default();
            Kept::Damaged(Error::failed(format!("the states of {plugin} in {name} are damaged")).because(error))
        };
        let set = blocking(move || {
            let plain = zstd::decode_all(packed.as_ref()).context(|| "it cannot be unpacked".to_owned());
            Ok(plain.and_then(|plain| StateSet::decode(&plain)))
        })
        .await
        .context(|| format!("cannot read the states {path}"))?;
        let set = match set {
            Ok(set) => set,
            Err(error) => return Ok(damaged(error)),
        };
        let found = StateFile { slice_end: set.slice_end, digest: set.digest() };
        if set.plugin != *plugin || found != *file {
            return Ok(damaged(Error::failed(format!("its contents have the digest {}", found.digest))));
        }
        Ok(Kept::Whole(Box::new(set)))
    }

    /// Renames a damaged file, so that it is not read again and who wonders can look at it. Returns its new name.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn put_aside(&self, plugin: &PluginId, file: &StateFile) -> Result<String> {
        let path = self.path(plugin, file);
        let name = format!("{}{ASIDE}", path.filename().unwrap_or_default());
        let aside = self.directory(plugin).join(name.as_str());
        self.location
            .store
            .rename(&path, &aside)
            .await
            .context(|| format!("cannot rename the damaged states {path}"))?;
        Ok(name)
    }

    /// The newest file with states up to `slice_start` or before, among those that are `current`: whose digest coverage
    /// gives for the slice that ends there.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub async fn newest_before(
        &self,
        plugin: &PluginId,
        slice_start: i64,
        current: impl Fn(&StateFile) -> bool,
    ) -> Result<Option<StateFile>> {
        let files = self.list(plugin).await?;
        Ok(files.into_iter().rev().find(|file| file.slice_end <= slice_start && current(file)))
    }

    /// The newest states of a plugin that can be read. What is damaged is put aside, and told, by the next analysis.
    ///
    /// # Errors
    /// The store cannot be listed or read.
    pub async fn newest(&self, plugin: &PluginId) -> Result<Option<Box<StateSet>>> {
        for file in self.list(plugin).await?.iter().rev() {
            if let Kept::Whole(set) = self.load(plugin, file).await? {
                return Ok(Some(set));
            }
        }
        Ok(None)
    }

    /// The files of a plugin, oldest first.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub async fn list(&self, plugin: &PluginId) -> Result<Vec<StateFile>> {
        let directory = self.directory(plugin);
        let found: Vec<_> = self
            .location
            .store
            .list(Some(&directory))
            .try_collect()
            .await
            .context(|| format!("cannot list the states in {directory}"))?;
        let mut files: Vec<_> = found.iter().filter_map(|meta| StateFile::parse(meta.location.filename()?)).collect();
        files.sort();
        Ok(files)
    }

    async fn prune(&self, plugin: &PluginId, written: &StateFile) -> Result<()> {
        for file in superfluous(&self.list(plugin).await?, written) {
            let path = self.path(plugin, file);
            match self.location.store.delete(&path).await {
                Ok(()) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error).context(|| format!("cannot delete the old states {path}")),
            }
        }
        Ok(())
    }

    fn directory(&self, plugin: &PluginId) -> Path {
        self.location.path.clone().join(plugin.vendor()).join(plugin.name())
    }

    fn path(&self, plugin: &PluginId, file: &StateFile) -> Path {
        self.directory(plugin).join(format!("{}-{}.zst", file.slice_end, file.digest))
    }
}

impl StateFile {
    fn parse(name: &str) -> Option<Self> {
        let (slice_end, digest) = name.strip_suffix(".zst")?.rsplit_once('-')?;
        Some(Self { slice_end: slice_end.parse().ok()?, digest: digest.to_owned() })
    }
}

/// Of files in order, those that need not be kept once `written` is there: of its slice and of later ones every other,
/// since whoever writes it goes on from there, and of those before the last eight all but the newest of each week.
fn superfluous<'a>(files: &'a [StateFile], written: &StateFile) -> Vec<&'a StateFile> {
    let (replaced, files): (Vec<_>, Vec<_>) =
        files.iter().partition(|file| file.slice_end >= written.slice_end && *file != written);
    let old = files.len().saturating_sub(LAST);
    let mut weeks = BTreeSet::new();
    let thinned: Vec<_> = files[..old].iter().rev().filter(|file| !weeks.insert(week(file))).copied().collect();
    replaced.into_iter().chain(thinned).collect()
}

fn week(file: &StateFile) -> i64 {
    file.slice_end.div_euclid(KEPT_PER.as_micros() as i64)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Kept, StateFile, StateStore, superfluous};
    use crate::lake::{Lake, states::tests::set};

    const SLICE: i64 = 6 * 3600 * 1_000_000;

    async fn check_round_trip(store: &StateStore) {
        let states = set(SLICE, &[("a", 1), ("b", 2)]);
        let plugin = &states.plugin;
        assert_eq!(store.list(plugin).await.unwrap(), []);
        let digest = store.save(&states).await.unwrap();
        let file = StateFile { slice_end: SLICE, digest };
        assert_eq!(store.list(plugin).await.unwrap(), std::slice::from_ref(&file));
        assert!(matches!(store.load(plugin, &file).await.unwrap(), Kept::Whole(found) if *found == states));
        let other = "vendor-name/x".parse().unwrap();
        assert!(matches!(store.load(&other, &file).await.unwrap(), Kept::Gone));

        let later = set(2 * SLICE, &[("a", 3)]);
        store.save(&later).await.unwrap();
        let before = async |slice: i64, current: fn(&StateFile) -> bool| {
            store.newest_before(plugin, slice, current).await.unwrap().map(|file| file.slice_end / SLICE)
        };
        assert_eq!(before(5 * SLICE, |_| true).await, Some(2));
        assert_eq!(before(2 * SLICE, |_| true).await, Some(2));
        assert_eq!(before(2 * SLICE - 1, |_| true).await, Some(1));
        assert_eq!(before(5 * SLICE, |file| file.slice_end == SLICE).await, Some(1));
        assert_eq!(before(0, |_| true).await, None);
    }

    #[tokio::test]
    async fn states_come_back_from_a_directory_and_an_object_store() {
        let directory = tempfile::tempdir().unwrap();
        check_round_trip(Lake::open("lake", directory.path(), &[]).unwrap().states()).await;
        check_round_trip(Lake::open("memory:///lake", Path::new("/"), &[]).unwrap().states()).await;
    }

    async fn check_damage(damage: impl Fn(&mut Vec<u8>), expected: &str) {
        let directory = tempfile::tempdir().unwrap();
        let lake = Lake::open("lake", directory.path(), &[]).unwrap();
        let store = lake.states();
        let states = set(SLICE, &[("a", 1), ("b", 2)]);
        let file = StateFile { slice_end: SLICE, digest: store.save(&states).await.unwrap() };
        let path = directory.path().join(format!("lake/states/vendor/name/{SLICE}-{}.zst", file.digest));
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let Kept::Damaged(error) = store.load(&states.plugin, &file).await.unwrap() else { panic!("{expected}") };
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(expected), "{source}");
        assert!(error.to_string().contains("of vendor/name in"), "{error}");
        let aside = store.put_aside(&states.plugin, &file).await.unwrap();
        assert!(path.with_file_name(aside).is_file());
        assert_eq!(store.list(&states.plugin).await.unwrap(), []);
        assert!(matches!(store.load(&states.plugin, &file).await.unwrap(), Kept::Gone));
    }

    #[tokio::test]
    async fn a_damaged_file_is_recognised() {
        let repack = |change: fn(&mut Vec<u8>)| {
            move |bytes: &mut Vec<u8>| {
                let mut plain = zstd::decode_all(bytes.as_slice()).unwrap();
                change(&mut plain);
                *bytes = zstd::encode_all(plain.as_slice(), 1).unwrap();
            }
        };
        check_damage(|bytes| bytes.truncate(bytes.len() / 2), "cannot be unpacked").await;
        check_damage(|bytes| bytes.clear(), "cannot be unpacked").await;
        check_damage(repack(|plain| plain[3] ^= 1), "does not begin as state files do").await;
        check_damage(repack(|plain| plain.truncate(60)), "make no sense").await;
        check_damage(repack(|plain| *plain.iter_mut().rfind(|byte| **byte == 2).unwrap() = 3), "have the digest").await;
    }

    fn check_kept(ends: &[i64], written: i64, expected: &[i64]) {
        let file = |end: &i64| StateFile { slice_end: end * SLICE, digest: end.to_string() };
        let files: Vec<_> = ends.iter().map(file).collect();
        let gone = superfluous(&files, &file(&written));
        let kept: Vec<_> =
            files.iter().filter(|file| !gone.contains(file)).map(|file| file.slice_end / SLICE).collect();
        assert_eq!(kept, expected);
    }

    #[test]
    fn the_last_eight_are_kept_and_one_a_week_before() {
        check_kept(&[1], 1, &[1]);
        check_kept(&[1, 2, 3, 4, 5, 6, 7, 8], 8, &[1, 2, 3, 4, 5, 6, 7, 8]);
        check_kept(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 10, &[2, 3, 4, 5, 6, 7, 8, 9, 10]);
        // A week is 28 slices.
        let many: Vec<_> = (0..70).collect();
        check_kept(&many, 69, &[27, 55, 61, 62, 63, 64, 65, 66, 67, 68, 69]);
        // Whoever goes back replaces what came later.
        check_kept(&[1, 2, 3, 4], 2, &[1, 2]);
    }

    #[test]
    fn of_one_slice_the_file_that_was_just_written_is_kept() {
        let file = |digest: &str| StateFile { slice_end: 5, digest: digest.into() };
        let files = [file("a"), file("b")];
        assert_eq!(superfluous(&files, &file("a")), [&file("b")]);
    }

    #[test]
    fn other_files_are_no_state_files() {
        let parsed = |name: &str| StateFile::parse(name).map(|file| (file.slice_end, file.digest));
        assert_eq!(parsed("-7-ab.zst"), Some((-7, "ab".into())));
        assert_eq!([parsed("12.zst"), parsed("x-ab.zst"), parsed("7-ab"), parsed(".staged-1")], [const { None }; 4]);
    }
}
