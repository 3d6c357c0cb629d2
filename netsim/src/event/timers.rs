//! One timer for each of many, and which of them is next: a tournament, which costs less than a heap
//! where every timer is set again and again. Not what is to happen then.

use crate::clock::Instant;

/// When a timer rings, which was set first of those that ring at once, and its place, from the highest
/// bits down: the least of two keys also says whose it is, and two knots lie beside each other.
type Key = u128;

/// Bits of a timer's place, and of the number that it was set under.
const PLACE_BITS: u32 = 24;
const NUMBER_BITS: u32 = 40;

/// A timer that is not set.
const NEVER: Key = Key::MAX;

/// Timers by their place.
#[derive(Debug)]
pub struct Timers {
    /// The first half are knots, the root at 1, each with the least of the two below it; then come the
    /// timers themselves.
    keys: Vec<Key>,
    /// One that was taken back; those above it do not know yet, for it may soon be set again.
    stale: Option<usize>,
}

impl Timers {
    /// So many timers, none of them set.
    ///
    /// # Panics
    /// If there are more than 2²⁴.
    #[must_use]
    pub fn new(count: usize) -> Self {
        assert!(count <= 1 << PLACE_BITS, "{count} timers, more than 2^{PLACE_BITS}");
        Self { keys: vec![NEVER; 2 * count.next_power_of_two()], stale: None }
    }

    /// Sets a timer, in place of when it would have rung; `number`, below 2⁴⁰, orders those of one time.
    pub fn set(&mut self, place: usize, at: Instant, number: u64) {
        debug_assert!(number < 1 << NUMBER_BITS, "{number} is past 2^{NUMBER_BITS}");
        if self.stale == Some(place) {
            self.stale = None;
        }
        let order = number << PLACE_BITS | place as u64;
        self.renew(place, Key::from(at.0) << u64::BITS | Key::from(order));
    }

    /// Takes a timer back.
    pub fn clear(&mut self, place: usize) {
        self.settle();
        let leaf = self.leaf(place);
        self.keys[leaf] = NEVER;
        self.stale = Some(place);
    }

    /// When a timer rings, if it is set.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<Instant> {
        let key = self.keys[self.leaf(place)];
        (key != NEVER).then_some(time(key))
    }

    /// Which timer rings next, when, and its number.
    #[must_use]
    pub fn peek(&mut self) -> Option<(usize, Instant, u64)> {
        self.settle();
        let key = self.keys[1];
        let order = order(key);
        let place = usize::try_from(order % (1 << PLACE_BITS)).ok()?;
        (key != NEVER).then_some((place, time(key), order >> PLACE_BITS))
    }

    fn settle(&mut self) {
        if let Some(place) = self.stale.take() {
            self.renew(place, NEVER);
        }
    }

    const fn leaf(&self, place: usize) -> usize {
        self.keys.len() / 2 + place
    }

    /// Gives a timer a key, and says above it who is next.
    fn renew(&mut self, place: usize, key: Key) {
        let (mut knot, mut least) = (self.leaf(place), key);
        self.keys[knot] = key;
        while knot > 1 {
            least = least.min(self.keys[knot ^ 1]);
            knot /= 2;
            // Another one was next here and stays it: so it does further up.
            if self.keys[knot] == least {
                return;
            }
            self.keys[knot] = least;
        }
    }
}

const fn time(key: Key) -> Instant {
    Instant((key >> u64::BITS) as u64)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
const fn order(key: Key) -> u64 {
    key as u64
}

#[cfg(test)]
mod tests;
