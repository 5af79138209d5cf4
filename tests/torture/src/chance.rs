//! All chance, from a seed.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The chance of one case: of the same seed and index it is the same, whatever was tried before.
pub(crate) fn of(seed: u64, index: u64) -> ChaCha8Rng {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    chance.set_stream(index);
    chance
}
