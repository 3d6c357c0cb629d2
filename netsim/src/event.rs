//! What happens next, in order of virtual time. Not what it means.

mod timers;

use std::{
    cmp::Ordering,
    collections::{BTreeSet, BinaryHeap},
};

pub use self::timers::Timers;
use crate::clock::Instant;

/// Events by time; of equal times, the one scheduled first comes first.
#[derive(Debug)]
pub struct Queue<E> {
    order: BinaryHeap<Scheduled<E>>,
    /// Numbers of events that were taken back and whose time has not come.
    cancelled: BTreeSet<u64>,
    /// Events ever scheduled.
    scheduled: u64,
}

/// An event in its place. A cancelled one stays until its time comes.
#[derive(Debug)]
struct Scheduled<E> {
    at: Instant,
    number: u64,
    event: E,
}

/// Names one scheduled event, to cancel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    at: Instant,
    number: u64,
}

impl<E> Ord for Scheduled<E> {
    /// What comes first is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<E> PartialOrd for Scheduled<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Scheduled<E> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<E> Eq for Scheduled<E> {}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), cancelled: BTreeSet::new(), scheduled: 0 }
    }
}

impl<E> Queue<E> {
    /// Schedules `event` at `at`.
    pub fn push(&mut self, at: Instant, event: E) -> Ticket {
        let number = self.number();
        self.order.push(Scheduled { at, number, event });
        Ticket { at, number }
    }

    /// A number that orders something else among events of the same time.
    pub const fn number(&mut self) -> u64 {
        self.scheduled += 1;
        self.scheduled - 1
    }

    /// Takes an event back that has not happened yet.
    pub fn cancel(&mut self, ticket: Ticket) {
        let next = self.order.peek().map(|next| (next.at, next.number));
        // What comes before all that wait has happened.
        if next.is_some_and(|next| next <= (ticket.at, ticket.number)) {
            self.cancelled.insert(ticket.number);
        }
    }

    /// When the next event is, and its number.
    pub fn peek(&mut self) -> Option<(Instant, u64)> {
        while let Some(next) = self.order.peek() {
            if self.cancelled.is_empty() || !self.cancelled.remove(&next.number) {
                return Some((next.at, next.number));
            }
            self.order.pop();
        }
        None
    }

    /// The next event and its time.
    pub fn pop(&mut self) -> Option<(Instant, E)> {
        self.peek()?;
        self.order.pop().map(|next| (next.at, next.event))
    }
}

#[cfg(test)]
mod tests;
