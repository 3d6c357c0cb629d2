//! Machines whose processors several nodes share: all slow down together when there are too few. Not
//! what the nodes run.

use super::{Event, Run};
use crate::clock::Instant;

/// One machine.
#[derive(Debug)]
pub(super) struct Machine {
    processors: f64,
    jobs: Vec<Job>,
    /// When the jobs' rests were true.
    at: Instant,
}

/// What runs on it.
#[derive(Debug)]
struct Job {
    node: usize,
    /// Nanoseconds it would still take alone.
    rest: f64,
    threads: f64,
}

impl Machine {
    pub(super) fn new(processors: u32) -> Self {
        Self { processors: f64::from(processors.max(1)), jobs: Vec::new(), at: Instant(0) }
    }

    /// How much of its own speed every job has now.
    fn speed(&self) -> f64 {
        let wanted: f64 = self.jobs.iter().map(|job| job.threads).sum();
        if wanted > self.processors { self.processors / wanted } else { 1.0 }
    }

    /// Brings the rests up to `now`.
    fn advance(&mut self, now: Instant) {
        let passed = (now.0 - self.at.0) as f64 * self.speed();
        self.jobs.iter_mut().for_each(|job| job.rest = (job.rest - passed).max(0.0));
        self.at = now;
    }
}

impl Run<'_> {
    pub(super) fn begin_on_machine(&mut self, node: usize, ns: u64) {
        let Some((machine, threads)) = self.world.nodes[node].machine else { return };
        let shared = &mut self.machines[machine];
        shared.advance(self.now);
        shared.jobs.push(Job { node, rest: ns as f64, threads: f64::from(threads) });
        self.reschedule(machine);
    }

    pub(super) fn ended_on_machine(&mut self, node: usize) {
        let Some((machine, _)) = self.world.nodes[node].machine else { return };
        let shared = &mut self.machines[machine];
        shared.advance(self.now);
        shared.jobs.retain(|job| job.node != node);
        self.reschedule(machine);
    }

    /// Everything on a machine ends at another time once something begins or ends.
    fn reschedule(&mut self, machine: usize) {
        let shared = &self.machines[machine];
        let speed = shared.speed();
        for job in &shared.jobs {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not below zero"
            )]
            let ns = (job.rest / speed).ceil() as u64;
            let worker = &mut self.workers[job.node];
            if let Some(ticket) = worker.done.take() {
                self.queue.cancel(ticket);
            }
            let event = Event::Done(u32::try_from(job.node).unwrap_or(u32::MAX));
            worker.done = Some(self.queue.push(Instant(self.now.0.saturating_add(ns)), event));
        }
    }
}
