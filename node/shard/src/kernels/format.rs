//! How weights stand in memory: tiles of 16 output rows, so that one lane is one row.
//!
//! A block is 32 inputs of a tile. Its quants are stored unsigned, in steps of the block's scale
//! above `-offset`: lines of 64 bytes hold four inputs of each row. Scales and minimums follow each
//! other in a plane of their own, 16 values each.

use crate::gguf::GgmlType;

/// Output rows of one tile.
pub(crate) const TILE: usize = 16;

/// Memory form of a quantised kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    /// Bits of one quant.
    pub(super) bits: u32,
    /// What unsigned quants are above the signed ones.
    pub(super) offset: i32,
    /// Whether scales and minimums are binary16, as in the file, or f32: products of a file's two
    /// factors do not fit a half.
    pub(super) half: bool,
    /// Scales of one block: one, or two of 16 inputs each.
    pub(super) scales: usize,
    /// Whether a minimum follows.
    pub(super) minimum: bool,
}

impl Format {
    /// The form of `kind`; `None` for floats and kinds without a kernel.
    pub(super) const fn of(kind: GgmlType) -> Option<Self> {
        let (bits, offset, half, scales, minimum) = match kind {
            GgmlType::Q4_0 => (4, 8, true, 1, false),
            GgmlType::Q4_1 => (4, 0, true, 1, true),
            GgmlType::Q5_0 => (5, 16, true, 1, false),
            GgmlType::Q5_1 => (5, 0, true, 1, true),
            GgmlType::Q8_0 => (8, 128, true, 1, false),
            GgmlType::Q4K => (4, 0, false, 1, true),
            GgmlType::Q5K => (5, 0, false, 1, true),
            GgmlType::Q6K => (6, 32, false, 2, false),
            _ => return None,
        };
        Some(Self { bits, offset, half, scales, minimum })
    }

    /// Lines of one block's quants.
    pub(super) const fn quant_lines(self) -> usize {
        self.bits as usize
    }

    /// Bytes of one block's scales and minimums.
    pub(super) const fn scale_bytes(self) -> usize {
        (self.scales + self.minimum as usize) * TILE * if self.half { 2 } else { 4 }
    }
}

/// Writes the unsigned quants of one row's block into its tile's lines.
///
/// Four bits: line `i` holds group `i` in low halves and group `i + 4` in high ones. A fifth bit of
/// group `j` is bit `j` of line 4; a fifth and sixth are bits `2 * (j % 4)` on of line `4 + j / 4`.
/// Eight bits: line `j` holds group `j`.
pub(super) fn pack(bits: u32, quants: &[u8; 32], row: usize, lines: &mut [[u8; 64]]) {
    for (index, &quant) in quants.iter().enumerate() {
        let (group, byte) = (index / 4, 4 * row + index % 4);
        if bits == 8 {
            lines[group][byte] = quant;
            continue;
        }
        lines[group % 4][byte] |= (quant & 15) << (4 * (group / 4));
        match bits {
            5 => lines[4][byte] |= (quant >> 4) << group,
            6 => lines[4 + group / 4][byte] |= (quant >> 4) << (2 * (group % 4)),
            _ => {}
        }
    }
}

/// The inverse of [`pack`].
pub(super) fn unpack(bits: u32, lines: &[[u8; 64]], row: usize) -> [u8; 32] {
    let mut quants = [0; 32];
    for (index, quant) in quants.iter_mut().enumerate() {
        let (group, byte) = (index / 4, 4 * row + index % 4);
        if bits == 8 {
            *quant = lines[group][byte];
            continue;
        }
        *quant = (lines[group % 4][byte] >> (4 * (group / 4))) & 15;
        match bits {
            5 => *quant |= ((lines[4][byte] >> group) & 1) << 4,
            6 => *quant |= ((lines[4 + group / 4][byte] >> (2 * (group % 4))) & 3) << 4,
            _ => {}
        }
    }
    quants
}
