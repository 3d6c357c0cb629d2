//! How often guesses are right. Measured per kind of guess, the past forgotten slowly.

/// Share of the past that each observation leaves: about twenty count.
const KEPT: f64 = 0.95;
/// Observations that the assumption made beforehand is worth.
const ASSUMED_WEIGHT: f64 = 2.0;
/// Assumed chances of guesses from the text, by how many tokens before them are repeated: those of
/// [`bucket`]. Replaced by measurement within a few tokens.
const ASSUMED_TEXT: [f64; BUCKETS] = [0.2, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85];
/// Assumed chance of a guess of the draft model.
const ASSUMED_MODEL: f64 = 0.6;
const BUCKETS: usize = 7;

#[derive(Debug)]
pub(super) struct Acceptance {
    text: [Rate; BUCKETS],
    model: Rate,
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    right: f64,
    all: f64,
}

impl Default for Acceptance {
    fn default() -> Self {
        Self { text: ASSUMED_TEXT.map(Rate::assumed), model: Rate::assumed(ASSUMED_MODEL) }
    }
}

impl Acceptance {
    pub(super) fn observe_text(&mut self, length: usize, right: bool) {
        self.text[bucket(length)].observe(right);
    }

    pub(super) fn observe_model(&mut self, right: bool) {
        self.model.observe(right);
    }

    /// The chance of a guess from the text before which `length` tokens are repeated.
    pub(super) fn text(&self, length: usize) -> f64 {
        self.text[bucket(length)].chance()
    }

    pub(super) fn model(&self) -> f64 {
        self.model.chance()
    }
}

impl Rate {
    fn assumed(chance: f64) -> Self {
        Self { right: chance * ASSUMED_WEIGHT, all: ASSUMED_WEIGHT }
    }

    fn observe(&mut self, right: bool) {
        self.right = self.right * KEPT + f64::from(u8::from(right));
        self.all = self.all * KEPT + 1.0;
    }

    fn chance(self) -> f64 {
        self.right / self.all
    }
}

/// Longer repetitions are surer: two tokens, three, four, up to six, nine, fifteen, and more.
const fn bucket(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3 => 1,
        4 => 2,
        5..=6 => 3,
        7..=9 => 4,
        10..=15 => 5,
        _ => 6,
    }
}
