//! What every block of a run on a device shares: rotations, masks, caches.

use std::collections::{BTreeMap, btree_map::Entry};

use candle_core::{Device, Result, Tensor};
use candle_nn::rotary_emb::{rope, rope_i};

use super::DeviceCache;
use crate::{
    attention::{Row, seen},
    config::RopePairs,
    rope::Rope,
};

/// One run over new positions of one or more sessions.
pub(super) struct DevicePass<'a> {
    /// With room for the new positions.
    pub(super) caches: &'a [&'a mut DeviceCache],
    pub(super) spans: Vec<Span>,
    /// Per rope.
    pub(super) rotations: Vec<Rotation>,
    /// Per window, what each span sees.
    pub(super) views: BTreeMap<Option<u32>, Vec<View>>,
}

/// The new positions of one session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Index of the session among the caches.
    pub(super) session: usize,
    /// Its first row.
    pub(super) row: usize,
    pub(super) rows: usize,
    /// Absolute position of that row.
    pub(super) start: u32,
}

/// What the rows of a span attend to.
pub(super) struct View {
    /// First position any of them sees.
    pub(super) low: u32,
    /// `[rows, positions from low]`: zero where a row sees a position, else minus infinity; none if
    /// it sees all of them.
    pub(super) mask: Option<Tensor>,
}

/// Rotations of a run's rows.
pub(super) struct Rotation {
    pairs: RopePairs,
    /// Elements of a head that are rotated.
    dims: usize,
    /// `[rows, dims / 2]` f32.
    cosines: Tensor,
    /// `[rows, dims / 2]` f32.
    sines: Tensor,
}

impl<'a> DevicePass<'a> {
    /// A run over `spans`, with what blocks with `windows` need.
    pub(super) fn new(
        device: &Device,
        caches: &'a [&'a mut DeviceCache],
        spans: Vec<Span>,
        ropes: &[Rope],
        windows: impl Iterator<Item = Option<u32>>,
    ) -> Result<Self> {
        let rotations = ropes.iter().map(|rope| Rotation::new(rope, &spans, device));
        let rotations = rotations.collect::<Result<_>>()?;
        let mut views = BTreeMap::new();
        for window in windows {
            if let Entry::Vacant(entry) = views.entry(window) {
                let made = spans.iter().map(|span| View::new(window, span, device));
                entry.insert(made.collect::<Result<_>>()?);
            }
        }
        Ok(Self { caches, spans, rotations, views })
    }
}

/// Runs of rows of the same session.
pub(super) fn spans(rows: &[Row]) -> Vec<Span> {
    let mut row = 0;
    let span = |rows: &[Row]| {
        let (Row { session, position }, first) = (rows[0], row);
        row += rows.len();
        Span { session, row: first, rows: rows.len(), start: position }
    };
    rows.chunk_by(|a, b| a.session == b.session).map(span).collect()
}

impl Span {
    /// One past its last position.
    pub(super) const fn end(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "admitted below `positions_max`")]
        let rows = self.rows as u32;
        self.start + rows
    }
}

impl View {
    fn new(window: Option<u32>, span: &Span, device: &Device) -> Result<Self> {
        let (low, end) = (seen(window, span.start).start, span.end());
        if span.rows == 1 {
            return Ok(Self { low, mask: None });
        }
        let row = |position: u32| {
            let seen = seen(window, position);
            (low..end).map(move |it| if seen.contains(&it) { 0.0 } else { f32::NEG_INFINITY })
        };
        let mask: Vec<f32> = (span.start..end).flat_map(row).collect();
        let shape = (span.rows, mask.len() / span.rows);
        Ok(Self { low, mask: Some(Tensor::from_vec(mask, shape, device)?) })
    }
}

impl Rotation {
    fn new(rope: &Rope, spans: &[Span], device: &Device) -> Result<Self> {
        let positions = spans.iter().flat_map(|span| span.start..span.end());
        let angles: Vec<_> = positions.map(|position| rope.angles(position)).collect();
        let rows = angles.len();
        let (cosines, sines): (Vec<f32>, Vec<f32>) = angles.into_iter().flatten().unzip();
        let shape = (rows, cosines.len() / rows);
        let cosines = Tensor::from_vec(cosines, shape, device)?;
        let sines = Tensor::from_vec(sines, shape, device)?;
        Ok(Self { pairs: rope.pairs(), dims: 2 * shape.1, cosines, sines })
    }

    /// Rotates every head of `x`: `[heads, rows, head_size]` f32, contiguous; returns the same shape.
    pub(super) fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, head_size) = x.dims3()?;
        let x = x.unsqueeze(0)?;
        let turned = x.narrow(3, 0, self.dims)?.contiguous()?;
        let turned = match self.pairs {
            RopePairs::Adjacent => rope_i(&turned, &self.cosines, &self.sines)?,
            RopePairs::Halves => rope(&turned, &self.cosines, &self.sines)?,
        };
        let x = if self.dims == head_size {
            turned
        } else {
            Tensor::cat(&[&turned, &x.narrow(3, self.dims, head_size - self.dims)?], 3)?
        };
        x.squeeze(0)
    }
}
