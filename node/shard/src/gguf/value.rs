//! Decodes metadata values on demand from the bytes of a checked header.

use super::Header;

/// Type number of a string value.
pub(super) const STRING: u32 = 8;
/// Type number of an array value.
pub(super) const ARRAY: u32 = 9;

/// Bytes of one scalar of a metadata type; `None` for strings, arrays and unknown types.
pub(super) const fn scalar_bytes(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Why a metadata value could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The key is required and not there.
    #[error("metadata `{key}` is missing")]
    Missing {
        /// Metadata key.
        key: String,
    },
    /// The value has another type.
    #[error("metadata `{key}` is not {expected}")]
    Type {
        /// Metadata key.
        key: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// A decoded metadata array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Array {
    /// Strings.
    Text(Vec<String>),
    /// Integers and booleans.
    Integers(Vec<i64>),
    /// Floats.
    Floats(Vec<f64>),
}

impl Header {
    /// An integer or boolean; `None` if the key is absent.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<u64>, ValueError> {
        let Some((kind, bytes)) = self.raw(key) else { return Ok(None) };
        integer_of(kind, bytes)
            .and_then(|value| u64::try_from(value).ok())
            .map(Some)
            .ok_or_else(|| wrong(key, "a non-negative integer"))
    }

    /// A float; `None` if the key is absent.
    pub(crate) fn float(&self, key: &str) -> Result<Option<f32>, ValueError> {
        let Some((kind, bytes)) = self.raw(key) else { return Ok(None) };
        #[expect(clippy::cast_possible_truncation, reason = "hyperparameters are f32 in ggml")]
        let value = float_of(kind, bytes).map(|value| value as f32);
        value.map(Some).ok_or_else(|| wrong(key, "a float"))
    }

    /// A string; `None` if the key is absent.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>, ValueError> {
        let Some((kind, bytes)) = self.raw(key) else { return Ok(None) };
        let text = bytes.get(8..).filter(|_| kind == STRING);
        let text = text.and_then(|text| std::str::from_utf8(text).ok());
        text.map(Some).ok_or_else(|| wrong(key, "a UTF-8 string"))
    }

    /// An array; `None` if the key is absent or holds no array.
    ///
    /// # Errors
    /// [`ValueError::Type`] if a string in it is not UTF-8.
    pub(crate) fn array(&self, key: &str) -> Result<Option<Array>, ValueError> {
        let Some((ARRAY, bytes)) = self.raw(key) else { return Ok(None) };
        let (kind, body) = bytes.split_first_chunk::<4>().ok_or_else(|| wrong(key, "an array"))?;
        let kind = u32::from_le_bytes(*kind);
        let body = body.get(8..).ok_or_else(|| wrong(key, "an array"))?;
        if kind == STRING {
            return strings_of(body).map(Some).ok_or_else(|| wrong(key, "an array of UTF-8"));
        }
        let size = scalar_bytes(kind).and_then(|size| usize::try_from(size).ok());
        let size = size.ok_or_else(|| wrong(key, "an array"))?;
        let elements = body.chunks_exact(size);
        let array = if kind == 6 || kind == 12 {
            elements.map(|bytes| float_of(kind, bytes)).collect::<Option<_>>().map(Array::Floats)
        } else {
            elements
                .map(|bytes| integer_of(kind, bytes))
                .collect::<Option<_>>()
                .map(Array::Integers)
        };
        array.map(Some).ok_or_else(|| wrong(key, "an array of numbers"))
    }

    fn raw(&self, key: &str) -> Option<(u32, &[u8])> {
        let entry = self.entries.get(key)?;
        Some((entry.kind, &self.bytes[entry.range.clone()]))
    }
}

fn wrong(key: &str, expected: &'static str) -> ValueError {
    ValueError::Type { key: key.to_owned(), expected }
}

fn integer_of(kind: u32, bytes: &[u8]) -> Option<i64> {
    Some(match kind {
        0 | 7 => i64::from(*bytes.first()?),
        1 => i64::from(i8::from_le_bytes(bytes.try_into().ok()?)),
        2 => i64::from(u16::from_le_bytes(bytes.try_into().ok()?)),
        3 => i64::from(i16::from_le_bytes(bytes.try_into().ok()?)),
        4 => i64::from(u32::from_le_bytes(bytes.try_into().ok()?)),
        5 => i64::from(i32::from_le_bytes(bytes.try_into().ok()?)),
        10 => i64::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()?,
        11 => i64::from_le_bytes(bytes.try_into().ok()?),
        _ => return None,
    })
}

fn float_of(kind: u32, bytes: &[u8]) -> Option<f64> {
    Some(match kind {
        6 => f64::from(f32::from_le_bytes(bytes.try_into().ok()?)),
        12 => f64::from_le_bytes(bytes.try_into().ok()?),
        _ => return None,
    })
}

fn strings_of(mut body: &[u8]) -> Option<Array> {
    let mut strings = Vec::new();
    while !body.is_empty() {
        let (length, rest) = body.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (text, rest) = rest.split_at_checked(length)?;
        strings.push(std::str::from_utf8(text).ok()?.to_owned());
        body = rest;
    }
    Some(Array::Text(strings))
}
