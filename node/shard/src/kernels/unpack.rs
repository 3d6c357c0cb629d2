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
}

impl Row {
    pub(super) fn new(inputs: usize) -> Self {
        Self {
            quants: vec![0; inputs],
            scales: vec![0.0; inputs / 16],
            minimums: vec![0.0; inputs / 32],
        }
    }
}

/// One element of a float kind, from its bytes.
pub(super) fn float(kind: GgmlType, bytes: &[u8]) -> f32 {
    let bits = |at: usize| bytes.get(at).copied().unwrap_or(0);
    match kind {
        GgmlType::F16 => f16(u16::from_le_bytes([bits(0), bits(1)])),
        GgmlType::Bf16 => bf16(u16::from_le_bytes([bits(0), bits(1)])),
        _ => f32::from_le_bytes([bits(0), bits(1), bits(2), bits(3)]),
    }
}

/// Unpacks blocks of 32 elements that start with an f16 scale; `$fill` returns quants and minimum.
macro_rules! blocks_of_32 {
    ($bytes:ident, $row:ident, $size:literal, $fill:ident) => {{
        let quants = $row.quants.as_chunks_mut::<32>().0.iter_mut();
        let outputs = quants.zip($row.scales.iter_mut().zip(&mut $row.minimums));
        let blocks = $bytes.as_chunks::<$size>().0.iter();
        for (block, (quants, (scale, minimum))) in blocks.zip(outputs) {
            *scale = f16_at(block, 0);
            (*quants, *minimum) = $fill(block);
        }
    }};
}

/// Unpacks `bytes`, one whole row of the quantised `kind`, into `row`.
#[inline(always)]
pub(super) fn unpack(kind: GgmlType, bytes: &[u8], row: &mut Row) {
    match kind {
        GgmlType::Q4_0 => blocks_of_32!(bytes, row, 18, q4_0),
        GgmlType::Q4_1 => blocks_of_32!(bytes, row, 20, q4_1),
        GgmlType::Q5_0 => blocks_of_32!(bytes, row, 22, q5_0),
        GgmlType::Q5_1 => blocks_of_32!(bytes, row, 24, q5_1),
        GgmlType::Q8_0 => blocks_of_32!(bytes, row, 34, q8_0),
        GgmlType::Q4K => q4k_or_q5k::<144>(bytes, row),
        GgmlType::Q5K => q4k_or_q5k::<176>(bytes, row),
        GgmlType::Q6K => q6k(bytes, row),
        // Floats are copied as they are; the others `Weights::supports` keeps from this module.
        GgmlType::F32 | GgmlType::F16 | GgmlType::Bf16 | GgmlType::Q2K | GgmlType::Q3K => {}
    }
}

#[inline(always)]
fn q4_0(block: &[u8; 18]) -> ([i8; 32], f32) {
    (shifted(nibbles(part(block, 2)), 8), 0.0)
}

#[inline(always)]
fn q4_1(block: &[u8; 20]) -> ([i8; 32], f32) {
    (nibbles(part(block, 4)), f16_at(block, 2))
}

#[inline(always)]
fn q5_0(block: &[u8; 22]) -> ([i8; 32], f32) {
    (shifted(fifth_bits(part(block, 2), nibbles(part(block, 6))), 16), 0.0)
}

#[inline(always)]
fn q5_1(block: &[u8; 24]) -> ([i8; 32], f32) {
    (fifth_bits(part(block, 4), nibbles(part(block, 8))), f16_at(block, 2))
}

#[inline(always)]
fn q8_0(block: &[u8; 34]) -> ([i8; 32], f32) {
    let bytes: [u8; 32] = part(block, 2);
    let mut quants = [0; 32];
    for i in 0..32 {
        quants[i] = bytes[i].cast_signed();
    }
    (quants, 0.0)
}

/// `N` bytes of a block from `from` on.
#[inline(always)]
fn part<const N: usize>(block: &[u8], from: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&block[from..from + N]);
    bytes
}

#[inline(always)]
fn shifted(mut quants: [i8; 32], by: i8) -> [i8; 32] {
    for quant in &mut quants {
        *quant -= by;
    }
    quants
}

/// Low halves are elements 0 to 15, high halves 16 to 31.
#[inline(always)]
fn nibbles(bytes: [u8; 16]) -> [i8; 32] {
    let mut quants = [0; 32];
    for i in 0..16 {
        quants[i] = (bytes[i] & 15).cast_signed();
        quants[i + 16] = (bytes[i] >> 4).cast_signed();
    }
    quants
}

/// Bit `i` of `bits` is the fifth bit of element `i`.
#[inline(always)]
fn fifth_bits(bits: [u8; 4], mut quants: [i8; 32]) -> [i8; 32] {
    let bits = u32::from_le_bytes(bits);
    for (i, quant) in quants.iter_mut().enumerate() {
        *quant |= if bits & (1 << i) == 0 { 0 } else { 16 };
    }
    quants
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
            let low: [u8; 32] = part(low, 32 * run);
            let mut out = [0_i8; 64];
            for i in 0..32 {
                out[i] = (low[i] & 15).cast_signed();
                out[i + 32] = (low[i] >> 4).cast_signed();
            }
            if BYTES == 176 {
                let bits: [u8; 32] = part(block, 16);
                for i in 0..32 {
                    out[i] |= (((bits[i] >> (2 * run)) & 1) << 4).cast_signed();
                    out[i + 32] |= (((bits[i] >> (2 * run + 1)) & 1) << 4).cast_signed();
                }
            }
            *quants = out;
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
            let (low, high): ([u8; 64], [u8; 32]) =
                (part(block, 64 * half), part(block, 128 + 32 * half));
            let mut out = [0_i8; 128];
            for i in 0..32 {
                let (a, b, bits) = (low[i], low[i + 32], high[i]);
                out[i] = ((a & 15) | ((bits & 3) << 4)).cast_signed() - 32;
                out[i + 32] = ((b & 15) | (((bits >> 2) & 3) << 4)).cast_signed() - 32;
                out[i + 64] = ((a >> 4) | (((bits >> 4) & 3) << 4)).cast_signed() - 32;
                out[i + 96] = ((b >> 4) | ((bits >> 6) << 4)).cast_signed() - 32;
            }
            *quants = out;
        }
    }
}
