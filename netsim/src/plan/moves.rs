//! Small changes of a placement, and how to take them back. Not whether they help.

use comity_protocol::{
    block::BlockRange,
    placement::{Fleet, Placement},
};

use crate::random::Random;

/// Changes one placement after the other and remembers how each was.
#[derive(Debug)]
pub(super) struct Moves<'a> {
    fleet: &'a Fleet,
    /// Nodes that may move, and all that take part.
    pub(super) nodes: Vec<usize>,
    all: Vec<usize>,
    undo: Vec<(usize, Option<BlockRange>)>,
}

impl<'a> Moves<'a> {
    pub(super) const fn new(fleet: &'a Fleet, nodes: Vec<usize>, all: Vec<usize>) -> Self {
        Self { fleet, nodes, all, undo: Vec::new() }
    }

    /// Makes one change. Ranges stay within the model and within what fits a node.
    pub(super) fn change(&mut self, placement: &mut Placement, random: &mut Random) {
        self.undo.clear();
        match random.below(20) {
            0..6 => self.shift_boundary(placement, random),
            6..10 => self.place(placement, random),
            10..12 => self.join(placement, random),
            12..16 => self.swap(placement, random),
            16..18 => self.exchange(placement, random),
            _ => self.resize(placement, random),
        }
    }

    /// Whether the last change changed anything.
    pub(super) const fn has_changed(&self) -> bool {
        !self.undo.is_empty()
    }

    /// Takes the last change back.
    pub(super) fn undo(&mut self, placement: &mut Placement) {
        while let Some((node, range)) = self.undo.pop() {
            placement.set(node, range);
        }
    }

    /// Where a range may sensibly begin: at the first block, or where another ends or begins.
    pub(super) fn boundary(&self, placement: &Placement, random: &mut Random) -> u32 {
        let other = self.other(random);
        let Some(range) = placement.range(other).filter(|_| random.below(16) > 0) else {
            return 0;
        };
        let at = if random.below(4) > 0 { range.end() } else { range.start() };
        if at < self.fleet.block_count() { at } else { range.start() }
    }

    fn any(&self, random: &mut Random) -> usize {
        self.nodes[pick(random, self.nodes.len())]
    }

    /// One to look at, which may be one that stays.
    fn other(&self, random: &mut Random) -> usize {
        self.all[pick(random, self.all.len())]
    }

    /// Sets `[start, end)` if it is a range of the model that fits the node.
    fn set(&mut self, placement: &mut Placement, node: usize, start: i64, end: i64) -> bool {
        let fits = end - start <= i64::from(self.fleet.blocks_max(node));
        if start < 0 || end > i64::from(self.fleet.block_count()) || !fits {
            return false;
        }
        let bounds = u32::try_from(start).ok().zip(u32::try_from(end).ok());
        let Some(range) = bounds.and_then(|(start, end)| BlockRange::new(start, end).ok()) else {
            return false;
        };
        let before = placement.range(node);
        if before != Some(range) {
            self.undo.push((node, before));
            placement.set(node, Some(range));
        }
        true
    }

    /// Moves the line between two stages, with all that begins or ends there.
    fn shift_boundary(&mut self, placement: &mut Placement, random: &mut Random) {
        let Some(range) = placement.range(self.any(random)) else {
            return;
        };
        let line = if random.below(2) == 0 { range.start() } else { range.end() };
        if line == 0 || line == self.fleet.block_count() {
            return;
        }
        let step = [-2, -1, -1, 1, 1, 2][pick(random, 6)];
        for at in 0..self.nodes.len() {
            let node = self.nodes[at];
            if let Some((start, end)) = placement.range(node).map(bounds) {
                if start == i64::from(line) {
                    self.set(placement, node, start + step, end);
                } else if end == i64::from(line) {
                    self.set(placement, node, start, end + step);
                }
            }
        }
    }

    /// Puts a node elsewhere.
    fn place(&mut self, placement: &mut Placement, random: &mut Random) {
        let node = self.any(random);
        let len = 1 + random.below(u64::from(self.fleet.blocks_max(node)));
        let line = i64::from(self.boundary(placement, random));
        let len = i64::try_from(len).unwrap_or(1);
        // It begins or ends at the line.
        if random.below(4) > 0 {
            let end = (line + len).min(i64::from(self.fleet.block_count()));
            self.set(placement, node, line, end);
        } else {
            self.set(placement, node, line - len, line);
        }
    }

    /// Puts a node beside another, on as many of its blocks as fit.
    fn join(&mut self, placement: &mut Placement, random: &mut Random) {
        let (node, other) = (self.any(random), self.other(random));
        if let Some(range) = placement.range(other) {
            self.take(placement, node, range, random);
        }
    }

    /// Has `node` host as much of `range` as fits.
    fn take(
        &mut self,
        placement: &mut Placement,
        node: usize,
        range: BlockRange,
        random: &mut Random,
    ) {
        let (start, end) = bounds(range);
        let fits = (end - start).min(i64::from(self.fleet.blocks_max(node)));
        if random.below(2) == 0 {
            self.set(placement, node, start, start + fits);
        } else {
            self.set(placement, node, end - fits, end);
        }
    }

    /// Has two nodes change places.
    fn swap(&mut self, placement: &mut Placement, random: &mut Random) {
        let (a, b) = (self.any(random), self.any(random));
        if let Some((range_a, range_b)) = placement.range(a).zip(placement.range(b)) {
            self.take(placement, a, range_b, random);
            self.take(placement, b, range_a, random);
        }
    }

    /// Has two neighbouring stretches of blocks change places, with all nodes within them.
    fn exchange(&mut self, placement: &mut Placement, random: &mut Random) {
        let Some((low, line)) = placement.range(self.any(random)).map(bounds) else {
            return;
        };
        let next = (0..4).find_map(|_| {
            let range = placement.range(self.any(random)).map(bounds)?;
            (range.0 == line).then_some(range)
        });
        let Some((_, high)) = next else {
            return;
        };
        for at in 0..self.nodes.len() {
            let node = self.nodes[at];
            if let Some((start, end)) = placement.range(node).map(bounds) {
                if low <= start && end <= line {
                    self.set(placement, node, start + high - line, end + high - line);
                } else if line <= start && end <= high {
                    self.set(placement, node, start + low - line, end + low - line);
                }
            }
        }
    }

    /// Lets a node host a block more or less at one of its ends.
    fn resize(&mut self, placement: &mut Placement, random: &mut Random) {
        let node = self.any(random);
        if let Some((start, end)) = placement.range(node).map(bounds) {
            let step = if random.below(2) == 0 { 1 } else { -1 };
            if random.below(2) == 0 {
                self.set(placement, node, start + step, end);
            } else {
                self.set(placement, node, start, end + step);
            }
        }
    }
}

fn bounds(range: BlockRange) -> (i64, i64) {
    (i64::from(range.start()), i64::from(range.end()))
}

/// A number below `count`.
pub(super) fn pick(random: &mut Random, count: usize) -> usize {
    let count = u64::try_from(count).unwrap_or(1);
    usize::try_from(random.below(count)).unwrap_or(0)
}
