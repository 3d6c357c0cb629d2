//! What a document lacks, with how often. Not what is done about it.

use serde::Serialize;

/// Something an article asks for that the records do not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The article that asks for it.
    pub article: &'static str,
    /// What is lacking.
    pub what: String,
    /// Why, or where it is to be had.
    pub why: &'static str,
    /// Entries that lack it; as many as `of` where no record could hold it, absent where nothing
    /// could be counted.
    pub lacking: Option<u64>,
    /// Entries looked at; absent likewise.
    pub of: Option<u64>,
}

impl Missing {
    /// What no record could hold, for `of` entries.
    pub(super) fn always(
        article: &'static str,
        what: impl Into<String>,
        why: &'static str,
        of: u64,
    ) -> Self {
        Self { article, what: what.into(), why, lacking: Some(of), of: Some(of) }
    }

    /// What left nothing behind that could be counted.
    pub(super) fn uncounted(
        article: &'static str,
        what: impl Into<String>,
        why: &'static str,
    ) -> Self {
        Self { article, what: what.into(), why, lacking: None, of: None }
    }

    /// What some of the entries lack; nothing if none does.
    pub(super) fn some(
        article: &'static str,
        what: impl Into<String>,
        why: &'static str,
        lacks: impl IntoIterator<Item = bool>,
    ) -> Option<Self> {
        let (mut lacking, mut of) = (0, 0);
        for it in lacks {
            lacking += u64::from(it);
            of += 1;
        }
        let (counted, of) = (Some(lacking), Some(of));
        (lacking > 0).then(|| Self { article, what: what.into(), why, lacking: counted, of })
    }
}
