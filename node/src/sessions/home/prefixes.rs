//! What stages may hold of earlier prompts, as far as home remembers. Not whether they do.

use std::sync::{Arc, Mutex};

use comity_protocol::{
    commitment::Salt,
    id::{Digest, PrefixTag},
    policy::Policy,
    prefix::{self, PrefixKey, PrefixStore, Scope},
    route::{Kept, RouteStage},
    time::Timestamp,
};

/// Pages remembered: two million tokens, and some 15 MB; twice that if every page is of a session of its
/// own, with a few stages.
const PAGES_MAX: u64 = 65_536;

/// Home's names for pages of prompts, and those it has had kept. Nothing of it outlives the process:
/// with the secret go all names.
#[derive(Debug)]
pub struct Prefixes {
    secret: Salt,
    /// With the stages that kept a page last. Held only for look-ups and insertions.
    known: Mutex<PrefixStore<Arc<[RouteStage]>>>,
}

/// Pages at the beginning of a prompt that some stages were asked to keep.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) tags: Vec<PrefixTag>,
    /// The stages that have all of them; none if they failed since.
    stages: Option<Arc<[RouteStage]>>,
}

impl Known {
    /// What that means for the route of a request for so many tokens.
    pub(super) fn kept(&self, answer: u32) -> Option<Kept<'_>> {
        let positions = prefix::positions(self.tags.len());
        let stages = self.stages.as_deref().filter(|stages| !stages.is_empty())?;
        Some(Kept { stages, positions, answer })
    }

    /// Whether a route goes back to where they are kept.
    pub(super) fn is_at(&self, stages: &[RouteStage]) -> bool {
        self.stages.as_deref() == Some(stages)
    }
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
    pub(super) fn known(&self, now: Timestamp, scope: &Scope, mut tags: Vec<PrefixTag>) -> Known {
        let Ok(mut known) = self.known.lock() else { return Known::default() };
        known.expire(now);
        let mut pages = known.find(now, scope, &tags);
        tags.truncate(pages.len());
        Known { tags, stages: pages.pop() }
    }

    /// Remembers that these stages were asked to keep these pages.
    pub(super) fn remember(
        &self,
        now: Timestamp,
        scope: &Scope,
        tags: &[PrefixTag],
        stages: &[RouteStage],
    ) {
        let Ok(mut known) = self.known.lock() else { return };
        let stages: Arc<[RouteStage]> = stages.into();
        known.change(scope, tags, |known| known.clone_from(&stages));
        known.keep(now, scope, tags, std::iter::repeat_n(stages, tags.len()), 1);
        known.shrink_to(PAGES_MAX);
    }

    /// These stages failed, or had kept nothing: there is no reason to go back to them for these pages.
    pub(super) fn doubt(&self, scope: &Scope, tags: &[PrefixTag], stages: &[RouteStage]) {
        let Ok(mut known) = self.known.lock() else { return };
        known.change(scope, tags, |known| {
            if **known == *stages {
                *known = Arc::default();
            }
        });
    }
}

#[cfg(test)]
mod tests;
