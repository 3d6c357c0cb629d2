//! Machines whose processors several nodes share. Not what the nodes run.
//!
//! Threads stand on processors as a kernel puts them: each on the one with fewest, those that share
//! one in turn, and on others as soon as something ends. So where three threads share two processors,
//! one runs as if alone and two take twice as long, and not all half as long again: what travels in
//! turns gets on better.

use super::{Event, Run};
use crate::clock::Instant;

/// Whose time it is: a node's pass, or what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Pass(usize),
    Sending(usize),
}

/// One machine.
#[derive(Debug)]
pub(super) struct Machine {
    processors: u32,
    /// In order of their beginnings.
    jobs: Vec<Job>,
    /// When the jobs' rests were true.
    at: Instant,
}

/// What runs on it.
#[derive(Debug)]
struct Job {
    of: Of,
    /// Nanoseconds it would still take alone.
    rest: f64,
    threads: u32,
    /// How much of its own speed it has.
    speed: f64,
}

impl Machine {
    pub(super) fn new(processors: u32) -> Self {
        Self { processors: processors.max(1), jobs: Vec::new(), at: Instant(0) }
    }

    /// Brings the rests up to `now`.
    fn advance(&mut self, now: Instant) {
        let passed = (now.0 - self.at.0) as f64;
        self.jobs.iter_mut().for_each(|job| job.rest = (job.rest - passed * job.speed).max(0.0));
        self.at = now;
    }

    /// Deals all threads out to the processors; a job is as fast as the slowest of its threads.
    fn deal(&mut self) {
        let threads: u32 = self.jobs.iter().map(|job| job.threads).sum();
        let (each, more) = (threads / self.processors, threads % self.processors);
        let mut dealt = 0;
        for job in &mut self.jobs {
            let first = dealt % self.processors;
            dealt += job.threads;
            // The first processors have one more.
            let meets_more = first < more || first + job.threads > self.processors && more > 0;
            job.speed = 1.0 / f64::from((each + u32::from(meets_more)).max(1));
        }
    }
}

impl Run<'_> {
    /// Schedules the end of what takes `ns` if nothing else runs on its machine.
    pub(super) fn begin(&mut self, of: Of, ns: u64) {
        let (Of::Pass(node) | Of::Sending(node)) = of;
        let Some((machine, threads)) = self.world.nodes[node].machine else {
            let at = Instant(self.now.0.saturating_add(ns));
            self.expect(of, at);
            return;
        };
        let threads = if matches!(of, Of::Pass(_)) { threads.max(1) } else { 1 };
        let shared = &mut self.machines[machine];
        shared.advance(self.now);
        shared.jobs.push(Job { of, rest: ns as f64, threads, speed: 1.0 });
        self.reschedule(machine);
    }

    pub(super) fn ended_on_machine(&mut self, of: Of) {
        let (Of::Pass(node) | Of::Sending(node)) = of;
        let Some((machine, _)) = self.world.nodes[node].machine else { return };
        let shared = &mut self.machines[machine];
        shared.advance(self.now);
        shared.jobs.retain(|job| job.of != of);
        self.reschedule(machine);
    }

    /// Everything on a machine ends at another time once something begins or ends.
    fn reschedule(&mut self, machine: usize) {
        self.machines[machine].deal();
        for index in 0..self.machines[machine].jobs.len() {
            let Job { of, rest, speed, .. } = self.machines[machine].jobs[index];
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not below zero"
            )]
            let ns = (rest / speed).ceil() as u64;
            self.expect(of, Instant(self.now.0.saturating_add(ns)));
        }
    }

    /// Something ends then, and no longer when it was to end before.
    fn expect(&mut self, of: Of, at: Instant) {
        let number = |node| u32::try_from(node).unwrap_or(u32::MAX);
        let (ticket, event) = match of {
            Of::Pass(node) => (&mut self.workers[node].done, Event::Done(number(node))),
            Of::Sending(node) => (&mut self.workers[node].sent, Event::Sent(number(node))),
        };
        if let Some(ticket) = ticket.take() {
            self.queue.cancel(ticket);
        }
        *ticket = Some(self.queue.push(at, event));
    }
}

#[cfg(test)]
mod tests;
