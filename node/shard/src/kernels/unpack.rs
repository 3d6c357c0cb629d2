//! Unpacks one row of quantised weights into signed bytes with scales and minimums.
//!
//! Source: the block layouts of the GGUF specification's quantised types. A weight is
//! `scale * quant + minimum`; scales are per 32 elements, per 16 in Q6_K; minimums per 32.

use super::half::{bf16, f16, f16_at};
use crate::gguf::GgmlType;

/// One unpacked row; a kind fills only the vectors it needs.
pub(super) struct Row {
    /// `[inputs]`.
    pub(super) quants: Vec<i8>,
    /// `[inputs / 32]`, or `[inputs / 16]` in Q6_K.
    pub(super) scales: Vec<f32>,
    /// `[inputs / 32]`.
    pub(super) minimums: Vec<f32>,
    /// `[inputs]`, of float kinds.
    pub(super) floats: Vec<f32>,
}

/// Whether rows of `kind` are quantised, not floats.
pub(super) const fn is_quantised(kind: GgmlType) -> bool {
    !matches!(kind, GgmlType::F32 | GgmlType::F16 | GgmlType::Bf16)
}

/// Whether scales are per 16 elements.
pub(super) const fn has_groups_of_16(kind: GgmlType) -> bool {
    matches!(kind, GgmlType::Q6K)
}

/// Whether `minimums` is used.
pub(super) const fn has_minimums(kind: GgmlType) -> bool {
    matches!(kind, GgmlType::Q4_1 | GgmlType::Q5_1 | GgmlType::Q4K | GgmlType::Q5K)
}

impl Row {
    pub(super) fn new(inputs: usize) -> Self {
        Self {
            quants: vec![0; inputs],
            scales: vec![0.0; inputs / 16],
            minimums: vec![0.0; inputs / 32],
            floats: vec![0.0; inputs],
        }
    }

    /// Appends the row's values.
    pub(super) fn append_floats(&self, kind: GgmlType, out: &mut Vec<f32>) {
        if !is_quantised(kind) {
            out.extend_from_slice(&self.floats);
            return;
        }
        let group = if has_groups_of_16(kind) { 16 } else { 32 };
        out.extend(self.quants.iter().enumerate().map(|(i, &quant)| {
            let minimum = if has_minimums(kind) { self.minimums[i / 32] } else { 0.0 };
            self.scales[i / group] * f32::from(quant) + minimum
        }));
    }
}

/// Unpacks `bytes`, one whole row of `kind`, into `row`.
#[inline(always)]
pub(super) fn unpack(kind: GgmlType, bytes: &[u8], row: &mut Row) {
    match kind {
        GgmlType::F32 => {
            for (out, bytes) in row.floats.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *out = f32::from_le_bytes(*bytes);
            }
        }
        GgmlType::F16 | GgmlType::Bf16 => {
            let widen = if kind == GgmlType::F16 { f16 } else { bf16 };
            for (out, bytes) in row.floats.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *out = widen(u16::from_le_bytes(*bytes));
            }
        }
        GgmlType::Q4_0 => blocks_of_32::<18>(bytes, row, |block, quants, _| {
            nibbles(&block[2..], quants);
            quants.iter_mut().for_each(|quant| *quant -= 8);
        }),
        GgmlType::Q4_1 => blocks_of_32::<20>(bytes, row, |block, quants, minimum| {
            nibbles(&block[4..], quants);
            *minimum = f16_at(block, 2);
        }),
        GgmlType::Q5_0 => blocks_of_32::<22>(bytes, row, |block, quants, _| {
            nibbles(&block[6..], quants);
            fifth_bits(&block[2..6], quants);
            quants.iter_mut().for_each(|quant| *quant -= 16);
        }),
        GgmlType::Q5_1 => blocks_of_32::<24>(bytes, row, |block, quants, minimum| {
            nibbles(&block[8..], quants);
            fifth_bits(&block[4..8], quants);
            *minimum = f16_at(block, 2);
        }),
        GgmlType::Q8_0 => blocks_of_32::<34>(bytes, row, |block, quants, _| {
            for (quant, byte) in quants.iter_mut().zip(&block[2..]) {
                *quant = byte.cast_signed();
            }
        }),
        GgmlType::Q4K => q4k_or_q5k::<144>(bytes, row),
        GgmlType::Q5K => q4k_or_q5k::<176>(bytes, row),
        GgmlType::Q6K => q6k(bytes, row),
        GgmlType::Q2K | GgmlType::Q3K => {
            unreachable!("`Rows::supports` keeps these kinds from this module")
        }
    }
}

