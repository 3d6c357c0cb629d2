//! Seeded numbers (SplitMix64) and what is drawn from them. Not for secrets.

use std::convert::Infallible;

use rand_core::TryRng;

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

    /// The stream of one entity (a node, a link, an institution) for a purpose: what another entity
    /// draws, or that there is one more of them, never shifts it.
    #[must_use]
    pub fn of(seed: u64, purpose: u64, entity: u64) -> Self {
        let mut outer = Self::new(seed, purpose);
        Self::new(outer.next(), entity)
    }

    /// The next 64 bits.
    #[must_use]
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, or 0 if that is 0; the bias of the remainder does not matter here.
    #[must_use]
    pub const fn below(&mut self, bound: u64) -> u64 {
        let next = self.next();
        if bound == 0 { 0 } else { next % bound }
    }

    /// A number from 0 to below 1, 53 bits of it.
    #[must_use]
    pub fn unit(&mut self) -> f64 {
        // 53 bits are exact.
        let bits = (self.next() >> 11) as f64;
        bits * (1.0 / 9_007_199_254_740_992.0)
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
