//! Compiled code, kept between runs.
//!
//! The cache saves time and is never a root of trust: a plugin is what its component's bytes are, and these are read,
//! digested, inspected and pinned in every run. Whoever can write here could run code as the user, so the directory must
//! belong to the user and be closed to everyone else, and so must each file; otherwise it is left alone, which the user is
//! told. The checksum finds damage, not malice.

use std::{
    hash::{Hash, Hasher},
    io,
    path::PathBuf,
};

use wasmtime::{Engine, component::Component};

use super::{
    closed_directory::ClosedDirectory,
    compiler::{Compiler, chain},
};
use crate::{
    error::{Error, Result},
    limits::Limits,
};

/// Bytes of a compiled component that are read at most.
const CODE_BYTES: u64 = 1 << 30;
const CHECKSUM_BYTES: usize = blake3::OUT_LEN;
const CONTEXT: &str = "wardflow compiled code, layout 1";

/// The cache, or none.
#[derive(Debug)]
pub(super) struct Cache {
    directory: Option<ClosedDirectory>,
    compiler: Compiler,
}

impl Cache {
    /// A cache in the directory that the compiler names, which is made if it is not there. Without one, or if others can
    /// write to it, everything is compiled anew.
    pub(super) fn new(compiler: Compiler) -> Self {
        let open = |path: PathBuf| match ClosedDirectory::open(&path) {
            Ok(directory) => Some(directory),
            Err(error) => {
                compiler.tell(&format!("compiled code is not kept: {}: {error}", path.display()));
                None
            }
        };
        Self { directory: compiler.directory().and_then(open), compiler }
    }

    /// A component compiled, from the cache if it is there and whole. Trouble with the cache is told, and no error.
    ///
    /// # Errors
    /// See [`Compiler::compile`].
    pub(super) fn component(&self, engine: &Engine, digest: &str, bytes: &[u8], limits: &Limits) -> Result<Component> {
        let compile = || self.compiler.compile(engine, bytes, limits);
        let Some(directory) = &self.directory else { return ours(engine, &compile()?) };
        let key = key(engine, digest);
        let name = format!("{key}.code");
        match load(engine, &key, directory.read(&name, CODE_BYTES)) {
            Ok(Some(component)) => return Ok(component),
            Ok(None) => {}
            Err(why) => {
                let told =
                    format!("compiled code was damaged and is made anew: {}: {why}", directory.place(&name).display());
                self.compiler.tell(&told);
            }
        }
        let code = compile()?;
        let component = ours(engine, &code)?;
        let file = [checksum(&key, &code).as_slice(), &code].concat();
        if let Err(error) = directory.write(&name, &file) {
            self.compiler.tell(&format!("compiled code is not kept: {}: {error}", directory.place(&name).display()));
        }
        Ok(component)
    }
}

/// A component from code that was made just now.
fn ours(engine: &Engine, code: &[u8]) -> Result<Component> {
    // SAFETY: the bytes are those that `Compiler::compile` made, in this process or in a child that runs the same
    // executable, whose answer is covered by a checksum.
    let component = unsafe { Component::deserialize(engine, code) };
    component.map_err(|error| Error::failed(format!("the compiled code does not fit: {}", chain(&error))))
}

/// The name of compiled code: component, version of wasmtime, and all settings that it depends on.
fn key(engine: &Engine, digest: &str) -> String {
    let mut hasher = Key(blake3::Hasher::new_derive_key(CONTEXT));
    hasher.write(digest.as_bytes());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().to_hex().to_string()
}