/// Blocks of 32 elements that start with an f16 scale.
#[inline(always)]
fn blocks_of_32<const BYTES: usize>(
    bytes: &[u8],
    row: &mut Row,
    fill: impl Fn(&[u8; BYTES], &mut [i8; 32], &mut f32),
) {
    let quants = row.quants.as_chunks_mut::<32>().0.iter_mut();
    let outputs = quants.zip(row.scales.iter_mut().zip(&mut row.minimums));
    for (block, (quants, (scale, minimum))) in bytes.as_chunks::<BYTES>().0.iter().zip(outputs) {
        *scale = f16_at(block, 0);
        fill(block, quants, minimum);
    }
}

/// 16 bytes: low halves are elements 0 to 15, high halves 16 to 31.
#[inline(always)]
fn nibbles(bytes: &[u8], quants: &mut [i8; 32]) {
    for (i, &byte) in bytes[..16].iter().enumerate() {
        quants[i] = (byte & 15).cast_signed();
        quants[i + 16] = (byte >> 4).cast_signed();
    }
}

/// 32 bits: bit `i` is the fifth bit of element `i`.
#[inline(always)]
fn fifth_bits(bytes: &[u8], quants: &mut [i8; 32]) {
    let bits = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    for (i, quant) in quants.iter_mut().enumerate() {
        *quant |= if (bits >> i) & 1 == 1 { 16 } else { 0 };
    }
}

/// Blocks of 256: f16 scale and minimum, eight 6-bit scales and minimums packed in 12 bytes, in
/// Q5_K 32 bytes of fifth bits, then four runs of 32 bytes holding 64 elements each.
#[inline(always)]
fn q4k_or_q5k<const BYTES: usize>(bytes: &[u8], row: &mut Row) {
    let scales = row.scales.as_chunks_mut::<8>().0.iter_mut();
    let parts = scales.zip(row.minimums.as_chunks_mut::<8>().0);
    let outputs = row.quants.as_chunks_mut::<256>().0.iter_mut().zip(parts);
    for (block, (quants, (scales, minimums))) in bytes.as_chunks::<BYTES>().0.iter().zip(outputs) {
        let (scale, minimum) = (f16_at(block, 0), f16_at(block, 2));
        let packed = &block[4..16];
        for i in 0..4 {
            let (low, middle, high) = (packed[i], packed[i + 4], packed[i + 8]);
            scales[i] = scale * f32::from(low & 63);
            minimums[i] = -minimum * f32::from(middle & 63);
            scales[i + 4] = scale * f32::from((high & 15) | ((low >> 6) << 4));
            minimums[i + 4] = -minimum * f32::from((high >> 4) | ((middle >> 6) << 4));
        }
        let low = &block[BYTES - 128..];
        for (run, quants) in quants.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            let (first, second) = quants.split_at_mut(32);
            for (i, &byte) in low[32 * run..32 * run + 32].iter().enumerate() {
                first[i] = (byte & 15).cast_signed();
                second[i] = (byte >> 4).cast_signed();
            }
            if BYTES == 176 {
                for (i, &bits) in block[16..48].iter().enumerate() {
                    first[i] |= (((bits >> (2 * run)) & 1) << 4).cast_signed();
                    second[i] |= (((bits >> (2 * run + 1)) & 1) << 4).cast_signed();
                }
            }
        }
    }
}

/// Blocks of 256: 128 bytes of low halves, 64 bytes of high bit pairs, 16 signed scales, an f16.
#[inline(always)]
fn q6k(bytes: &[u8], row: &mut Row) {
    let scales = row.scales.as_chunks_mut::<16>().0.iter_mut();
    let outputs = row.quants.as_chunks_mut::<256>().0.iter_mut().zip(scales);
    for (block, (quants, scales)) in bytes.as_chunks::<210>().0.iter().zip(outputs) {
        let scale = f16_at(block, 208);
        for (out, &byte) in scales.iter_mut().zip(&block[192..208]) {
            *out = scale * f32::from(byte.cast_signed());
        }
        for (half, quants) in quants.as_chunks_mut::<128>().0.iter_mut().enumerate() {
            let low = &block[64 * half..64 * half + 64];
            let high = &block[128 + 32 * half..160 + 32 * half];
            for i in 0..32 {
                let (a, b, bits) = (low[i], low[i + 32], high[i]);
                quants[i] = ((a & 15) | ((bits & 3) << 4)).cast_signed() - 32;
                quants[i + 32] = ((b & 15) | (((bits >> 2) & 3) << 4)).cast_signed() - 32;
                quants[i + 64] = ((a >> 4) | (((bits >> 4) & 3) << 4)).cast_signed() - 32;
                quants[i + 96] = ((b >> 4) | ((bits >> 6) << 4)).cast_signed() - 32;
            }
        }
    }
}
