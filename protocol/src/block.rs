//! Ranges of decoder blocks. Not their weights.

use std::{fmt, ops::Range};

use crate::limits::BLOCKS_MAX;

/// A non-empty contiguous range of blocks `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockRange {
    start: u32,
    end: u32,
}

/// Why two numbers are no block range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockRangeError {
    /// `end` is not past `start`.
    #[error("block range [{start}, {end}) is empty")]
    Empty {
        /// First block.
        start: u32,
        /// One past the last block.
        end: u32,
    },
    /// More blocks than any model has.
    #[error("block range ends at {end}, past the limit of {BLOCKS_MAX}")]
    TooLong {
        /// One past the last block.
        end: u32,
    },
}

impl BlockRange {
    /// The range `[start, end)`.
    ///
    /// # Errors
    /// [`BlockRangeError`] if it is empty or ends past [`BLOCKS_MAX`].
    pub const fn new(start: u32, end: u32) -> Result<Self, BlockRangeError> {
        if end <= start {
            return Err(BlockRangeError::Empty { start, end });
        }
        if end > BLOCKS_MAX {
            return Err(BlockRangeError::TooLong { end });
        }
        Ok(Self { start, end })
    }

    /// First block.
    #[must_use]
    pub const fn start(self) -> u32 {
        self.start
    }

    /// One past the last block.
    #[must_use]
    pub const fn end(self) -> u32 {
        self.end
    }

    /// Number of blocks; never zero.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a block range is never empty")]
    pub const fn len(self) -> u32 {
        self.end - self.start
    }

    /// Blocks in order.
    #[must_use]
    pub const fn iter(self) -> Range<u32> {
        self.start..self.end
    }

    /// Whether every block of `other` is in this range.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

impl fmt::Display for BlockRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end)
    }
}

#[cfg(test)]
mod tests;
