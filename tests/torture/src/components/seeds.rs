//! What is mutated: the bundled plugins, and small ones that are compiled in a moment.

use std::{fs, path::Path};

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use wardflow_manifest::SECTION;
use wasm_encoder::{ComponentSection, CustomSection};

use crate::{Result, bytes, guest, sections};

/// Sound components.
#[derive(Debug)]
pub struct Seeds {
    real: Vec<Vec<u8>>,
    small: Vec<Vec<u8>>,
}

impl Seeds {
    /// Reads the bundled plugins.
    ///
    /// # Errors
    /// There are none, or they cannot be read.
    pub fn read(plugins: &Path) -> Result<Self> {
        let files = fs::read_dir(plugins)?.collect::<std::io::Result<Vec<_>>>()?;
        let mut paths: Vec<_> = files.into_iter().map(|file| file.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
        paths.sort();
        let real = paths.iter().map(fs::read).collect::<std::io::Result<Vec<_>>>()?;
        if real.is_empty() {
            return Err(format!("there are no plugins in {}: `make plugins` builds them", plugins.display()).into());
        }
        let pull = "(call $peer (local.get $batch) (i32.const 16)) (call $protocol (local.get $batch) (i32.const 24))";
        let fill = "(memory.fill (i32.const 8192) (i32.const 7) (i32.const 4096))
                    (table.set $table (i32.const 0) (ref.null func))";
        let sum = "(local $left i32) (local.set $left (i32.const 9))
                   (loop $next (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                     (global.set $flows (i32.add (global.get $flows) (local.get $left)))
                     (br_if $next (local.get $left)))";
        let deep = "(func $deep (param i32) (result i32)
                      (if (result i32) (local.get 0)
                        (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
                        (else (i32.const 0))))
                    (func $start (drop (call $deep (i32.const 50)))) (start $start)";
        let small = vec![
            guest::guest(&[])?,
            guest::guest(&[("observe", pull), ("open", fill)])?,
            guest::guest(&[("observe", pull), ("open", sum), ("items", deep)])?,
            // Lacks what the contract wants.
            guest::guest(&[("save-name", "keep")])?,
        ];
        Ok(Self { real, small })
    }

    pub(super) fn real(&self, chance: &mut ChaCha8Rng) -> &[u8] {
        self.real.choose(chance).map_or(&[], Vec::as_slice)
    }

    pub(super) fn small(&self, chance: &mut ChaCha8Rng) -> &[u8] {
        self.small.choose(chance).map_or(&[], Vec::as_slice)
    }

    pub(super) fn any(&self, chance: &mut ChaCha8Rng) -> &[u8] {
        if chance.random() { self.real(chance) } else { self.small(chance) }
    }
}

/// Damages the manifest and leaves the code as it is.
pub(super) fn change_manifest(component: &mut Vec<u8>, chance: &mut ChaCha8Rng) -> Result<()> {
    let mut manifest = guest::manifest()?.to_json()?;
    let whole = sections::sections(component).pop().map_or(0..0, |section| section.whole);
    component.drain(whole);
    bytes::damage(&mut manifest, &[], chance);
    CustomSection { name: SECTION.into(), data: manifest.into() }.append_to_component(component);
    Ok(())
}
