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

impl<'a> Scores<'a> {
    /// Scores that are the logits; `None` unless all are finite.
    pub(super) fn new(logits: &'a [f32]) -> Option<Self> {
        let mut finite = true;
        let maxima = logits.chunks(noise::TOKENS).map(|chunk| {
            let (greatest, all_finite) = look_at(chunk);
            finite &= all_finite;
            greatest
        });
        let maxima = maxima.collect();
        finite.then(|| Self { logits: logits.into(), maxima, penalised: Vec::new() })
    }

    /// Takes a token out; returns its logit, unless it was taken before.
    pub(super) fn take(&mut self, token: u32) -> Option<f32> {
        let place = token as usize;
        let logits = self.logits.to_mut();
        let logit = std::mem::replace(&mut logits[place], f32::NEG_INFINITY);
        let chunk = place / noise::TOKENS;
        let tokens = logits.chunks(noise::TOKENS).nth(chunk).unwrap_or_default();
        self.maxima[chunk] = look_at(tokens).0;
        (logit > f32::NEG_INFINITY).then_some(logit)
    }

    /// The greatest score; `None` if there are no tokens.
    pub(super) fn best(&self) -> Option<f64> {
        let penalised = self.penalised.iter().map(|candidate| candidate.score);
        let scores = self.maxima.iter().copied().map(f64::from).chain(penalised);
        (!self.logits.is_empty()).then(|| scores.fold(f64::NEG_INFINITY, f64::max))
    }

    /// The lowest token with this score.
    pub(super) fn lowest(&self, score: f64) -> u32 {
        let reaches = |(_, _, greatest): &(u32, &[f32], f64)| *greatest >= score;
        let logit = self.chunks().find(reaches).and_then(|(start, chunk, _)| {
            let mut tokens = (start..).zip(chunk);
            tokens.find(|(_, logit)| f64::from(**logit) >= score).map(|(token, _)| token)
        });
        let others = self.penalised.iter().filter(|candidate| candidate.score >= score);
        others.map(|candidate| candidate.token).fold(logit.unwrap_or(u32::MAX), u32::min)
    }

    /// A score that at least `count` tokens have or exceed; negative infinity if it is not known.
    pub(super) fn reached_by(&self, count: usize) -> f64 {
        let mut maxima = self.maxima.clone();
        if count == 0 || count > maxima.len() {
            return f64::NEG_INFINITY;
        }
        let (_, least, _) = maxima.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
        f64::from(*least)
    }

    /// The tokens with at least this score.
    pub(super) fn from(&self, floor: f64) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (start, chunk, greatest) in self.chunks() {
            if greatest >= floor {
                let chunk = (start..).zip(chunk.iter().copied().map(f64::from));
                found.extend(chunk.map(|(token, score)| Candidate { token, score }));
            }
        }
        found.extend(&self.penalised);
        found.retain(|candidate| candidate.score >= floor && candidate.score.is_finite());
        found
    }

    /// The logits of tokens whose noise is made together: the first token's id, and the greatest.
    fn chunks(&self) -> impl Iterator<Item = (u32, &[f32], f64)> {
        let chunks = self.logits.chunks(noise::TOKENS).zip(&self.maxima);
        let chunks = (0..).step_by(noise::TOKENS).zip(chunks);
        chunks.map(|(start, (chunk, greatest))| (start, chunk, f64::from(*greatest)))
    }
}

/// The greatest of some logits, and whether all are finite.
fn look_at(logits: &[f32]) -> (f32, bool) {
    /// Side by side, so that the compiler compares many at once.
    const LANES: usize = 16;
    let (runs, rest) = logits.as_chunks::<LANES>();
    let (mut greatest, mut finite) = ([f32::NEG_INFINITY; LANES], [true; LANES]);
    let mut look = |lane: usize, logit: f32| {
        greatest[lane] = if logit > greatest[lane] { logit } else { greatest[lane] };
        finite[lane] &= logit.is_finite();
    };
    for run in runs {
        (0..LANES).for_each(|lane| look(lane, run[lane]));
    }
    rest.iter().enumerate().for_each(|(lane, logit)| look(lane, *logit));
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            let other = greatest[lane + half];
            greatest[lane] = if other > greatest[lane] { other } else { greatest[lane] };
        }
    }
    (greatest[0], finite.iter().fold(true, |all, finite| all & finite))
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
            offer(candidate, words.of(index), &mut chosen);
        }
        let bound = |ones| noise::bound(ones) * self.temperature + SLACK;
        let mut bounds = [0.0; 33];
        bounds.iter_mut().zip(0..).for_each(|(slot, ones)| *slot = bound(ones));
        let floor = best - REACH * self.temperature;
        for (start, chunk, greatest) in scores.chunks() {
            if greatest < floor {
                continue;
            }
            let words = noise::words(self.seed, position, start);
            let beats = |score: f64, word: u32, chosen: &Chosen| {
                let bound = bounds[word.leading_ones() as usize];
                score + bound >= best + chosen.value * self.temperature
            };
            if !beats(greatest, words.most, &chosen) {
                continue;
            }
            for (index, (token, logit)) in (start..).zip(chunk).enumerate() {
                let (score, word) = (f64::from(*logit), words.of(index));
                if score >= floor && beats(score, word, &chosen) {
                    offer(Candidate { token, score }, word, &mut chosen);
                }
            }
        }
        chosen.token
    }
}
