//! The passes of a run as a trace for chrome://tracing or Perfetto. Not what travelled.
//!
//! Source: Trace Event Format, `X` (complete) and `M` (metadata) events, times in microseconds.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{capacity::Measured, world::World};

/// The passes that were recorded, one process for each institution, one thread for each node.
#[must_use]
pub fn passes(world: &World, run: &Measured) -> String {
    let nodes: BTreeSet<u32> = run.passes.iter().map(|pass| pass.node).collect();
    let owner = |node: u32| world.nodes[node as usize].institution;
    let owners: BTreeSet<usize> = nodes.iter().map(|node| owner(*node)).collect();
    let name = |kind: &str, institution: usize, node: Option<u32>, name: &str| {
        json!({
            "ph": "M", "name": kind, "pid": institution, "tid": node.unwrap_or(0),
            "args": { "name": name },
        })
    };
    let institutions =
        owners.iter().map(|it| name("process_name", *it, None, &world.institutions[*it].name));
    let threads = nodes.iter().map(|node| {
        name("thread_name", owner(*node), Some(*node), &world.nodes[*node as usize].name)
    });
    let passes = run.passes.iter().map(|pass| {
        let what = match (pass.prompt, pass.decode) {
            (0, _) => "decode",
            (_, 0) => "prompt",
            _ => "prompt and decode",
        };
        json!({
            "ph": "X", "name": what, "pid": owner(pass.node), "tid": pass.node,
            "ts": pass.from_ns as f64 / 1e3, "dur": (pass.to_ns - pass.from_ns) as f64 / 1e3,
            "args": { "prompt positions": pass.prompt, "decode positions": pass.decode },
        })
    });
    let events: Vec<Value> = institutions.chain(threads).chain(passes).collect();
    json!({ "traceEvents": events, "displayTimeUnit": "ms" }).to_string()
}

#[cfg(test)]
mod tests;
