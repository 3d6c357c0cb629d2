//! What stages may hold of earlier prompts, as far as home remembers. Not whether they do.

use std::sync::Mutex;

use comity_protocol::{
    commitment::Salt,
    id::{Digest, PrefixTag},
    policy::Policy,
    prefix::{PrefixKey, PrefixStore, Scope},
    time::Timestamp,
};

/// Pages remembered: two million tokens, and some 15 MB.
const PAGES_MAX: u64 = 65_536;

/// Home's names for pages of prompts, and those it has had kept. Nothing of it outlives the process:
/// with the secret go all names.
#[derive(Debug)]
pub struct Prefixes {
    secret: Salt,
    /// Held only for look-ups and insertions.
    known: Mutex<PrefixStore<()>>,
}

impl Prefixes {
    /// Draws a new secret.
    ///
    /// # Errors
    /// The system's error if it gives no randomness.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self { secret: Salt::new(secret), known: Mutex::default() })
    }

    /// The key to names of one model's pages under one policy.
    pub(super) fn key(&self, manifest: &Digest, policy: &Policy) -> PrefixKey {
        PrefixKey::new(&self.secret, manifest, policy)
    }

    /// Of the pages in `tags`, the first that some stages were asked to keep: no others are worth
    /// naming.
    pub(super) fn known(
        &self,
        now: Timestamp,
        scope: &Scope,
        mut tags: Vec<PrefixTag>,
    ) -> Vec<PrefixTag> {
        let Ok(mut known) = self.known.lock() else { return Vec::new() };
        known.expire(now);
        tags.truncate(known.find(now, scope, &tags).len());
        tags
    }

    /// Remembers that stages were asked to keep these pages.
    pub(super) fn remember(&self, now: Timestamp, scope: &Scope, tags: &[PrefixTag]) {
        let Ok(mut known) = self.known.lock() else { return };
        known.keep(now, scope, tags, std::iter::repeat_n((), tags.len()), 1);
        known.shrink_to(PAGES_MAX);
    }
}
