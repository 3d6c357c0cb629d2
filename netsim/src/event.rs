//! What happens next, in order of virtual time. Not what it means.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::clock::Instant;

/// Events by time; of equal times, the one scheduled first comes first.
#[derive(Debug)]
pub struct Queue<E> {
    order: BinaryHeap<Reverse<Place>>,
    slots: Vec<Slot<E>>,
    free: Vec<u32>,
    /// Events ever scheduled: each has a number of its own, so that a slot that is used again never
    /// answers to an old ticket.
    scheduled: u64,
}

/// Where an event stands in the order. A cancelled one stays until its time comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: Instant,
    number: u64,
    slot: u32,
}

#[derive(Debug)]
struct Slot<E> {
    number: u64,
    event: Option<E>,
}

/// Names one scheduled event, to cancel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    number: u64,
    slot: u32,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), scheduled: 0 }
    }
}

impl<E> Queue<E> {
    /// Schedules `event` at `at`.
    ///
    /// # Panics
    /// If 2^32 events wait.
    pub fn push(&mut self, at: Instant, event: E) -> Ticket {
        let number = self.scheduled;
        self.scheduled += 1;
        let filled = Slot { number, event: Some(event) };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = filled;
            slot
        } else {
            self.slots.push(filled);
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 events wait")
        };
        self.order.push(Reverse(Place { at, number, slot }));
        Ticket { number, slot }
    }

    /// Takes an event back; nothing if it has happened.
    pub fn cancel(&mut self, ticket: Ticket) {
        self.take(ticket.slot, ticket.number);
    }

    /// When the next event is.
    pub fn next_at(&mut self) -> Option<Instant> {
        while let Some(Reverse(place)) = self.order.peek() {
            let slot = &self.slots[place.slot as usize];
            if slot.number == place.number && slot.event.is_some() {
                return Some(place.at);
            }
            self.order.pop();
        }
        None
    }

    /// The next event and its time.
    pub fn pop(&mut self) -> Option<(Instant, E)> {
        while let Some(Reverse(place)) = self.order.pop() {
            if let Some(event) = self.take(place.slot, place.number) {
                return Some((place.at, event));
            }
        }
        None
    }

    /// Events ever scheduled.
    #[must_use]
    pub const fn scheduled(&self) -> u64 {
        self.scheduled
    }

    fn take(&mut self, slot: u32, number: u64) -> Option<E> {
        let held = &mut self.slots[slot as usize];
        if held.number != number {
            return None;
        }
        let event = held.event.take()?;
        self.free.push(slot);
        Some(event)
    }
}

#[cfg(test)]
mod tests;
