//! One case: a directory of files, of which one is damaged.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use rand::{Rng, seq::IndexedRandom};

use super::{Source, seeds::Seed, text};
use crate::{Result, bytes, chance};

/// The files of a case, by their paths below its directory, and whether their format is said.
#[derive(Debug)]
pub(super) struct Case {
    files: Vec<(PathBuf, Vec<u8>)>,
    pub(super) is_told: bool,
}

/// The case of this index.
pub(super) fn of(seeds: &[Seed], source: Source, seed: u64, index: u64) -> Case {
    let mut chance = chance::of(seed, index);
    let is_told = chance.random_ratio(9, 10);
    let (Some(one), Some(other)) = (seeds.choose(&mut chance), seeds.choose(&mut chance)) else {
        return Case { files: Vec::new(), is_told };
    };
    let mut content = one.content.clone();
    let is_text = matches!(source, Source::Zeek | Source::Eve | Source::Argus | Source::Csv);
    if is_text && chance.random_ratio(2, 3) {
        text::damage(&mut content, &mut chance);
    } else {
        bytes::damage(&mut content, &other.content, &mut chance);
    }
    // Compressed, and the compressed damaged in its turn.
    if source != Source::Parquet && chance.random_ratio(1, 20) {
        content = compressed(&content);
        if chance.random() {
            bytes::damage(&mut content, &[], &mut chance);
        }
    }
    let mut files = vec![(one.path.clone(), content)];
    if source == Source::Zeek {
        // The logs that give names to its flows, whole.
        let beside = seeds.iter().filter(|seed| seed.is_beside && seed.path != one.path);
        files.extend(beside.map(|seed| (seed.path.clone(), seed.content.clone())));
    }
    Case { files, is_told }
}

impl Case {
    /// Writes its files.
    pub(super) fn write(&self, place: &Path) -> Result<()> {
        for (path, content) in &self.files {
            let path = place.join("in").join(path);
            fs::create_dir_all(path.parent().unwrap_or(place))?;
            fs::write(path, content)?;
        }
        Ok(())
    }
}

fn compressed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Into memory nothing fails.
    let written = encoder.write_all(content).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}
