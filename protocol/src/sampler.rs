//! The sampler `gumbel-2`: which token follows, as a function of logits, seed and position. Not the
//! model.
//!
//! Nothing carries over from one position to the next, so replay, recovery and audit draw the same
//! tokens. This page is the specification; its test vectors stand with the conformance tests. All
//! arithmetic is IEEE 754 `f64`, round to nearest, in the order written, never fused.
//!
//! # Draw
//!
//! Given `logit[t]` for each token id `t`, the ids seen (prompt and answer so far), the parameters
//! of [`Sampling`] as fractions (`T`, `top_k`, `top_p`, `min_p`, `r`: millionths divided by 10⁶),
//! the `seed`, and the absolute position `p` the token will stand at:
//!
//! 1. **Penalty.** `s[t] = logit[t]`; for each distinct id seen, if `r ≠ 1`: `s[t] / r` if
//!    `s[t] > 0`, else `s[t] · r`.
//! 2. **Best.** `b` is the greatest `s[t]`. If `T = 0` the answer is the lowest `t` with
//!    `s[t] = b`.
//! 3. **Reach.** Keep `t` if `s[t] ≥ b − R·T`, where `R` is 16 if `top_p < 1` or `min_p > 0`, else
//!    26; order by `s` descending, then `t` ascending.
//! 4. **Top-k.** If `top_k > 0`, keep the first `top_k`.
//! 5. **Weights.** `d = (s[t] − b) / T`, `w = exp(d)`.
//! 6. **Top-p.** If `top_p < 1`, with `W` the sum of all `w` in order, keep the shortest prefix
//!    whose own sum in order is at least `top_p · W`.
//! 7. **Min-p.** Keep `t` if `w ≥ min_p` (the best one's weight is 1).
//! 8. **Gumbel-max.** The answer is the `t` with the greatest `d + g`; of equals, the lowest `t`.
//!
//! # Noise
//!
//! `x = Philox4x32-10(counter = (t div 4, p, 0, 0), key = (seed mod 2³², seed div 2³²))`;
//! `m = x[t mod 4]`; `u = (2m + 1) · 2⁻³³`; `g = −ln(−ln(u))`. So `−3.14 < g < 22.88`, and a token
//! out of a reach of 26 could not be drawn anyway.
//!
//! # ln and exp
//!
//! `LN2H` = `0x3FE62E42FEE00000`, `LN2L` = `0x3DEA39EF35793C76`, as bits of `f64`.
//!
//! `ln(x)`: write `x = 2^k·m` with the mantissa bits of `m` below those of √2
//! (`0x6A09E667F3BCD`) and `1 ≤ m`, or else halve `m` and add 1 to `k`. `f = m − 1`,
//! `s = f / (2 + f)`, `z = s·s`; `q = 0`, then for n = 11 down to 1 `q = z·(q + 1/(2n + 1))`. The
//! result is `k·LN2H + (f − (s·(f − 2·q) − k·LN2L))`.
//!
//! `exp(x)` for `x ≤ 0`: `k = x · 0x3FF71547652B82FE − 0.5`, cut towards zero;
//! `r = (x − k·LN2H) − k·LN2L`; `q = 1`, then for n = 14 down to 1 `q = 1 + (r·q)/n`. The result is
//! `q · 2^k`.

mod draw;
mod math;
mod noise;
mod sampling;

pub use sampling::{MILLION, REPETITION_PENALTY_MAX, Sampling, SamplingError, TEMPERATURE_MAX};

use std::{borrow::Cow, cmp::Ordering};

use draw::Chosen;
use math::exp;

/// Name of this specification in receipts.
pub const NAME: &str = "gumbel-2";

/// Tokens more than this many temperatures below the best one are out: their noise cannot make up.
const REACH: f64 = 26.0;
/// The same where top-p or min-p look at weights: of a vocabulary of 2¹⁸ what is farther holds less
/// than 3 % of the probability even if all of it stands right there, and sorting it is what costs.
const FILTER_REACH: f64 = 16.0;

/// Draws tokens under fixed parameters.
#[derive(Debug, Clone)]
pub struct Sampler {
    temperature: f64,
    top_k: usize,
    top_p: f64,
    min_p: f64,
    repetition_penalty: f64,
    seed: u64,
}

/// Why no token was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// There are no logits.
    #[error("no logits")]
    Empty,
    /// A logit is NaN or infinite.
    #[error("logit of token {token} is not finite")]
    NotFinite {
        /// The lowest such token.
        token: u32,
    },
    /// More logits than there are token ids.
    #[error("{got} logits, more than token ids")]
    TooMany {
        /// Logits given.
        got: usize,
    },
    /// A token seen has no logit.
    #[error("token {token} was seen, but there are {vocab} logits")]
    UnknownToken {
        /// The token.
        token: u32,
        /// Number of logits.
        vocab: usize,
    },
}

/// The scores of all tokens.
#[derive(Debug)]
struct Scores<'a> {
    /// One for each token id; negative infinity for those below.
    logits: Cow<'a, [f32]>,
    /// The greatest of each [`noise::TOKENS`] of them.
    maxima: Vec<f32>,
    /// Those whose score is not their logit, each once.
    penalised: Vec<Candidate>,
}

