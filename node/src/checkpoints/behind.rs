//! What is kept of how far a log is behind, for its successor. Not how that is found.

use std::path::Path;

use tracing::warn;

use super::{CheckpointsError, Parts};
use crate::files;

/// File of how many records others have seen, written when the log is found to have fewer.
pub(crate) const BEHIND_FILE: &str = "checkpoint.behind";
/// Bytes of that file: one number and a line feed.
const FILE_BYTES_MAX: usize = 32;

impl Parts {
    /// That the log has `size` records and `who` knows of `seen`, which is kept.
    pub(super) fn behind(&self, size: u64, who: String, seen: u64) -> CheckpointsError {
        let path = self.folder.join(BEHIND_FILE);
        // The log is behind whether or not that can be written.
        if let Err(error) = files::replace(&path, format!("{seen}\n").as_bytes()) {
            warn!(path = %path.display(), %error, "how far the log is behind is not kept");
        }
        CheckpointsError::Behind { size, who, seen }
    }
}

/// How many records others have seen of the log in `folder`, as far as it was found behind; else 0.
pub(crate) fn seen(folder: &Path) -> u64 {
    let bytes = files::read(&folder.join(BEHIND_FILE), FILE_BYTES_MAX).ok().flatten();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| text.trim_end().parse().ok()).unwrap_or(0)
}
