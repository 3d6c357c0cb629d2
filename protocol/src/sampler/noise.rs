//! The noise of one token at one position. Not a stream: nothing before it must be drawn.
//!
//! Source: Philox4x32-10, J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).

use super::math::ln;

const ROUNDS: u32 = 10;
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// 2⁻³³: the distance of the least uniform number from 0, and of the greatest from 1.
const HALF_STEP: f64 = f64::from_bits((1_023 - 33) << 52);
/// Words of one block of Philox, one for each of as many tokens.
const WORDS: usize = 4;
/// Blocks made together: side by side, so that the compiler makes them at once.
const LANES: usize = 16;
/// Tokens whose noise is made together.
pub(super) const TOKENS: usize = WORDS * LANES;

/// What [`TOKENS`] tokens' noise is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// `[word][lane]`: that of token `4·lane + word`.
    words: [[u32; LANES]; WORDS],
    /// The greatest of them.
    pub(super) most: u32,
}

/// One block of Philox4x32-10 for each lane: `counter[word][lane]`. The same words on every machine,
/// with as wide instructions as it has.
pub(super) fn philox(counter: [[u32; LANES]; WORDS], key: [u32; 2]) -> Words {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn wide(counter: [[u32; LANES]; WORDS], key: [u32; 2]) -> Words {
            rounds(counter, key)
        }
        #[target_feature(enable = "avx512f")]
        fn widest(counter: [[u32; LANES]; WORDS], key: [u32; 2]) -> Words {
            rounds(counter, key)
        }
        #[expect(unsafe_code, reason = "instructions that not every machine has")]
        // SAFETY: called only where the machine was found to have them.
        unsafe {
            if std::is_x86_feature_detected!("avx512f") {
                return widest(counter, key);
            }
            if std::is_x86_feature_detected!("avx2") {
                return wide(counter, key);
            }
        }
    }
    rounds(counter, key)
}

/// The same in plain Rust.
#[inline(always)]
pub(super) fn rounds(mut counter: [[u32; LANES]; WORDS], mut key: [u32; 2]) -> Words {
    for _ in 0..ROUNDS {
        let mut next = [[0; LANES]; WORDS];
        for lane in 0..LANES {
            let (high0, low0) = product(MULTIPLIERS[0], counter[0][lane]);
            let (high1, low1) = product(MULTIPLIERS[1], counter[2][lane]);
            next[0][lane] = high1 ^ counter[1][lane] ^ key[0];
            next[1][lane] = low1;
            next[2][lane] = high0 ^ counter[3][lane] ^ key[1];
            next[3][lane] = low0;
        }
        counter = next;
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    let greater = |a: u32, b: &u32| if *b > a { *b } else { a };
    Words { words: counter, most: counter.as_flattened().iter().fold(0, greater) }
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a product")]
const fn product(left: u32, right: u32) -> (u32, u32) {
    let product = left as u64 * right as u64;
    ((product >> 32) as u32, product as u32)
}

/// The words of [`TOKENS`] tokens from `first`, a multiple of as many, on.
#[expect(clippy::cast_possible_truncation, reason = "the halves of a seed; few lanes")]
pub(super) fn words(seed: u64, position: u32, first: u32) -> Words {
    let blocks = std::array::from_fn(|lane| first / WORDS as u32 + lane as u32);
    let counter = [blocks, [position; LANES], [0; LANES], [0; LANES]];
    philox(counter, [seed as u32, (seed >> 32) as u32])
}

impl Words {
    /// The word of the token that is `index`th of them.
    pub(super) const fn of(&self, index: usize) -> u32 {
        self.words[index % WORDS][index / WORDS]
    }
}

/// The uniform number in (0, 1) of a token with this word: an odd multiple of 2⁻³³.
pub(super) fn uniform(word: u32) -> f64 {
    (2.0 * f64::from(word) + 1.0) * HALF_STEP
}

/// The Gumbel noise of a token with this word.
pub(super) fn gumbel(word: u32) -> f64 {
    -ln(-ln(uniform(word)))
}

/// A bound: the noise of a word that begins with this many ones is less.
///
/// `−ln(−ln u) < −ln(1 − u)`, and `1 − u > 2^−(ones + 1)`.
pub(super) fn bound(ones: u32) -> f64 {
    f64::from(ones + 1) * std::f64::consts::LN_2
}
