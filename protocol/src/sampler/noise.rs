//! The noise of one token at one position. Not a stream: nothing before it must be drawn.
//!
//! Source: Philox4x32-10, J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).

use super::math::ln;

const ROUNDS: u32 = 10;
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// 2⁻⁵³: the distance of the least uniform number from 0, and of the greatest from 1.
const HALF_STEP: f64 = f64::from_bits((1_023 - 53) << 52);

/// One block of Philox4x32-10.
pub(super) const fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let mut round = 0;
    while round < ROUNDS {
        let (high0, low0) = product(MULTIPLIERS[0], counter[0]);
        let (high1, low1) = product(MULTIPLIERS[1], counter[2]);
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        round += 1;
    }
    counter
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a product")]
const fn product(left: u32, right: u32) -> (u32, u32) {
    let product = left as u64 * right as u64;
    ((product >> 32) as u32, product as u32)
}

/// The uniform number in (0, 1) of `token` at `position`: an odd multiple of 2⁻⁵³.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the halves of a seed; 53 bits are exact"
)]
pub(super) fn uniform(seed: u64, position: u32, token: u32) -> f64 {
    let [low, high, ..] = philox([token, position, 0, 0], [seed as u32, (seed >> 32) as u32]);
    let bits = (u64::from(high) << 32 | u64::from(low)) >> 12;
    (2 * bits + 1) as f64 * HALF_STEP
}

/// The Gumbel noise of `token` at `position`.
pub(super) fn gumbel(seed: u64, position: u32, token: u32) -> f64 {
    -ln(-ln(uniform(seed, position, token)))
}
