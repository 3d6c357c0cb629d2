//! One record's bytes in the log file. Not which records there are.
//!
//! Little-endian: magic (4) · CRC-32C of everything after it (4) · payload length (4) · sequence (8)
//! · durable length (8) · SHA-256 of the previous payload (32) · payload. The durable length is how
//! much of the file had been synced when the frame was written: a whole frame proves that everything
//! before that point was acknowledged, so damage there is no torn write. A frame without payload is
//! no record; it is written at a clean end, to prove the records before it.

use comity_protocol::id::Digest;

use super::RECORD_BYTES_MAX;

/// First bytes of the file: format and version.
pub(super) const FILE_HEADER: &[u8; 8] = b"comitlg1";
/// First bytes of a frame.
pub(super) const MAGIC: [u8; 4] = [0xc5, b'r', b'e', b'c'];
/// Bytes of a frame before its payload.
pub(super) const HEADER_BYTES: usize = 60;

/// The fixed part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Number of the record; of the next record, if there is no payload.
    pub(super) sequence: u64,
    /// Bytes of the file that were durable when the frame was written.
    pub(super) durable: u64,
    /// SHA-256 of the payload of the previous record.
    pub(super) previous: Digest,
}

impl Header {
    /// Appends the frame of `payload` to `bytes`. `payload` is at most [`RECORD_BYTES_MAX`] long.
    pub(super) fn encode(&self, payload: &[u8], bytes: &mut Vec<u8>) {
        let length = u32::try_from(payload.len()).expect("records are far shorter than 4 GiB");
        let start = bytes.len();
        bytes.extend(MAGIC);
        bytes.extend([0; 4]);
        bytes.extend(length.to_le_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(self.durable.to_le_bytes());
        bytes.extend(self.previous.0);
        bytes.extend(payload);
        let crc = crc32c::crc32c(&bytes[start + 8..]);
        bytes[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }

    /// The frame at the start of `bytes`, and its payload; `None` if it is damaged or cut off.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (crc, checked) = rest.split_first_chunk::<4>()?;
        let (length, rest) = checked.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        if *magic != MAGIC || length > RECORD_BYTES_MAX {
            return None;
        }
        let checked = checked.get(..HEADER_BYTES - 8 + length)?;
        if crc32c::crc32c(checked) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (durable, rest) = rest.split_first_chunk::<8>()?;
        let (previous, rest) = rest.split_first_chunk::<32>()?;
        let header = Self {
            sequence: u64::from_le_bytes(*sequence),
            durable: u64::from_le_bytes(*durable),
            previous: Digest(*previous),
        };
        Some((header, rest.get(..length)?))
    }
}
