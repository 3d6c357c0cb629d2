//! Bytes to typed values and back: the only module that sees prost types.
//!
//! Decoding is strict: a message is decoded, encoded again, and must be the same bytes. That refuses
//! unknown and repeated fields, fields out of order, explicit defaults, non-minimal varints and
//! trailing bytes in one comparison, because prost's encoding is a function of the value alone.

mod common;
mod governance;
mod log;
mod model;
mod receipt;
mod request;
mod session;

use prost::Message;

pub(crate) mod pb {
    //! Types that prost generates from `proto/`.
    #![allow(
        missing_docs,
        dead_code,
        unreachable_pub,
        unnameable_types,
        clippy::all,
        clippy::allow_attributes_without_reason,
        clippy::missing_errors_doc,
        reason = "generated"
    )]
    include!(concat!(env!("OUT_DIR"), "/comity.v1.rs"));
}

/// A value with one canonical encoding.
pub trait Wire: Sized {
    /// Bytes a message of this type may have; checked before anything is decoded.
    const BYTES_MAX: usize;

    /// The canonical bytes.
    fn encode(&self) -> Vec<u8>;

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the canonical encoding of a valid value.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
}

/// Why bytes are no valid message. Always the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Longer than a message of its type may be.
    #[error("{got} bytes, more than {max}")]
    TooLong {
        /// Most bytes allowed.
        max: usize,
        /// Bytes given.
        got: usize,
    },
    /// No protobuf of the expected type.
    #[error("malformed protobuf")]
    Malformed,
    /// Protobuf of the expected type, but not its canonical encoding.
    #[error("not the canonical encoding")]
    NotCanonical,
    /// A field holds what it must not.
    #[error("{field}: {problem}")]
    Field {
        /// Path of the field in the schema.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl DecodeError {
    /// A field holds what it must not.
    #[must_use]
    pub const fn field(field: &'static str, problem: &'static str) -> Self {
        Self::Field { field, problem }
    }
}

/// Decodes `bytes` and requires them to be the canonical encoding.
fn decode_canonical<P: Message + Default>(bytes: &[u8], max: usize) -> Result<P, DecodeError> {
    if bytes.len() > max {
        return Err(DecodeError::TooLong { max, got: bytes.len() });
    }
    let message = P::decode(bytes).map_err(|_| DecodeError::Malformed)?;
    if message.encode_to_vec() != bytes {
        return Err(DecodeError::NotCanonical);
    }
    Ok(message)
}

/// Gives a type with `From<&T> for P` and `TryFrom<P> for T` its canonical encoding.
macro_rules! wire {
    ($type:ty, $pb:ty, $max:expr) => {
        impl $crate::wire::Wire for $type {
            const BYTES_MAX: usize = $max;

            fn encode(&self) -> Vec<u8> {
                prost::Message::encode_to_vec(&<$pb>::from(self))
            }

            fn decode(bytes: &[u8]) -> Result<Self, $crate::wire::DecodeError> {
                $crate::wire::decode_canonical::<$pb>(bytes, $max)?.try_into()
            }
        }
    };
}
use wire;

/// What is wrong with a list that encodes a set or a map, if its order is not strict.
const NOT_ASCENDING: &str = "not in strictly ascending order";

/// Reads a fixed-size identifier.
fn id<'a, T: TryFrom<&'a [u8]>>(bytes: &'a [u8], field: &'static str) -> Result<T, DecodeError> {
    T::try_from(bytes).map_err(|_| DecodeError::field(field, "wrong length"))
}

/// Copies an identifier into a message.
fn bytes(array: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(array)
}

/// Checks a text's length in bytes.
fn text(value: String, max: usize, field: &'static str) -> Result<String, DecodeError> {
    if value.is_empty() || value.len() > max {
        return Err(DecodeError::field(field, "empty or too long"));
    }
    Ok(value)
}

/// Checks the length of a text that may be empty.
fn short(value: String, max: usize, field: &'static str) -> Result<String, DecodeError> {
    if value.len() > max {
        return Err(DecodeError::field(field, "too long"));
    }
    Ok(value)
}

/// Checks a number against inclusive bounds.
fn within(value: u32, min: u32, max: u32, field: &'static str) -> Result<u32, DecodeError> {
    if value < min || value > max {
        return Err(DecodeError::field(field, "out of range"));
    }
    Ok(value)
}

/// Checks a list's length before it is converted.
fn list<T>(values: Vec<T>, max: usize, field: &'static str) -> Result<Vec<T>, DecodeError> {
    if values.len() > max {
        return Err(DecodeError::field(field, "too many entries"));
    }
    Ok(values)
}

/// Requires strictly ascending order: one encoding per set, and no entry twice.
fn ascending<T: Ord>(values: &[T], field: &'static str) -> Result<(), DecodeError> {
    if values.is_sorted_by(|left, right| left < right) {
        return Ok(());
    }
    Err(DecodeError::field(field, NOT_ASCENDING))
}

/// Takes a message that must be there.
fn required<T>(value: Option<T>, field: &'static str) -> Result<T, DecodeError> {
    value.ok_or_else(|| DecodeError::field(field, "missing"))
}
