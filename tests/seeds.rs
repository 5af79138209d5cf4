//! The seeds of fuzzing: each is understood, and whatever is cut off or changed, its door comes back.

use std::fs;

use crate::support::doors::DOORS;

const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");

/// Bytes that mean something to some format.
const CHANGED: [u8; 7] = [0, 0xff, 0x80, b'"', b'\n', b'9', b'-'];

#[test]
fn each_seed_is_understood_and_no_damage_to_it_panics() {
    for (name, door) in DOORS {
        let mut seeds = 0;
        for entry in fs::read_dir(format!("{FUZZ}/seeds/{name}")).unwrap() {
            let path = entry.unwrap().path();
            let seed = fs::read(&path).unwrap();
            assert!(door(&seed), "{} is not understood", path.display());
            let step = seed.len() / 40 + 1;
            for at in (0..seed.len()).step_by(step) {
                door(&seed[..at]);
                let mut changed = seed.clone();
                changed[at] = CHANGED[at / step % CHANGED.len()];
                door(&changed);
                changed.splice(at..at, seed.iter().copied().take(step));
                door(&changed);
            }
            seeds += 1;
        }
        assert!(seeds > 0, "{name} has no seed");
    }
}

#[test]
fn each_door_has_its_target() {
    let mut targets: Vec<_> = fs::read_dir(format!("{FUZZ}/targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    targets.sort();
    assert_eq!(targets, DOORS.map(|(name, _)| name));
    let manifest = fs::read_to_string(format!("{FUZZ}/Cargo.toml")).unwrap();
    for name in targets {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"")), "{name}");
    }
}
