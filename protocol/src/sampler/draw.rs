//! The draw over a whole vocabulary: the same token as one noise for each token gives, at a
//! fraction of the cost. Not the specification.
//!
//! A token whose noise cannot make up for its distance from the best value so far is passed over.
//! How large its noise can be is seen from the bits it is made of, before any logarithm.

use super::{Candidate, REACH, Sampler, Scores, noise};

/// Far above what rounding does to a score or a bound: nothing that could be drawn is passed over.
const SLACK: f64 = 1e-6;

/// The greatest value so far, and of equals the lowest token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    value: f64,
    pub(super) token: u32,
}

impl Default for Chosen {
    fn default() -> Self {
        Self { value: f64::NEG_INFINITY, token: u32::MAX }
    }
}

impl Chosen {
    pub(super) const fn offer(&mut self, value: f64, token: u32) {
        if value > self.value || (value >= self.value && token < self.token) {
            *self = Self { value, token };
        }
    }
}

/// Where a token's noise stands: the first token of those made together, and its place there.
pub(super) const fn place(token: u32) -> (u32, usize) {
    #[expect(clippy::cast_possible_truncation, reason = "a few dozen")]
    let index = token % noise::TOKENS as u32;
    (token - index, index as usize)
}

impl Scores<'_> {
    /// The greatest score; `None` if there are no tokens.
    pub(super) fn best(&self) -> Option<f64> {
        // In lanes, so that the compiler compares many at once.
        let (chunks, rest) = self.logits.as_chunks::<{ noise::TOKENS }>();
        let mut lanes = [f32::NEG_INFINITY; noise::TOKENS];
        for chunk in chunks {
            for (lane, logit) in lanes.iter_mut().zip(chunk) {
                *lane = if *logit > *lane { *logit } else { *lane };
            }
        }
        let logits = lanes.iter().chain(rest).copied().map(f64::from);
        let scores = logits.chain(self.penalised.iter().map(|candidate| candidate.score));
        let best =
            scores.fold(f64::NEG_INFINITY, |best, score| if score > best { score } else { best });
        (!self.logits.is_empty()).then_some(best)
    }

    /// The lowest token with this score.
    pub(super) fn lowest(&self, score: f64) -> u32 {
        let logit = (0..).zip(self.logits.iter()).find(|(_, logit)| f64::from(**logit) >= score);
        let logit = logit.map_or(u32::MAX, |(token, _)| token);
        let others = self.penalised.iter().filter(|candidate| candidate.score >= score);
        others.map(|candidate| candidate.token).fold(logit, u32::min)
    }

    /// The tokens with at least this score.
    pub(super) fn from(&self, floor: f64) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (start, chunk) in self.chunks() {
            if greatest(chunk) >= floor {
                let chunk = (start..).zip(chunk.iter().copied().map(f64::from));
                found.extend(chunk.map(|(token, score)| Candidate { token, score }));
            }
        }
        found.extend(&self.penalised);
        found.retain(|candidate| candidate.score >= floor && candidate.score.is_finite());
        found
    }

    /// The logits of tokens whose noise is made together, and the first token's id.
    fn chunks(&self) -> impl Iterator<Item = (u32, &[f32])> {
        (0..).step_by(noise::TOKENS).zip(self.logits.chunks(noise::TOKENS))
    }
}

fn greatest(logits: &[f32]) -> f64 {
    f64::from(logits.iter().fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a }))
}

impl Sampler {
    /// Step 8 over all tokens within reach.
    pub(super) fn draw_of_all(&self, scores: &Scores<'_>, best: f64, position: u32) -> u32 {
        let mut chosen = Chosen::default();
        let offer = |candidate: Candidate, word: u32, chosen: &mut Chosen| {
            let value = (candidate.score - best) / self.temperature + noise::gumbel(word);
            chosen.offer(value, candidate.token);
        };
        // The best token and the penalised ones first: the higher the value to beat, the more
        // tokens are passed over.
        let first = Candidate { token: scores.lowest(best), score: best };
        for candidate in scores.penalised.iter().copied().chain([first]) {
            let (start, index) = place(candidate.token);
            let words = noise::words(self.seed, position, start);
            offer(candidate, noise::word(&words, index), &mut chosen);
        }
        let bound = |ones| noise::bound(ones) * self.temperature + SLACK;
        let mut bounds = [0.0; 33];
        bounds.iter_mut().zip(0..).for_each(|(slot, ones)| *slot = bound(ones));
        let floor = best - REACH * self.temperature;
        for (start, chunk) in scores.chunks() {
            let greatest = greatest(chunk);
            if greatest < floor {
                continue;
            }
            let words = noise::words(self.seed, position, start);
            let most = words.as_flattened().iter().fold(0, |a, b| if *b > a { *b } else { a });
            let beats = |score: f64, word: u32, chosen: &Chosen| {
                let bound = bounds[word.leading_ones() as usize];
                score + bound >= best + chosen.value * self.temperature
            };
            if !beats(greatest, most, &chosen) {
                continue;
            }
            for (index, (token, logit)) in (start..).zip(chunk).enumerate() {
                let (score, word) = (f64::from(*logit), noise::word(&words, index));
                if score >= floor && beats(score, word, &chosen) {
                    offer(Candidate { token, score }, word, &mut chosen);
                }
            }
        }
        chosen.token
    }
}
