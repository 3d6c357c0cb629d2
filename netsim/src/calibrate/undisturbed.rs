//! Which passes a machine's other nodes did not slow down. Not how long passes take.
//!
//! The simulator slows all that runs on a `[[machine]]` once more threads want to run than it has
//! processors. What is fitted must not hold that a second time, so only passes count during which
//! there were processors for all.

use crate::measurement::{Measurement, Record};

/// Something a node ran.
struct Span {
    node: usize,
    from_us: u64,
    to_us: u64,
    threads: u32,
    /// Which of its passes, or of its runs of the head, it is.
    index: usize,
    is_head: bool,
}

/// Of each of a node's passes and runs of the head during which there were processors for all: how
/// crowded those were, from 0 with one at work to 1 with all of them.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) passes: Vec<Option<f64>>,
    pub(super) heads: Vec<Option<f64>>,
}

/// Of every node, what ran while there were processors for all that ran meanwhile.
pub(super) fn undisturbed(measurement: &Measurement) -> Vec<Crowd> {
    let all = |record: &Record| Crowd {
        passes: vec![Some(0.0); record.passes.len()],
        heads: vec![Some(0.0); record.heads.len()],
    };
    let mut crowds: Vec<Crowd> = measurement.records.iter().map(all).collect();
    for (machine, processors) in measurement.world.machines.iter().enumerate() {
        mark(spans(measurement, machine), *processors, &mut crowds);
    }
    crowds
}

/// What ran on a machine, by its clock.
fn spans(measurement: &Measurement, machine: usize) -> Vec<Span> {
    let mut all = Vec::new();
    for (node, (place, record)) in
        (0..).zip(measurement.world.nodes.iter().zip(&measurement.records))
    {
        let Some((_, threads)) = place.machine.filter(|(of, _)| *of == machine) else { continue };
        let mut push = |at: u64, took: u64, (index, is_head)| {
            let to_us = record.node.began_us.saturating_add(at);
            let from_us = to_us.saturating_sub(took);
            all.push(Span { node, from_us, to_us, threads, index, is_head });
        };
        for (index, (at, pass)) in record.passes.iter().enumerate() {
            push(*at, pass.took_us, (index, false));
        }
        for (index, (at, head)) in record.heads.iter().enumerate() {
            push(*at, head.took_us, (index, true));
        }
    }
    all
}

/// Goes through a machine's time: marks what ran while too much did, and how crowded it was for others.
fn mark(spans: Vec<Span>, processors: u32, crowds: &mut [Crowd]) {
    // What ends at an instant ends before what begins then.
    let mut edges: Vec<(u64, bool, usize)> = Vec::with_capacity(spans.len() * 2);
    for (index, span) in spans.iter().enumerate() {
        edges.push((span.from_us, true, index));
        edges.push((span.to_us.max(span.from_us + 1), false, index));
    }
    edges.sort_unstable();
    let (mut running, mut since): (Vec<usize>, u64) = (Vec::new(), 0);
    for (at, begins, index) in edges {
        let wanted: u32 = running.iter().map(|other| spans[*other].threads).sum();
        let others = f64::from(wanted.min(processors).saturating_sub(1));
        let crowd = others / f64::from(processors.saturating_sub(1).max(1));
        for span in running.iter().map(|other| &spans[*other]) {
            let of = span.of(crowds);
            let share = (at - since) as f64 / (span.to_us - span.from_us).max(1) as f64;
            *of = of.filter(|_| wanted <= processors).map(|sum| share.mul_add(crowd, sum));
        }
        since = at;
        if begins {
            running.push(index);
        } else {
            running.retain(|other| *other != index);
        }
    }
}

impl Span {
    /// What is known of it.
    fn of<'a>(&self, crowds: &'a mut [Crowd]) -> &'a mut Option<f64> {
        let Crowd { passes, heads } = &mut crowds[self.node];
        let of = if self.is_head { heads } else { passes };
        &mut of[self.index]
    }
}
