//! Machines whose processors several nodes share: all slow down together when there are too few. Not
//! what the nodes run.

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
    processors: f64,
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
    threads: f64,
    /// How much longer it takes while all processors run, relatively.
    contention: f64,
}

impl Machine {
    pub(super) fn new(processors: u32) -> Self {
        Self { processors: f64::from(processors.max(1)), jobs: Vec::new(), at: Instant(0) }
    }

    /// How much of its own speed a job has now that bears no contention, and how crowded it is: 0 with
    /// one processor at work, 1 with all of them.
    fn speed(&self) -> (f64, f64) {
        let wanted: f64 = self.jobs.iter().map(|job| job.threads).sum();
        let at_work = wanted.min(self.processors);
        let crowd = if at_work > 1.0 { (at_work - 1.0) / (self.processors - 1.0) } else { 0.0 };
        (if wanted > self.processors { self.processors / wanted } else { 1.0 }, crowd)
    }

    /// Brings the rests up to `now`.
    fn advance(&mut self, now: Instant) {
        let ((speed, crowd), passed) = (self.speed(), (now.0 - self.at.0) as f64);
        for job in &mut self.jobs {
            job.rest = passed.mul_add(-job.speed(speed, crowd), job.rest).max(0.0);
        }
        self.at = now;
    }
}

impl Job {
    /// How much of its own speed it has.
    fn speed(&self, speed: f64, crowd: f64) -> f64 {
        speed / self.contention.mul_add(crowd, 1.0)
    }
}

impl Run<'_> {
    /// The machine of a node that shares one, and how many processors of it a pass keeps busy.
    fn machine(&self, node: usize) -> Option<(usize, u32)> {
        // In most worlds none does, and a world's nodes are large to look at.
        if self.machines.is_empty() { None } else { self.world.nodes[node].machine }
    }

    /// Schedules the end of what takes `ns` if nothing else runs on its machine.
    pub(super) fn begin(&mut self, of: Of, ns: u64) {
        let (Of::Pass(node) | Of::Sending(node)) = of;
        let Some((machine, threads)) = self.machine(node) else {
            let at = Instant(self.now.0.saturating_add(ns));
            self.expect(of, at);
            return;
        };
        let threads = if matches!(of, Of::Pass(_)) { f64::from(threads) } else { 1.0 };
        let device = self.world.devices.get(self.world.nodes[node].device);
        let contention = device.map_or(0.0, |device| device.contention);
        let shared = &mut self.machines[machine];
        shared.advance(self.now);
        shared.jobs.push(Job { of, rest: ns as f64, threads, contention });
        self.reschedule(machine);
    }

    pub(super) fn ended_on_machine(&mut self, of: Of) {
        let (Of::Pass(node) | Of::Sending(node)) = of;
        let Some((machine, _)) = self.machine(node) else { return };
        let shared = &mut self.machines[machine];
        shared.advance(self.now);
        shared.jobs.retain(|job| job.of != of);
        self.reschedule(machine);
    }

    /// Everything on a machine ends at another time once something begins or ends.
    fn reschedule(&mut self, machine: usize) {
        let (speed, crowd) = self.machines[machine].speed();
        for index in 0..self.machines[machine].jobs.len() {
            let job = &self.machines[machine].jobs[index];
            let of = job.of;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not below zero"
            )]
            let ns = (job.rest / job.speed(speed, crowd)).ceil() as u64;
            self.expect(of, Instant(self.now.0.saturating_add(ns)));
        }
    }

    /// Something ends then, and no longer when it was to end before.
    fn expect(&mut self, of: Of, at: Instant) {
        match of {
            Of::Pass(node) => self.timers.set(node, at, self.queue.number()),
            Of::Sending(node) => {
                let ticket = &mut self.workers[node].sent;
                if let Some(ticket) = ticket.take() {
                    self.queue.cancel(ticket);
                }
                let event = Event::Sent(u32::try_from(node).unwrap_or(u32::MAX));
                *ticket = Some(self.queue.push(at, event));
            }
        }
    }
}
