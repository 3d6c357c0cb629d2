//! Cuts control and user-defined tokens out of text. Not what remains: that is `model`'s.

use std::collections::{BTreeSet, HashMap};

use super::{TokenKind, Vocabulary};

/// Tokens that are matched as whole texts.
#[derive(Debug)]
pub(super) struct Specials {
    ids: HashMap<String, (u32, TokenKind)>,
    /// Distinct byte lengths, longest first.
    lengths: Vec<usize>,
    /// Which bytes a special text starts with.
    starts: BTreeSet<u8>,
}

/// A piece of text cut at special tokens.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A special token.
    Token(u32),
    /// Text between special tokens; never empty.
    Text(&'a str),
}

impl Specials {
    pub(super) fn new(vocabulary: &Vocabulary) -> Self {
        let tokens = (0_u32..).zip(vocabulary.texts.iter().zip(&vocabulary.kinds));
        let matched = |kind| matches!(kind, TokenKind::Control | TokenKind::UserDefined);
        let ids: HashMap<_, _> = tokens
            .filter(|&(_, (text, &kind))| matched(kind) && !text.is_empty())
            .map(|(id, (text, &kind))| (text.clone(), (id, kind)))
            .collect();
        let lengths: BTreeSet<usize> = ids.keys().map(String::len).collect();
        let starts = ids.keys().filter_map(|text| text.bytes().next()).collect();
        Self { ids, lengths: lengths.into_iter().rev().collect(), starts }
    }

    /// Cuts `text` at user-defined tokens, and with `control` at control tokens: from the left, the
    /// longest match first.
    pub(super) fn split<'a>(&self, text: &'a str, control: bool) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let (mut from, mut at) = (0, 0);
        while at < text.len() {
            let found = self
                .match_at(text, at)
                .filter(|&(_, _, kind)| control || kind == TokenKind::UserDefined);
            let Some((id, length, _)) = found else {
                at += 1;
                continue;
            };
            if from < at {
                pieces.push(Piece::Text(&text[from..at]));
            }
            pieces.push(Piece::Token(id));
            at += length;
            from = at;
        }
        if from < text.len() {
            pieces.push(Piece::Text(&text[from..]));
        }
        pieces
    }

    /// `text` with `guard` inside every control token's text, so that `split` finds none.
    pub(super) fn guard(&self, text: &str, guard: char) -> String {
        let mut guarded = String::with_capacity(text.len());
        for (at, character) in text.char_indices() {
            guarded.push(character);
            let control = |&(_, _, kind): &(_, _, _)| kind == TokenKind::Control;
            if self.match_at(text, at).is_some_and(|found| control(&found)) {
                guarded.push(guard);
            }
        }
        guarded
    }

    /// Id, length and kind of the longest special token that starts at byte `at`.
    fn match_at(&self, text: &str, at: usize) -> Option<(u32, usize, TokenKind)> {
        if !self.starts.contains(&text.as_bytes()[at]) {
            return None;
        }
        self.lengths.iter().find_map(|&length| {
            let (id, kind) = *self.ids.get(text.get(at..at + length)?)?;
            Some((id, length, kind))
        })
    }
}
