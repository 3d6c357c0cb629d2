//! Reads and checks the header of a GGUF file. Not the weights: only where they lie.
//!
//! Source: the GGUF specification, versions 2 and 3 (little-endian). Every count, length and offset
//! is checked against a limit and against the file's size before memory is taken for it.

mod kind;
mod reader;
mod value;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
    ops::Range,
};

pub use kind::GgmlType;
pub(crate) use value::Array;
pub use value::ValueError;

use reader::HeaderReader;

/// Metadata entries a header may have; models in the wild have fewer than a hundred.
const ENTRIES_MAX: u64 = 4_096;
/// Tensors a file may have: a thousand blocks of thirty tensors, and room.
const TENSORS_MAX: u64 = 65_536;
/// Bytes one string may have; the longest known is a chat template of some hundred KiB.
const STRING_BYTES_MAX: u64 = 4 << 20;
/// Elements one metadata array may have; vocabularies stay below a million.
const ARRAY_LENGTH_MAX: u64 = 4 << 20;
/// Bytes of the whole header; a vocabulary of 256 Ki tokens takes about 7 MiB.
const HEADER_BYTES_MAX: u64 = 256 << 20;
/// Dimensions a tensor may have, from the specification.
const DIMS_MAX: u32 = 4;
/// Alignment of tensor data when the header names none, bytes, from the specification.
const ALIGNMENT_DEFAULT: u64 = 32;
/// Largest alignment accepted, bytes.
const ALIGNMENT_MAX: u64 = 1 << 20;

/// Why a header was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Reading failed.
    #[error("cannot read the header")]
    Io(#[from] io::Error),
    /// The file does not start with `GGUF`.
    #[error("not a GGUF file: it starts with {got:02x?}")]
    Magic {
        /// The first four bytes.
        got: [u8; 4],
    },
    /// A version this reader does not know; big-endian files show as a huge number.
    #[error("GGUF version {version} is not supported (2 and 3 are)")]
    Version {
        /// Version in the file.
        version: u32,
    },
    /// The file ends inside its header.
    #[error("file ends at byte {file_bytes}, inside {what} that needs bytes up to {needed}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Offset one past the last byte needed.
        needed: u64,
        /// Size of the file, bytes.
        file_bytes: u64,
    },
    /// A count or length is beyond its limit.
    #[error("{what} is {got}, the limit is {limit}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// Value in the file.
        got: u64,
        /// Largest value accepted.
        limit: u64,
    },
    /// A key or name is not UTF-8.
    #[error("{what} at byte {offset} is not UTF-8")]
    Utf8 {
        /// What was being read.
        what: &'static str,
        /// Offset of the string's first byte.
        offset: u64,
    },
    /// A metadata value type the specification does not know, or an array of arrays.
    #[error("metadata `{key}` has unsupported value type {kind}")]
    ValueKind {
        /// Metadata key.
        key: String,
        /// Type number in the file.
        kind: u32,
    },
    /// Two entries share one name.
    #[error("`{name}` occurs twice")]
    Duplicate {
        /// Metadata key or tensor name.
        name: String,
    },
    /// The alignment is no power of two, below 8 or too large.
    #[error("alignment {alignment} is not a power of two from 8 to {ALIGNMENT_MAX}")]
    Alignment {
        /// Alignment in the file, bytes.
        alignment: u64,
    },
    /// A ggml type this crate cannot run.
    #[error("tensor `{tensor}` has unsupported ggml type {kind}")]
    TensorKind {
        /// Tensor name.
        tensor: String,
        /// Type number in the file.
        kind: u32,
    },
    /// Dimensions are zero, overflow, or do not fill whole quantisation blocks.
    #[error("tensor `{tensor}` has invalid dimensions {dims:?} for {kind}")]
    Dims {
        /// Tensor name.
        tensor: String,
        /// Dimensions, fastest-varying first.
        dims: Vec<u64>,
        /// Element type.
        kind: GgmlType,
    },
    /// A tensor does not start on the alignment.
    #[error("tensor `{tensor}` starts at {offset}, not a multiple of {alignment}")]
    Misaligned {
        /// Tensor name.
        tensor: String,
        /// Offset in the data section, bytes.
        offset: u64,
        /// Alignment, bytes.
        alignment: u64,
    },
    /// A tensor ends past the end of the file.
    #[error("tensor `{tensor}` ends at byte {end}, the file has {file_bytes}")]
    PastEnd {
        /// Tensor name.
        tensor: String,
        /// Offset one past the tensor's last byte.
        end: u64,
        /// Size of the file, bytes.
        file_bytes: u64,
    },
}

/// Where one tensor lies and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name, as `blk.0.attn_q.weight`.
    pub name: String,
    /// Element type.
    pub kind: GgmlType,
    /// Dimensions, fastest-varying first: `[inputs, outputs]` of a linear map.
    pub dims: Vec<u64>,
    /// Absolute offset in the file, bytes.
    pub offset: u64,
    /// Size in the file, bytes.
    pub bytes: u64,
}

