//! Guesses from the prompt and the answer so far: what followed the last time the text ended so.

use std::collections::{BTreeMap, VecDeque};

use super::Guess;

/// Tokens that must be repeated, the more telling first.
const LENGTHS: [usize; 2] = [4, 2];
/// Tokens compared to tell how long the repetition is.
const COMPARED_MAX: usize = 16;

/// Where each pair and each four of tokens were last followed by another.
///
/// Memory: two map entries for each token.
#[derive(Debug, Default)]
pub(super) struct Text {
    followers: BTreeMap<[u32; 4], usize>,
}

/// A repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Where the token stands that followed then.
    pub(super) next: usize,
    /// Tokens before it that are the same as at the end of the text.
    pub(super) length: usize,
}

impl Text {
    /// Takes the last of `tokens` in, as the follower of those before it.
    pub(super) fn push(&mut self, tokens: &[u32]) {
        let Some(next) = tokens.len().checked_sub(1) else { return };
        for length in LENGTHS {
            if let Some(first) = next.checked_sub(length) {
                self.followers.insert(key(tokens[first..next].iter().copied()), next);
            }
        }
    }

    /// The longest known repetition of the end of `tokens` and then `guesses`.
    pub(super) fn find(&self, tokens: &[u32], guesses: &VecDeque<Guess>) -> Option<Found> {
        let end = tokens.len() + guesses.len();
        let next = LENGTHS.iter().find_map(|&length| {
            let last = (end.checked_sub(length)?..end).map(|index| at(tokens, guesses, index));
            self.followers.get(&key(last)).copied()
        })?;
        let same = |back: &usize| {
            let (Some(there), Some(here)) = (next.checked_sub(*back), end.checked_sub(*back))
            else {
                return false;
            };
            at(tokens, guesses, there) == at(tokens, guesses, here)
        };
        let length = (1..=COMPARED_MAX).take_while(same).count();
        Some(Found { next, length })
    }
}

/// The token at `index` of `tokens` and then `guesses`; 0 past the end.
pub(super) fn at(tokens: &[u32], guesses: &VecDeque<Guess>, index: usize) -> u32 {
    let guess = || guesses.get(index - tokens.len()).map(|guess| guess.token);
    tokens.get(index).copied().or_else(guess).unwrap_or_default()
}

/// The tokens, and how many: a pair never passes for a four.
fn key(last: impl Iterator<Item = u32>) -> [u32; 4] {
    let mut key = [u32::MAX; 4];
    key.iter_mut().zip(last).for_each(|(slot, token)| *slot = token);
    key
}
