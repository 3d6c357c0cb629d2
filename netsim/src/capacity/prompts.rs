//! Prompts that wait at a node, and whose turn it is. Not what runs beside them.

use std::collections::VecDeque;

use comity_protocol::limits::SHARE_MAX;

use super::session::Step;

/// Pieces of prompts that wait, by institution.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    /// In the order in which institutions first came; they stay.
    lines: Vec<Line>,
    count: usize,
}

/// What one institution has at a node.
#[derive(Debug)]
struct Line {
    institution: u32,
    /// Positions it had of its prompts, over its share.
    had: u64,
    /// What has begun, then the rest as it came.
    waits: VecDeque<Step>,
}

impl Prompts {
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds what came last.
    pub(super) fn push(&mut self, step: Step) {
        self.line(step.institution).waits.push_back(step);
        self.count += 1;
    }

    /// Puts back what has begun.
    pub(super) fn put_back(&mut self, step: Step) {
        self.line(step.institution).waits.push_front(step);
        self.count += 1;
    }

    /// Takes up to `most` positions of a prompt of the institution that had least for its `share`; of
    /// its prompts one that has begun, then the first.
    pub(super) fn take(&mut self, most: u32, share: impl Fn(u32) -> u32) -> Option<Step> {
        let waiting = self.lines.iter_mut().filter(|line| !line.waits.is_empty());
        let has_begun = |line: &Line| line.waits[0].left != line.waits[0].positions;
        // Whether they have begun lies elsewhere, and seldom decides.
        let begun_first = |one: &Line, other: &Line| has_begun(other).cmp(&has_begun(one));
        let line = waiting
            .min_by(|one, other| one.had.cmp(&other.had).then_with(|| begun_first(one, other)))?;
        let mut step = line.waits.pop_front()?;
        step.piece = step.left.min(most);
        line.had +=
            u64::from(step.piece) * u64::from(SHARE_MAX) / u64::from(share(line.institution));
        self.count -= 1;
        Some(step)
    }

    /// Drops what is not `wanted`.
    pub(super) fn retain(&mut self, wanted: impl Fn(&Step) -> bool) {
        for line in &mut self.lines {
            line.waits.retain(&wanted);
        }
        self.count = self.lines.iter().map(|line| line.waits.len()).sum();
    }

    fn line(&mut self, institution: u32) -> &mut Line {
        let known = self.lines.iter().position(|line| line.institution == institution);
        let place = known.unwrap_or_else(|| {
            self.lines.push(Line { institution, had: 0, waits: VecDeque::new() });
            self.lines.len() - 1
        });
        &mut self.lines[place]
    }
}

#[cfg(test)]
mod tests;
