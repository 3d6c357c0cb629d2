//! Hidden states as they travel: rows of little-endian `f32`. Not arithmetic on them.

use std::ops::Range;

use bytes::Bytes;

/// Hidden states `[positions, hidden]`, row-major, `f32` little-endian. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden {
    bytes: Bytes,
    row_bytes: usize,
}

/// Why bytes are no hidden states of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{got} bytes are no whole number of rows of {row_bytes} bytes")]
pub struct HiddenError {
    /// Bytes of one row.
    pub row_bytes: usize,
    /// Bytes given.
    pub got: usize,
}

impl std::fmt::Debug for Hidden {
    /// Shows the shape only: hidden states are as sensitive as the prompt.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hidden[{}, {}]", self.positions(), self.row_bytes / size_of::<f32>())
    }
}

impl Hidden {
    /// Takes `bytes` as rows of `row_bytes` bytes.
    ///
    /// # Errors
    /// [`HiddenError`] unless they are one or more whole rows of whole `f32`s.
    pub fn new(bytes: Bytes, row_bytes: usize) -> Result<Self, HiddenError> {
        let whole = row_bytes != 0
            && row_bytes.is_multiple_of(size_of::<f32>())
            && !bytes.is_empty()
            && bytes.len().is_multiple_of(row_bytes);
        if !whole {
            return Err(HiddenError { row_bytes, got: bytes.len() });
        }
        Ok(Self { bytes, row_bytes })
    }

    /// Copies `values`, `[positions, hidden]` row-major.
    ///
    /// # Errors
    /// [`HiddenError`] unless they are one or more whole rows of `hidden` values.
    pub fn from_values(values: &[f32], hidden: usize) -> Result<Self, HiddenError> {
        let mut bytes = Vec::with_capacity(size_of_val(values));
        values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        Self::new(bytes.into(), hidden * size_of::<f32>())
    }

    /// Number of rows; at least one.
    #[must_use]
    pub fn positions(&self) -> u32 {
        u32::try_from(self.bytes.len() / self.row_bytes).unwrap_or(u32::MAX)
    }

    /// Bytes of one row.
    #[must_use]
    pub const fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// All rows, little-endian.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The values, `[positions, hidden]` row-major.
    #[must_use]
    pub fn values(&self) -> Vec<f32> {
        self.iter().collect()
    }

    /// Whether no value is NaN or infinite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.iter().all(f32::is_finite)
    }

    /// The given rows, without copying; `None` unless they are some of these.
    #[must_use]
    pub fn rows(&self, rows: Range<u32>) -> Option<Self> {
        if rows.start >= rows.end || rows.end > self.positions() {
            return None;
        }
        let range = rows.start as usize * self.row_bytes..rows.end as usize * self.row_bytes;
        Some(Self { bytes: self.bytes.slice(range), row_bytes: self.row_bytes })
    }

    fn iter(&self) -> impl Iterator<Item = f32> {
        let (words, _) = self.bytes.as_chunks::<4>();
        words.iter().map(|word| f32::from_le_bytes(*word))
    }
}
