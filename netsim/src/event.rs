//! What happens next, in order of virtual time. Not what it means.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use crate::clock::Instant;

/// Events by time; of equal times, the one scheduled first comes first.
#[derive(Debug)]
pub struct Queue<E> {
    order: BinaryHeap<Reverse<(Instant, u64)>>,
    events: BTreeMap<u64, E>,
    next: u64,
}

/// Names one scheduled event, to cancel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), events: BTreeMap::new(), next: 0 }
    }
}

impl<E> Queue<E> {
    /// Schedules `event` at `at`.
    pub fn push(&mut self, at: Instant, event: E) -> Ticket {
        let generation = self.next;
        self.next += 1;
        self.order.push(Reverse((at, generation)));
        self.events.insert(generation, event);
        Ticket(generation)
    }

    /// Takes an event back; nothing if it has happened.
    pub fn cancel(&mut self, ticket: Ticket) {
        self.events.remove(&ticket.0);
    }

    /// When the next event is.
    pub fn next_at(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, generation))) = self.order.peek() {
            if self.events.contains_key(generation) {
                return Some(*at);
            }
            self.order.pop();
        }
        None
    }

    /// The next event and its time.
    pub fn pop(&mut self) -> Option<(Instant, E)> {
        while let Some(Reverse((at, generation))) = self.order.pop() {
            if let Some(event) = self.events.remove(&generation) {
                return Some((at, event));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