/// A checked header: metadata by key and tensors by name. Values are decoded on demand.
#[derive(Debug)]
pub(crate) struct Header {
    bytes: Vec<u8>,
    entries: BTreeMap<String, Entry>,
    tensors: BTreeMap<String, TensorInfo>,
}

/// One metadata value: its type and where its bytes lie in the header.
#[derive(Debug, Clone)]
struct Entry {
    kind: u32,
    range: Range<usize>,
}

impl Header {
    /// Reads the header of a file of `file_bytes` bytes from its start.
    pub(crate) fn read(source: impl Read, file_bytes: u64) -> Result<Self, HeaderError> {
        let mut reader = HeaderReader::new(source, file_bytes);
        let magic = reader.array::<4>("the magic")?;
        if magic != *b"GGUF" {
            return Err(HeaderError::Magic { got: magic });
        }
        let version = reader.u32("the version")?;
        if !(2..=3).contains(&version) {
            return Err(HeaderError::Version { version });
        }
        let tensor_count =
            bounded("the tensor count", reader.u64("the tensor count")?, TENSORS_MAX)?;
        let entry_count = bounded("the entry count", reader.u64("the entry count")?, ENTRIES_MAX)?;
        let mut entries = BTreeMap::new();
        for _ in 0..entry_count {
            let key = reader.string("a metadata key")?;
            let kind = reader.u32("a value type")?;
            let start = reader.position();
            reader.skip_value(kind, &key)?;
            let entry = Entry { kind, range: start..reader.position() };
            if entries.insert(key.clone(), entry).is_some() {
                return Err(HeaderError::Duplicate { name: key });
            }
        }
        let mut listed = Vec::new();
        for _ in 0..tensor_count {
            listed.push(read_tensor_info(&mut reader)?);
        }
        let mut header = Self { bytes: reader.into_bytes(), entries, tensors: BTreeMap::new() };
        header.place_tensors(listed, file_bytes)?;
        Ok(header)
    }

    /// Tensors in name order.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors.values()
    }

    /// The tensor called `name`.
    pub(crate) fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// Metadata under `prefix` in key order: key, value type, value bytes as they stand in the file.
    pub(crate) fn entries_under<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, u32, &'a [u8])> {
        self.entries
            .range(prefix.to_owned()..)
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, entry)| (key.as_str(), entry.kind, &self.bytes[entry.range.clone()]))
    }

    /// Turns offsets in the data section into checked offsets in the file.
    fn place_tensors(
        &mut self,
        listed: Vec<TensorInfo>,
        file_bytes: u64,
    ) -> Result<(), HeaderError> {
        let alignment = match self.integer("general.alignment") {
            Ok(found) => found.unwrap_or(ALIGNMENT_DEFAULT),
            Err(_) => 0,
        };
        if !alignment.is_power_of_two() || !(8..=ALIGNMENT_MAX).contains(&alignment) {
            return Err(HeaderError::Alignment { alignment });
        }
        let data_start = (self.bytes.len() as u64).next_multiple_of(alignment);
        let mut seen = BTreeSet::new();
        for mut tensor in listed {
            if !tensor.offset.is_multiple_of(alignment) {
                let (tensor, offset) = (tensor.name, tensor.offset);
                return Err(HeaderError::Misaligned { tensor, offset, alignment });
            }
            let start = data_start.checked_add(tensor.offset);
            let end = start.and_then(|start| start.checked_add(tensor.bytes));
            let (Some(start), Some(end)) = (start, end.filter(|&end| end <= file_bytes)) else {
                let end = end.unwrap_or(u64::MAX);
                return Err(HeaderError::PastEnd { tensor: tensor.name, end, file_bytes });
            };
            debug_assert!(start <= end, "checked addition cannot wrap");
            tensor.offset = start;
            if !seen.insert(tensor.name.clone()) {
                return Err(HeaderError::Duplicate { name: tensor.name });
            }
            self.tensors.insert(tensor.name.clone(), tensor);
        }
        Ok(())
    }
}

/// Reads one tensor's line; its offset is still relative to the data section.
fn read_tensor_info<R: Read>(reader: &mut HeaderReader<R>) -> Result<TensorInfo, HeaderError> {
    let name = reader.string("a tensor name")?;
    let rank = reader.u32("a tensor's rank")?;
    bounded("a tensor's rank", u64::from(rank), u64::from(DIMS_MAX))?;
    let mut dims = Vec::new();
    for _ in 0..rank {
        dims.push(reader.u64("a tensor's dimensions")?);
    }
    let number = reader.u32("a tensor's type")?;
    let Some(kind) = GgmlType::from_number(number) else {
        return Err(HeaderError::TensorKind { tensor: name, kind: number });
    };
    let offset = reader.u64("a tensor's offset")?;
    let Some(bytes) = kind.tensor_bytes(&dims) else {
        return Err(HeaderError::Dims { tensor: name, dims, kind });
    };
    Ok(TensorInfo { name, kind, dims, offset, bytes })
}

fn bounded(what: &'static str, got: u64, limit: u64) -> Result<u64, HeaderError> {
    if got > limit { Err(HeaderError::Limit { what, got, limit }) } else { Ok(got) }
}

#[cfg(test)]
mod tests;
