//! What is kept under the names of prefixes, the most recently used longest.

use std::collections::BTreeMap;

use super::Scope;
use crate::{id::PrefixTag, limits::PREFIX_IDLE_MAX, time::Timestamp};

/// Pages by scope and tag. How many bytes there may be is the holder's to bound, with
/// [`Self::shrink_to`].
///
/// A page is found only behind all pages before it. So pages of one prefix age from its end: what
/// is left of a prefix is always its beginning.
#[derive(Debug)]
pub struct PrefixStore<P> {
    pages: BTreeMap<Name, Page<P>>,
    /// Names from the least to the most recently used.
    ages: BTreeMap<u64, Name>,
    /// The highest age given out.
    last: u64,
    bytes: u64,
}

type Name = (Scope, PrefixTag);

#[derive(Debug)]
struct Page<P> {
    content: P,
    bytes: u64,
    age: u64,
    used: Timestamp,
}

impl<P> Default for PrefixStore<P> {
    fn default() -> Self {
        Self { pages: BTreeMap::new(), ages: BTreeMap::new(), last: 0, bytes: 0 }
    }
}

impl<P: Clone> PrefixStore<P> {
    /// Pages held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether no page is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Bytes of the pages held, as they were given.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The pages of the longest prefix held, which counts as used now.
    pub fn find(&mut self, now: Timestamp, scope: &Scope, tags: &[PrefixTag]) -> Vec<P> {
        let page = |tag: &PrefixTag| self.pages.get(&(*scope, *tag));
        let found: Vec<P> = tags.iter().map_while(page).map(|page| page.content.clone()).collect();
        self.touch(now, scope, &tags[..found.len()]);
        found
    }

    /// Keeps pages of `bytes` each under their tags, all of a prefix from its beginning; a page
    /// already held stays.
    pub fn keep(
        &mut self,
        now: Timestamp,
        scope: &Scope,
        tags: &[PrefixTag],
        pages: impl IntoIterator<Item = P>,
        bytes: u64,
    ) {
        let mut kept = 0;
        for (tag, content) in tags.iter().zip(pages) {
            self.pages.entry((*scope, *tag)).or_insert_with(|| {
                self.bytes += bytes;
                Page { content, bytes, age: 0, used: now }
            });
            kept += 1;
        }
        self.touch(now, scope, &tags[..kept]);
    }

    /// Changes what is held under these tags.
    pub fn change(&mut self, scope: &Scope, tags: &[PrefixTag], mut change: impl FnMut(&mut P)) {
        for tag in tags {
            if let Some(page) = self.pages.get_mut(&(*scope, *tag)) {
                change(&mut page.content);
            }
        }
    }

    /// Drops the pages least recently used until no more than `bytes` are held.
    pub fn shrink_to(&mut self, bytes: u64) {
        while self.bytes > bytes && self.drop_oldest() {}
    }

    /// Drops what was not used for [`PREFIX_IDLE_MAX`]: nobody's prompt stays for ever.
    pub fn expire(&mut self, now: Timestamp) {
        while let Some((_, name)) = self.ages.first_key_value()
            && self.pages.get(name).is_none_or(|page| page.used + PREFIX_IDLE_MAX <= now)
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((_, name)) = self.ages.pop_first() else { return false };
        self.bytes -= self.pages.remove(&name).map_or(0, |page| page.bytes);
        true
    }

    /// Makes pages the most recently used, the first of them most.
    fn touch(&mut self, now: Timestamp, scope: &Scope, tags: &[PrefixTag]) {
        for tag in tags.iter().rev() {
            let name = (*scope, *tag);
            let Some(page) = self.pages.get_mut(&name) else { continue };
            self.last += 1;
            self.ages.remove(&page.age);
            (page.age, page.used) = (self.last, now);
            self.ages.insert(self.last, name);
        }
    }
}
