//! What a ring is made of: groups of sessions, and the nodes they come to. Not how they go round.

use crate::{
    capacity::session::Step,
    clock::Instant,
    device::{Device, Pass},
    fabric,
};

/// Most groups of sessions of one ring.
pub(super) const GROUPS_MAX: usize = 16;

/// Sessions that travel together.
#[derive(Debug)]
pub(super) struct Group {
    /// As it was when the leap began.
    pub step: Step,
    pub count: u32,
    pub context: u64,
    /// The place of its home.
    pub home: usize,
    /// Tokens that may come before the last one of any of its sessions.
    pub left: u32,
    /// Tokens that came for each.
    pub rounds: u32,
}

/// Groups that are somewhere together, in order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Party {
    of: [u8; GROUPS_MAX],
    len: u8,
    /// Sessions of all of them.
    pub count: u32,
}

/// A node of a ring: a stage, a home, or both.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub node: usize,
    pub institution: usize,
    /// Blocks of the stage it is; none of a mere home.
    pub blocks: u32,
    /// None of a home without blocks.
    pub device: Option<&'a Device>,
    /// Bytes of a position in a pass.
    pub hidden_bytes: u64,
    /// How many times as long it takes.
    pub slow: f64,
    /// Whether it runs something: what, since when, until when, and whether it is home's own part.
    pub busy: bool,
    pub running: Party,
    pub since: Instant,
    pub ends: Instant,
    pub at_home: bool,
    /// Groups that wait for a pass, and for home's own part.
    pub decode: Party,
    pub rows: Party,
    /// What is on its way to it, in order of arrival, and whether it comes to its home.
    pub inbox: Vec<(Instant, Party, bool)>,
    /// The way to the next stage, none from the last one; and those of a home to the first stage and
    /// from the last one, none if it is that.
    pub to_next: Option<usize>,
    pub to_first: Option<usize>,
    pub from_last: Option<usize>,
}

impl Party {
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + use<'_> {
        self.of[..usize::from(self.len)].iter().map(|group| usize::from(*group))
    }

    pub(super) fn first(&self) -> Option<usize> {
        (self.len > 0).then_some(usize::from(self.of[0]))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a group of so many sessions, one of fewer than [`GROUPS_MAX`].
    pub(super) fn push(&mut self, group: usize, count: u32) {
        self.of[usize::from(self.len)] = u8::try_from(group).unwrap_or(u8::MAX);
        self.len += 1;
        self.count += count;
    }

    pub(super) fn append(&mut self, other: &Self) {
        if self.is_empty() {
            *self = *other;
            return;
        }
        other.iter().for_each(|group| self.push(group, 0));
        self.count += other.count;
    }
}

impl Place<'_> {
    /// When something happens here next.
    pub(super) fn next(&self) -> Instant {
        match self.inbox.first() {
            _ if self.busy => self.ends,
            Some((at, ..)) => *at,
            None => Instant(u64::MAX),
        }
    }

    fn slowed(&self, ns: u64) -> u64 {
        fabric::whole(ns as f64 * self.slow)
    }

    /// Nanoseconds of home's own part for so many rows.
    pub(super) fn head_ns(&self, rows: u32) -> u64 {
        self.slowed(self.device.map_or(0, |device| device.home_ns(rows)))
    }

    /// Nanoseconds of a pass.
    pub(super) fn pass_ns(&self, count: u32, context: u64) -> u64 {
        let bytes = u64::from(count) * self.hidden_bytes;
        let pass = Pass { blocks: self.blocks, prompt: 0, decode: count, context, bytes };
        self.slowed(self.device.map_or(0, |device| device.pass_ns(&pass)))
    }
}