/// The compiled code in a file, if the file is there; why it cannot be used, if it cannot.
fn load(engine: &Engine, key: &str, read: io::Result<Vec<u8>>) -> Result<Option<Component>, String> {
    let file = match read {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let (sum, code) = file.split_at_checked(CHECKSUM_BYTES).ok_or("it is too short")?;
    if checksum(key, code) != *sum {
        return Err("its checksum is wrong".to_owned());
    }
    // SAFETY: the bytes are those that `component` wrote for this very key: the checksum covers both, and nobody but
    // the user could write the file, or put another in its place.
    let component = unsafe { Component::deserialize(engine, code) };
    component.map(Some).map_err(|error| error.to_string())
}

/// Covers the key, so that one component's code is not taken for another's.
fn checksum(key: &str, code: &[u8]) -> [u8; CHECKSUM_BYTES] {
    *blake3::Hasher::new_derive_key(CONTEXT).update(key.as_bytes()).update(code).finalize().as_bytes()
}

/// Lets BLAKE3 take what implements [`Hash`].
struct Key(blake3::Hasher);

impl Hasher for Key {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.finalize().as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::PermissionsExt,
        path::Path,
        sync::{Arc, Mutex},
    };

    use super::Cache;
    use crate::sandbox::{Compiler, Sandbox, testing};

    /// What was told, and is taken away when it is looked at.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    impl Notes {
        fn compiler(&self, directory: &Path) -> Compiler {
            let notes = self.clone();
            let tell = move |note: &str| notes.0.lock().unwrap().push(note.to_owned());
            Compiler::here().kept_in(Some(directory.to_owned())).telling(tell)
        }

        fn take(&self) -> Vec<String> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    fn sandbox(directory: &Path) -> (Sandbox, Notes) {
        let notes = Notes::default();
        (Sandbox::new(testing::limits(), notes.compiler(directory)).unwrap(), notes)
    }

    fn entries(directory: &Path) -> Vec<std::path::PathBuf> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn code_is_compiled_once_and_runs_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let cache = directory.path().join("code");
        let bytes = testing::Guest::default().build();
        let reports = |sandbox: &Sandbox| testing::run(&sandbox.load(&bytes).unwrap()).unwrap();
        let first = reports(&sandbox(&cache).0);
        let [file] = entries(&cache).try_into().unwrap();
        let written = fs::metadata(&file).unwrap().modified().unwrap();
        let (again, notes) = sandbox(&cache);
        assert_eq!(reports(&again), first);
        assert_eq!(notes.take(), Vec::<String>::new());
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written, "compiled again");
    }

    #[test]
    fn damaged_or_foreign_code_is_compiled_anew() {
        let directory = tempfile::tempdir().unwrap();
        let cache = directory.path().join("code");
        let good = testing::Guest::default().build();
        let other = testing::Guest::default().with("score", "1").build();
        let check = |damage: &dyn Fn(&Path, &Path)| {
            let _ = fs::remove_dir_all(&cache);
            sandbox(&cache).0.load(&good).unwrap();
            let [of_good] = entries(&cache).try_into().unwrap();
            sandbox(&cache).0.load(&other).unwrap();
            let of_other = entries(&cache).into_iter().find(|path| *path != of_good).unwrap();
            damage(&of_good, &of_other);
            let (sandbox, notes) = sandbox(&cache);
            assert_eq!(testing::run(&sandbox.load(&good).unwrap()).unwrap()[0].score, 0.5);
            let told = notes.take();
            assert!(told.len() == 1 && told[0].starts_with("compiled code was damaged"), "{told:?}");
            sandbox.load(&good).unwrap();
            assert_eq!(notes.take(), Vec::<String>::new(), "the damage was not repaired");
        };
        check(&|of_good, _| fs::write(of_good, b"").unwrap());
        check(&|of_good, _| {
            let mut bytes = fs::read(of_good).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(of_good, bytes).unwrap();
        });
        check(&|of_good, of_other| fs::rename(of_other, of_good).unwrap());
    }

    #[test]
    fn a_directory_that_others_can_enter_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let check = |path: &Path, expected: &str| {
            let notes = Notes::default();
            assert!(Cache::new(notes.compiler(path)).directory.is_none());
            let told = notes.take();
            assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
        };
        let open = directory.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        check(&open, "its mode is 0755; it must be 0700");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path(), &link).unwrap();
        check(&link, "it must be a directory, not a link");
        let file = directory.path().join("file");
        fs::write(&file, b"").unwrap();
        check(&file, "it must be a directory");
    }
}
