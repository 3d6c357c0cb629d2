//! Prefixes of token sequences: how home names them to stages, and how long what was computed for
//! them is kept. Not what is kept, which is the stage's.
//!
//! A stage that served a session may keep its KV cache and spare a later session with the same
//! beginning the work. It sees no tokens, so home names them: one [`PrefixTag`] for each page of
//! [`PAGE_POSITIONS`] tokens, an HMAC over that page and all before it under a key that never leaves
//! home. Tags leave home like any byte made from the prompt: to stages within the request's policy,
//! after the open record is durable. A stage finds a page only in the [`Scope`] it was kept in.

mod store;
#[cfg(test)]
mod tests;

pub use store::PrefixStore;

use crate::{
    block::BlockRange,
    commitment::Salt,
    id::{Digest, PeerKey, PrefixTag},
    limits::PREFIX_PAGES_MAX,
    policy::Policy,
};

/// Positions of one page, of prefixes as of KV caches: small beside a session, large beside a tag.
pub const PAGE_POSITIONS: u32 = 32;

/// Within what bounds a kept page may be found again: never by another institution, nor under
/// another policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The node whose prompts these are.
    pub home: PeerKey,
    /// Digest of the policy they are under.
    pub policy: Digest,
    /// Blocks the pages belong to.
    pub blocks: BlockRange,
}

/// Digests of what crossed a stage's boundaries at one position. Never sent: they are unsalted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowDigests {
    /// SHA-256 of the row received.
    pub input: Digest,
    /// SHA-256 of the row sent.
    pub output: Digest,
}

/// Home's key to the tags of one model under one policy.
#[derive(Debug, Clone)]
pub struct PrefixKey(Salt);

impl PrefixKey {
    /// Derives the key from `secret`, home's own.
    #[must_use]
    pub fn new(secret: &Salt, manifest: &Digest, policy: &Policy) -> Self {
        let under = [manifest.0, policy.digest().0].concat();
        Self(Salt::new(secret.commit("prefix key", &under).0))
    }

    /// Tags of the whole pages of `tokens`, in order; of the first [`PREFIX_PAGES_MAX`] if there are
    /// more.
    ///
    /// With `tag(-1)` sixteen zeros, `tag(n)` is the first half of HMAC-SHA-256(key, "prefix" ‖ 0 ‖
    /// `tag(n - 1)` ‖ the page's token ids as 4 little-endian bytes each).
    #[must_use]
    pub fn tags(&self, tokens: &[u32]) -> Vec<PrefixTag> {
        let mut tag = PrefixTag([0; 16]);
        let pages = tokens.chunks_exact(PAGE_POSITIONS as usize).take(PREFIX_PAGES_MAX);
        let next = |page: &[u32]| {
            let tokens = page.iter().flat_map(|token| token.to_le_bytes());
            let bytes: Vec<u8> = tag.0.into_iter().chain(tokens).collect();
            let digest = self.0.commit("prefix", &bytes);
            tag.0.copy_from_slice(&digest.0[..16]);
            tag
        };
        pages.map(next).collect()
    }
}

/// Positions in `pages` pages.
#[must_use]
pub fn positions(pages: usize) -> u32 {
    u32::try_from(pages).unwrap_or(u32::MAX).saturating_mul(PAGE_POSITIONS)
}

/// Whole pages in `positions` positions.
#[must_use]
pub const fn whole_pages(positions: u32) -> usize {
    (positions / PAGE_POSITIONS) as usize
}