/// A token that may still be drawn.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    token: u32,
    /// Penalised logit.
    score: f64,
}

impl Sampler {
    /// A sampler under `sampling`.
    ///
    /// # Errors
    /// [`SamplingError`] naming the first parameter outside its bounds.
    pub fn new(sampling: &Sampling) -> Result<Self, SamplingError> {
        sampling.check()?;
        let fraction = |millionths: u32| f64::from(millionths) / f64::from(MILLION);
        Ok(Self {
            temperature: fraction(sampling.temperature),
            top_k: sampling.top_k as usize,
            top_p: fraction(sampling.top_p),
            min_p: fraction(sampling.min_p),
            repetition_penalty: fraction(sampling.repetition_penalty),
            seed: sampling.seed,
        })
    }

    /// The token that stands at absolute `position`.
    ///
    /// `logits`: `[vocab]`, what the model says about that position. `seen`: ids of the prompt and
    /// of the answer so far, in any order. Cost: O(vocab).
    ///
    /// # Errors
    /// [`SampleError`] if a logit is not finite or a token seen has none.
    pub fn sample(&self, logits: &[f32], seen: &[u32], position: u32) -> Result<u32, SampleError> {
        let vocab =
            u32::try_from(logits.len()).map_err(|_| SampleError::TooMany { got: logits.len() })?;
        // The culprit is sought only if there is one.
        let Some(scores) = Scores::new(logits) else {
            let mut culprits = (0..vocab).zip(logits).filter(|(_, logit)| !logit.is_finite());
            let token = culprits.next().map_or(vocab, |(token, _)| token);
            return Err(SampleError::NotFinite { token });
        };
        let scores = self.penalise(scores, seen)?;
        let best = scores.best().ok_or(SampleError::Empty)?;
        if self.temperature <= 0.0 {
            return Ok(scores.lowest(best));
        }
        if self.top_k == 0 && !self.weighs() {
            return Ok(self.draw_of_all(&scores, best, position));
        }
        let reach = if self.weighs() { FILTER_REACH } else { REACH };
        // What is sure to be cut is not looked at.
        let floor = (best - reach * self.temperature).max(scores.reached_by(self.top_k));
        let mut candidates = scores.from(floor);
        self.cut(&mut candidates, best);
        Ok(self.draw(&candidates, best, position))
    }

    /// Whether a filter looks at weights.
    fn weighs(&self) -> bool {
        self.top_p < 1.0 || self.min_p > 0.0
    }

    /// Step 1.
    fn penalise<'a>(
        &self,
        mut scores: Scores<'a>,
        seen: &[u32],
    ) -> Result<Scores<'a>, SampleError> {
        let vocab = scores.logits.len();
        if let Some(&token) = seen.iter().find(|token| **token as usize >= vocab) {
            return Err(SampleError::UnknownToken { token, vocab });
        }
        if self.repetition_penalty.to_bits() == 1.0_f64.to_bits() {
            return Ok(scores);
        }
        for &token in seen {
            if let Some(logit) = scores.take(token) {
                let (score, penalty) = (f64::from(logit), self.repetition_penalty);
                let score = if score > 0.0 { score / penalty } else { score * penalty };
                scores.penalised.push(Candidate { token, score });
            }
        }
        Ok(scores)
    }

    /// Steps 4 to 7, and of step 3 the order where it matters.
    fn cut(&self, candidates: &mut Vec<Candidate>, best: f64) {
        let order = |left: &Candidate, right: &Candidate| {
            // Not `total_cmp`: a zero equals a negative zero here.
            let by_score = right.score.partial_cmp(&left.score).unwrap_or(Ordering::Equal);
            by_score.then(left.token.cmp(&right.token))
        };
        if (1..candidates.len()).contains(&self.top_k) {
            candidates.select_nth_unstable_by(self.top_k - 1, order);
            candidates.truncate(self.top_k);
        }
        if !self.weighs() {
            return;
        }
        candidates.sort_unstable_by(order);
        let weight = |candidate: &Candidate| exp((candidate.score - best) / self.temperature);
        let weights: Vec<f64> = candidates.iter().map(weight).collect();
        if self.top_p < 1.0 {
            let needed = self.top_p * weights.iter().fold(0.0, |sum, weight| sum + weight);
            let mut sum = 0.0;
            let last = weights.iter().position(|weight| {
                sum += weight;
                sum >= needed
            });
            candidates.truncate(last.map_or(candidates.len(), |last| last + 1));
        }
        let kept = weights.iter().take_while(|weight| **weight >= self.min_p).count();
        candidates.truncate(kept);
    }

    /// Step 8 over some tokens. There is always a best candidate.
    fn draw(&self, candidates: &[Candidate], best: f64, position: u32) -> u32 {
        let mut chosen = Chosen::default();
        for candidate in candidates {
            let (first, index) = draw::place(candidate.token);
            let word = noise::words(self.seed, position, first).of(index);
            let value = (candidate.score - best) / self.temperature + noise::gumbel(word);
            chosen.offer(value, candidate.token);
        }
        chosen.token
    }
}

#[cfg(test)]
mod tests;
