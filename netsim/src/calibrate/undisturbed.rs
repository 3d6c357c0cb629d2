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

/// Of each of a node's passes and runs of the head, whether there were processors for all.
#[derive(Debug)]
pub(super) struct Free {
    pub(super) passes: Vec<bool>,
    pub(super) heads: Vec<bool>,
}

/// Of every node, what ran while there were processors for all that ran meanwhile.
pub(super) fn undisturbed(measurement: &Measurement) -> Vec<Free> {
    let all = |record: &Record| Free {
        passes: vec![true; record.passes.len()],
        heads: vec![true; record.heads.len()],
    };
    let mut free: Vec<Free> = measurement.records.iter().map(all).collect();
    for (machine, processors) in measurement.world.machines.iter().enumerate() {
        mark(spans(measurement, machine), *processors, &mut free);
    }
    free
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

/// Goes through a machine's time and marks what ran while too much did.
fn mark(spans: Vec<Span>, processors: u32, free: &mut [Free]) {
    // What ends at an instant ends before what begins then.
    let mut edges: Vec<(u64, bool, usize)> = Vec::with_capacity(spans.len() * 2);
    for (index, span) in spans.iter().enumerate() {
        edges.push((span.from_us, true, index));
        edges.push((span.to_us.max(span.from_us + 1), false, index));
    }
    edges.sort_unstable();
    let mut running: Vec<usize> = Vec::new();
    for (_, begins, index) in edges {
        if !begins {
            running.retain(|other| *other != index);
            continue;
        }
        running.push(index);
        let wanted: u32 = running.iter().map(|other| spans[*other].threads).sum();
        if wanted > processors {
            for span in running.iter().map(|other| &spans[*other]) {
                let Free { passes, heads } = &mut free[span.node];
                let of = if span.is_head { heads } else { passes };
                of[span.index] = false;
            }
        }
    }
}
