//! A weight matrix in memory, packed for the kernels. Not the products.

use super::{
    format::{Format, TILE, pack, unpack},
    half::to_f16,
    lines::Lines,
    unpack::{self as file, Row},
};
use crate::gguf::GgmlType;

/// A weight matrix `[outputs, inputs]`.
#[derive(Debug)]
pub(crate) struct Weights {
    pub(super) kind: GgmlType,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// `[tiles, blocks, format.quant_lines(), 64]`, or `[tiles, inputs, 16]` floats.
    pub(super) quants: Lines,
    /// `[tiles, blocks, scales then minimum, 16]`.
    pub(super) scales: Lines,
}

impl Weights {
    /// Where they are.
    pub(crate) fn lines_mut(&mut self) -> [&mut Lines; 2] {
        [&mut self.quants, &mut self.scales]
    }

    /// Whether there is a kernel for `kind`.
    pub(crate) const fn supports(kind: GgmlType) -> bool {
        !matches!(kind, GgmlType::Q2K | GgmlType::Q3K)
    }

    /// Packs a matrix of `kind` from its `bytes` in the file, whose size must be exact. The last
    /// tile is filled up with zeros.
    pub(crate) fn new(kind: GgmlType, (inputs, outputs): (usize, usize), bytes: &[u8]) -> Self {
        let tiles = outputs.div_ceil(TILE);
        let blocks = tiles * inputs.div_ceil(32);
        let (quants, scales) = match Format::of(kind) {
            Some(format) => (blocks * format.quant_lines() * 64, blocks * format.scale_bytes()),
            None => (tiles * inputs * TILE * float_bytes(kind), 0),
        };
        let (quants, scales) = (Lines::zeroed(quants), Lines::zeroed(scales));
        let mut weights = Self { kind, inputs, outputs, quants, scales };
        let mut row = Row::new(inputs);
        for (index, bytes) in bytes.chunks_exact(bytes.len() / outputs).enumerate() {
            match Format::of(kind) {
                Some(format) => {
                    file::unpack(kind, bytes, &mut row);
                    weights.put_quants(format, index, &row);
                }
                None => weights.put_floats(index, bytes),
            }
        }
        weights
    }

    /// Resident bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.quants.len() + self.scales.len()
    }

    /// Output rows.
    pub(crate) const fn outputs(&self) -> usize {
        self.outputs
    }

    pub(super) const fn tiles(&self) -> usize {
        self.outputs.div_ceil(TILE)
    }

    pub(super) const fn is_quantised(&self) -> bool {
        Format::of(self.kind).is_some()
    }

    /// Appends row `index` as f32 to `out`.
    pub(crate) fn row(&self, index: usize, out: &mut Vec<f32>) {
        match Format::of(self.kind) {
            Some(format) => self.quantised_row(format, index, out),
            None => self.float_row(index, out),
        }
    }

    fn put_quants(&mut self, format: Format, index: usize, row: &Row) {
        let (tile, lane, blocks) = (index / TILE, index % TILE, self.inputs / 32);
        let lines = self.quants.bytes_mut().as_chunks_mut::<64>().0;
        let lines = lines.chunks_exact_mut(format.quant_lines()).skip(tile * blocks);
        let scales = self.scales.bytes_mut().chunks_exact_mut(format.scale_bytes());
        let parts = lines.zip(scales.skip(tile * blocks));
        let source = row.quants.as_chunks::<32>().0.iter().enumerate();
        for ((block, quants), (lines, scales)) in source.zip(parts) {
            #[expect(clippy::cast_sign_loss, reason = "the offset makes every quant positive")]
            #[expect(clippy::cast_possible_truncation, reason = "at most 255 by the kind's bits")]
            let unsigned = quants.map(|quant| (i32::from(quant) + format.offset) as u8);
            pack(format.bits, &unsigned, lane, lines);
            let first = block * format.scales;
            let values = row.scales[first..first + format.scales].iter();
            let values = values.chain(format.minimum.then(|| &row.minimums[block]));
            for (slot, &value) in values.enumerate() {
                let at = slot * TILE + lane;
                if format.half {
                    scales[2 * at..2 * at + 2].copy_from_slice(&to_f16(value).to_le_bytes());
                } else {
                    scales[4 * at..4 * at + 4].copy_from_slice(&value.to_le_bytes());
                }
            }
        }
    }

    fn quantised_row(&self, format: Format, index: usize, out: &mut Vec<f32>) {
        let (tile, lane, blocks) = (index / TILE, index % TILE, self.inputs / 32);
        let lines = self.quants.bytes().as_chunks::<64>().0.chunks_exact(format.quant_lines());
        let scales = self.scales.bytes().chunks_exact(format.scale_bytes());
        for (lines, scales) in lines.zip(scales).skip(tile * blocks).take(blocks) {
            let value = |slot: usize| {
                let at = slot * TILE + lane;
                if format.half {
                    super::half::f16_at(scales, 2 * at)
                } else {
                    let bytes = scales[4 * at..4 * at + 4].first_chunk::<4>();
                    bytes.map_or(0.0, |bytes| f32::from_le_bytes(*bytes))
                }
            };
            let minimum = if format.minimum { value(format.scales) } else { 0.0 };
            for (i, quant) in unpack(format.bits, lines, lane).into_iter().enumerate() {
                #[expect(clippy::cast_precision_loss, reason = "at most 255")]
                let quant = (i32::from(quant) - format.offset) as f32;
                out.push(value(i * format.scales / 32) * quant + minimum);
            }
        }
    }

    fn put_floats(&mut self, index: usize, bytes: &[u8]) {
        let (tile, lane, size) = (index / TILE, index % TILE, float_bytes(self.kind));
        let base = tile * self.inputs;
        let tile = self.quants.bytes_mut();
        for (input, value) in bytes.chunks_exact(size).enumerate() {
            let at = ((base + input) * TILE + lane) * size;
            tile[at..at + size].copy_from_slice(value);
        }
    }

    fn float_row(&self, index: usize, out: &mut Vec<f32>) {
        let (tile, lane, size) = (index / TILE, index % TILE, float_bytes(self.kind));
        for input in 0..self.inputs {
            let at = ((tile * self.inputs + input) * TILE + lane) * size;
            out.push(file::float(self.kind, &self.quants.bytes()[at..at + size]));
        }
    }
}

/// Bytes of one element of a float kind.
pub(super) const fn float_bytes(kind: GgmlType) -> usize {
    if matches!(kind, GgmlType::F32) { 4 } else { 2 }
}
