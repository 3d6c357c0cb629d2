//! One timer for each of many, and which of them is next: a tournament, which costs less than a heap
//! where every timer is set again and again. Not what is to happen then.

use crate::clock::Instant;

/// When a timer rings, and which was set first of those that ring at once.
type Key = (Instant, u64);

/// A timer that is not set.
const NEVER: Key = (Instant(u64::MAX), u64::MAX);

/// Timers by their place.
#[derive(Debug)]
pub struct Timers {
    keys: Vec<Key>,
    /// Who is next of those below each knot; the first half are knots, the root at 1, then come the
    /// timers themselves.
    next: Vec<u32>,
    /// One that was taken back; those above it do not know yet, for it may soon be set again.
    stale: Option<usize>,
}

impl Timers {
    /// So many timers, none of them set.
    ///
    /// # Panics
    /// If there are 2³² or more.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let size = count.next_power_of_two();
        let place = |knot: usize| u32::try_from(knot % size).expect("fewer than 2^32 timers");
        let mut timers =
            Self { keys: vec![NEVER; size], next: (0..2 * size).map(place).collect(), stale: None };
        (1..size).rev().for_each(|knot| timers.next[knot] = timers.next[2 * knot]);
        timers
    }

    /// Sets a timer, in place of when it would have rung; `number` orders those of one time.
    pub fn set(&mut self, place: usize, at: Instant, number: u64) {
        if self.stale == Some(place) {
            self.stale = None;
        }
        self.keys[place] = (at, number);
        self.renew(place);
    }

    /// Takes a timer back.
    pub fn clear(&mut self, place: usize) {
        self.settle();
        self.keys[place] = NEVER;
        self.stale = Some(place);
    }

    /// When a timer rings, if it is set.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<Instant> {
        let key = self.keys[place];
        (key != NEVER).then_some(key.0)
    }

    /// Which timer rings next, when, and its number.
    #[must_use]
    pub fn peek(&mut self) -> Option<(usize, Instant, u64)> {
        self.settle();
        let place = self.next.get(1).copied().unwrap_or(0) as usize;
        let key = self.keys[place];
        (key != NEVER).then_some((place, key.0, key.1))
    }

    fn settle(&mut self) {
        if let Some(place) = self.stale.take() {
            self.renew(place);
        }
    }

    /// Says above a timer whose key changed who is next.
    fn renew(&mut self, place: usize) {
        let mut knot = (place + self.keys.len()) / 2;
        while knot > 0 {
            let [one, other] = [self.next[2 * knot], self.next[2 * knot + 1]];
            let first = self.keys[one as usize] <= self.keys[other as usize];
            let next = if first { one } else { other };
            // Another one was next here and stays it: so it does further up.
            if self.next[knot] == next && next as usize != place {
                return;
            }
            self.next[knot] = next;
            knot /= 2;
        }
    }
}

#[cfg(test)]
mod tests;
