//! What a shard in host memory keeps of ended sessions for later ones with the same beginning. Not
//! what a beginning is called, nor who may ask: `comity_protocol::prefix`.

use std::sync::Arc;

use comity_protocol::{
    id::{PrefixTag, SessionId},
    prefix::{PAGE_POSITIONS, RowDigests, Scope, positions, whole_pages},
    time::Timestamp,
};

use super::Shard;
use crate::kernels::Lines;

/// Keys and values of one page, and the digests of its positions' rows.
#[derive(Debug, Clone)]
pub(super) struct Page {
    keys_and_values: Arc<Lines>,
    rows: Arc<[RowDigests]>,
}

impl Shard {
    /// Puts what is kept of a prefix into the cache of session `id`, which holds nothing yet.
    /// Returns the digests of the positions' rows: whole pages, none if nothing is kept.
    pub fn take_over(
        &mut self,
        now: Timestamp,
        id: &SessionId,
        scope: &Scope,
        prefix: &[PrefixTag],
    ) -> Vec<RowDigests> {
        self.prefixes.expire(now);
        let fits = |session: &&mut super::Session| {
            session.cache.positions() == 0 && session.range == scope.blocks
        };
        let Some(session) = self.sessions.get_mut(id).filter(fits) else { return Vec::new() };
        let pages = prefix.len().min(whole_pages(session.positions_max));
        let found = self.prefixes.find(now, scope, &prefix[..pages]);
        let rows = found.iter().flat_map(|page| page.rows.iter().copied()).collect();
        let pages = found.into_iter().map(|page| page.keys_and_values).collect();
        session.cache.take_over(pages);
        rows
    }

    /// Keeps the first pages of session `id` under their names, as long as no session needs the
    /// memory. `rows`: digests of the positions' rows, from the first on.
    pub fn keep(
        &mut self,
        now: Timestamp,
        id: &SessionId,
        scope: &Scope,
        prefix: &[PrefixTag],
        rows: &[RowDigests],
    ) {
        self.prefixes.expire(now);
        let Some(session) = self.sessions.get(id).filter(|open| open.range == scope.blocks) else {
            return;
        };
        let rows = rows.chunks_exact(PAGE_POSITIONS as usize);
        let page = |(page, rows): (&Arc<Lines>, &[RowDigests])| Page {
            keys_and_values: page.clone(),
            rows: rows.into(),
        };
        let pages = session.cache.whole_pages().iter().zip(rows).map(page);
        let digests = u64::from(positions(1)) * size_of::<RowDigests>() as u64;
        let bytes = session.cache.shape().page_bytes() + digests;
        self.prefixes.keep(now, scope, prefix, pages, bytes);
    }

    /// Drops what was kept and not used for long.
    pub fn expire_prefixes(&mut self, now: Timestamp) {
        self.prefixes.expire(now);
    }

    /// Bytes kept for later sessions. They give way to sessions.
    #[must_use]
    pub const fn prefix_bytes(&self) -> u64 {
        self.prefixes.bytes()
    }

    /// Drops what sessions need the memory of.
    pub(super) fn make_room(&mut self) {
        self.prefixes.shrink_to(self.kv_budget.saturating_sub(self.kv_reserved));
    }
}
