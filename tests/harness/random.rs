//! Chance that can be repeated.

/// A sequence of numbers that a seed repeats. (Sebastiano Vigna's SplitMix64.)
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Begins the sequence of `HEARTH_SEED`, or of a seed of its own; `part` tells the sequences of one test apart.
    pub fn new(part: u64) -> Self {
        let seed = std::env::var("HEARTH_SEED").map_or(0x5eed, |seed| seed.parse().unwrap());
        Self(seed * 1_000 + part)
    }

    /// Returns the next number, which is less than `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
