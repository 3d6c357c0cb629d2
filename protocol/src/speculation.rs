//! Guessing ahead: how many tokens, and which, home sends round the ring beside the one it knows.
//! Not their drawing, which guesses cannot change.
//!
//! A window of one known token and `k` guesses comes back with `k + 1` rows; tokens are drawn from
//! them until one is not what was guessed. With `q₁ … qₖ` the chances that each guess is right if
//! those before it are, and a way round the ring that takes `base + k·step`, a window yields
//! `1 + q₁ + q₁q₂ + …` tokens. The window that yields most per time is sent, and that may be one
//! without guesses. Chances and times are measured as the answer goes on; whether a guess from the
//! text *would* have been right is known for every token, sent or not.

mod acceptance;
mod pace;
#[cfg(test)]
mod tests;
mod text;

use std::{collections::VecDeque, time::Duration};

use self::{acceptance::Acceptance, pace::Pace, text::Text};

/// Most guesses of one window: with the token before them they still count as decoding, not as
/// prefill, where steps are put together.
pub const DRAFTS_MAX: u32 = 15;
/// Steps in flight, all but the first of guesses alone. As many as a stage takes in unread.
pub const WINDOWS_MAX: usize = 4;
/// Least chance that all guesses in flight are right for another window to follow them: below, what
/// is thrown away delays what is needed.
const FURTHER_CHANCE: f64 = 0.8;
/// A window with guesses must promise this much more than one without: chances and times are noisy, and
/// where a way round is mostly arithmetic little can be won.
const MARGIN: f64 = 1.1;
/// Tokens after which the draft model is asked again, if it did not pay.
const ASK_AGAIN: u32 = 64;
/// Guesses asked for then.
const ASK_AGAIN_GUESSES: u32 = 2;

/// Where guesses come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drafts {
    /// Most guesses of one window; 0 guesses nothing. At most [`DRAFTS_MAX`] counts.
    pub most: u32,
    /// Whether home holds a draft model of the same vocabulary; the text itself always serves.
    pub model: bool,
}

/// A token that may follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// Token id.
    pub token: u32,
    /// The chance that it is right if the guesses before it are.
    chance: f64,
    from_model: bool,
}

/// What to send after the known token.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// These; there may be none.
    Guesses(Vec<Guess>),
    /// Up to this many tokens that the draft model makes.
    Ask(u32),
}

/// Decides the guesses of one session.
#[derive(Debug)]
pub struct Speculator {
    drafts: Drafts,
    text: Text,
    acceptance: Acceptance,
    pace: Pace,
    /// Tokens since the draft model was asked.
    unasked: u32,
}

impl Speculator {
    /// For an answer to `prompt`.
    #[must_use]
    pub fn new(drafts: Drafts, prompt: &[u32]) -> Self {
        let most = drafts.most.min(DRAFTS_MAX);
        let mut text = Text::default();
        if most > 0 {
            (1..=prompt.len()).for_each(|end| text.push(&prompt[..end]));
        }
        let (acceptance, pace) = (Acceptance::default(), Pace::default());
        Self { drafts: Drafts { most, ..drafts }, text, acceptance, pace, unasked: ASK_AGAIN }
    }

    /// Learns from a token that was drawn to follow `tokens`, where `guess` had been sent.
    pub fn observe(&mut self, tokens: &[u32], guess: Option<&Guess>, token: u32) {
        if self.drafts.most == 0 {
            return;
        }
        self.unasked = self.unasked.saturating_add(1);
        if let Some(found) = self.text.find(tokens, &VecDeque::new()) {
            self.acceptance.observe_text(found.length, tokens[found.next] == token);
        }
        if let Some(guess) = guess.filter(|guess| guess.from_model) {
            self.acceptance.observe_model(guess.token == token);
        }
    }

    /// Takes the last of `tokens` into the text.
    pub fn push(&mut self, tokens: &[u32]) {
        if self.drafts.most > 0 {
            self.text.push(tokens);
        }
    }

    /// Learns that a window with `guesses` guesses took this long, alone, from being begun to the
    /// logits of its rows.
    pub fn traversed(&mut self, guesses: u32, took: Duration) {
        self.pace.observe(guesses, took);
    }

    /// Guesses at what follows `tokens`, at most `room` of them.
    #[must_use]
    pub fn draft(&mut self, tokens: &[u32], room: u32) -> Choice {
        let room = room.min(self.drafts.most);
        if room == 0 || !self.pace.is_known() {
            return Choice::Guesses(Vec::new());
        }
        let mut guesses = self.repeated(tokens, &VecDeque::new(), room);
        let (kept, rate) = self.best(guesses.iter().map(|guess| guess.chance), false);
        if self.drafts.model {
            let chance = self.acceptance.model();
            let (asked, asked_rate) = self.best((0..room).map(|_| chance), true);
            let again = self.unasked >= ASK_AGAIN && kept == 0;
            if (asked > 0 && asked_rate > rate) || again {
                self.unasked = 0;
                let most = u32::try_from(asked).unwrap_or(room);
                return Choice::Ask(most.max(ASK_AGAIN_GUESSES).min(room));
            }
        }
        guesses.truncate(kept);
        Choice::Guesses(guesses)
    }

    /// Takes what the draft model made in the time `took`.
    #[must_use]
    pub fn drafted(&mut self, tokens: Vec<u32>, room: u32, took: Duration) -> Vec<Guess> {
        self.pace.observe_model(tokens.len(), took);
        let chance = self.acceptance.model();
        let guess = |token| Guess { token, chance, from_model: true };
        tokens.into_iter().take(room.min(self.drafts.most) as usize).map(guess).collect()
    }

    /// Guesses that go on after `guesses`, which are in flight; none unless it is likely enough that
    /// all of those are right.
    #[must_use]
    pub fn further(&self, tokens: &[u32], guesses: &VecDeque<Guess>, room: u32) -> Vec<Guess> {
        let mut chance: f64 = guesses.iter().map(|guess| guess.chance).product();
        if chance < FURTHER_CHANCE {
            return Vec::new();
        }
        let mut further = self.repeated(tokens, guesses, room.min(self.drafts.most));
        let mut likely = |guess: &Guess| {
            chance *= guess.chance;
            chance >= FURTHER_CHANCE * FURTHER_CHANCE
        };
        let kept = further.iter().take_while(|guess| likely(guess)).count();
        further.truncate(kept);
        further
    }

    /// What followed the last time the text ended as it does now, `guesses` included.
    fn repeated(&self, tokens: &[u32], guesses: &VecDeque<Guess>, room: u32) -> Vec<Guess> {
        let Some(found) = self.text.find(tokens, guesses) else { return Vec::new() };
        let mut all = guesses.clone();
        for index in 0..room as usize {
            let token = text::at(tokens, &all, found.next + index);
            let chance = self.acceptance.text(found.length + index);
            all.push_back(Guess { token, chance, from_model: false });
        }
        all.into_iter().skip(guesses.len()).collect()
    }

    /// How many of guesses with these chances to send, and the tokens per second that promises.
    fn best(&self, chances: impl Iterator<Item = f64>, from_model: bool) -> (usize, f64) {
        let alone = 1.0 / self.pace.seconds(0, false);
        let mut best = (0, alone * MARGIN);
        let (mut reach, mut tokens) = (1.0, 1.0);
        for (index, chance) in chances.enumerate() {
            reach *= chance;
            tokens += reach;
            let rate = tokens / self.pace.seconds(index + 1, from_model);
            if rate > best.1 {
                best = (index + 1, rate);
            }
        }
        best
    }
}
