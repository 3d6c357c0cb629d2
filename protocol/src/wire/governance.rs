//! Encoding of what members agree on and say about themselves.

mod announcement;
mod charter;
mod control;
mod policy;
mod roster;

use super::DecodeError;
use crate::limits::NAME_BYTES_MAX;

/// Checks an institution's id: lower-case letters, digits and '-'.
fn institution(value: String, field: &'static str) -> Result<String, DecodeError> {
    let value = super::text(value, NAME_BYTES_MAX, field)?;
    if !value.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Err(DecodeError::field(field, "only lower-case letters, digits and '-'"));
    }
    Ok(value)
}

/// Checks a list of short texts, none of them empty.
fn texts(
    values: Vec<String>,
    count_max: usize,
    bytes_max: usize,
    field: &'static str,
) -> Result<Vec<String>, DecodeError> {
    super::list(values, count_max, field)?
        .into_iter()
        .map(|value| super::text(value, bytes_max, field))
        .collect()
}

#[cfg(test)]
mod tests;
