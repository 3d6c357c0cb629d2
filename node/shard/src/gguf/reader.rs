//! Reads a header piece by piece, never past the file and never more than the file holds.

use std::io::Read;

use super::{ARRAY_LENGTH_MAX, HEADER_BYTES_MAX, HeaderError, STRING_BYTES_MAX, bounded, value};

/// Bytes fetched at once, so that a short header costs few reads and a false length no memory.
const FETCH_BYTES: u64 = 1 << 20;

/// A growing copy of the header with a read position.
pub(super) struct HeaderReader<R> {
    source: R,
    file_bytes: u64,
    bytes: Vec<u8>,
    position: usize,
}

impl<R: Read> HeaderReader<R> {
    pub(super) const fn new(source: R, file_bytes: u64) -> Self {
        Self { source, file_bytes, bytes: Vec::new(), position: 0 }
    }

    /// Offset of the next byte.
    pub(super) const fn position(&self) -> usize {
        self.position
    }

    /// The bytes read so far, without what was fetched ahead.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.position);
        self.bytes.shrink_to_fit();
        self.bytes
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], HeaderError> {
        let taken = self.take(N as u64, what)?;
        Ok(taken.try_into().expect("take returns exactly the bytes asked for"))
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, HeaderError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, HeaderError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    pub(super) fn string(&mut self, what: &'static str) -> Result<String, HeaderError> {
        let length = bounded("a string's length", self.u64(what)?, STRING_BYTES_MAX)?;
        let offset = self.position as u64;
        let bytes = self.take(length, what)?;
        let text = std::str::from_utf8(bytes).map_err(|_| HeaderError::Utf8 { what, offset })?;
        Ok(text.to_owned())
    }

    /// Checks a metadata value's framing and steps over it.
    pub(super) fn skip_value(&mut self, kind: u32, key: &str) -> Result<(), HeaderError> {
        match kind {
            value::STRING => self.skip_string(),
            value::ARRAY => {
                let element = self.u32("an array's type")?;
                let length =
                    bounded("an array's length", self.u64("an array's length")?, ARRAY_LENGTH_MAX)?;
                if element == value::STRING {
                    return (0..length).try_for_each(|_| self.skip_string());
                }
                let bytes = value::scalar_bytes(element)
                    .ok_or_else(|| HeaderError::ValueKind { key: key.to_owned(), kind: element })?;
                self.take(bytes * length, "an array").map(|_| ())
            }
            _ => {
                let bytes = value::scalar_bytes(kind)
                    .ok_or_else(|| HeaderError::ValueKind { key: key.to_owned(), kind })?;
                self.take(bytes, "a metadata value").map(|_| ())
            }
        }
    }

    fn skip_string(&mut self) -> Result<(), HeaderError> {
        let length = self.u64("a string's length")?;
        let length = bounded("a string's length", length, STRING_BYTES_MAX)?;
        self.take(length, "a string").map(|_| ())
    }

    fn take(&mut self, count: u64, what: &'static str) -> Result<&[u8], HeaderError> {
        let needed = self.position as u64 + count;
        if needed > self.file_bytes {
            return Err(HeaderError::Truncated { what, needed, file_bytes: self.file_bytes });
        }
        bounded("the header's size", needed, HEADER_BYTES_MAX)?;
        while (self.bytes.len() as u64) < needed {
            let fetched = (&mut self.source).take(FETCH_BYTES).read_to_end(&mut self.bytes)?;
            if fetched == 0 {
                let file_bytes = self.bytes.len() as u64;
                return Err(HeaderError::Truncated { what, needed, file_bytes });
            }
        }
        let start = self.position;
        self.position = usize::try_from(needed).expect("bounded by the header's limit");
        Ok(&self.bytes[start..self.position])
    }
}
