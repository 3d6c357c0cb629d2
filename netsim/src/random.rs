//! Seeded numbers (SplitMix64). Not for secrets.

/// A stream of numbers that its seed and purpose decide.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed` for `purpose`: drawing more for one purpose never shifts another.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut outer = Self(seed);
        Self(outer.next().wrapping_add(purpose.wrapping_mul(0xD134_2543_DE82_EF95)))
    }

    /// The next 64 bits.
    #[must_use]
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to below 1, evenly.
    #[must_use]
    pub const fn unit(&mut self) -> f64 {
        // The 53 bits that a float between 0 and 1 has.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number below `bound`, or 0 if that is 0; the bias of the remainder does not matter here.
    #[must_use]
    pub const fn below(&mut self, bound: u64) -> u64 {
        let next = self.next();
        if bound == 0 { 0 } else { next % bound }
    }

    /// An even number in `[0, 1)`.
    #[must_use]
    pub const fn unit(&mut self) -> f64 {
        // As many bits as a double holds exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
