//! What a request is refused with when its policy leaves blocks to nobody. Not why others are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use super::{
    RouteRequest,
    admitted::{denials, held},
    list,
};
use crate::{
    block::BlockRange, directory::Candidate, id::PeerKey, limits::TEXT_BYTES_MAX, policy::Denial,
};

/// Nodes of one group that a refusal names.
const NAMED_MAX: usize = 3;
/// Bytes left for saying how many nodes are not named.
const REST_BYTES: usize = 32;

/// Blocks that no node may serve, and the nodes that could.
///
/// As text it has at most [`TEXT_BYTES_MAX`] bytes but for extreme names: nodes that fewest
/// predicates keep out come first, then those that serve most; the rest is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncovered {
    /// Name of the policy.
    pub policy: String,
    /// The blocks, ascending.
    pub blocks: Vec<BlockRange>,
    /// Nodes that hold some of them, each once, in ascending order of peer.
    pub nodes: Vec<KeptOut>,
}

/// A node that the policy keeps out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptOut {
    /// The node.
    pub peer: PeerKey,
    /// How many of the uncovered blocks it holds.
    pub blocks: usize,
    /// Every predicate that keeps it from some of them, in the order they are checked; never empty.
    pub denials: Vec<Denial>,
}

impl Uncovered {
    /// Why none of `candidates` may serve `blocks`.
    pub(super) fn new(
        request: &RouteRequest<'_>,
        candidates: &[&Candidate],
        blocks: Vec<BlockRange>,
    ) -> Self {
        let mut nodes: BTreeMap<PeerKey, (BTreeSet<BlockRange>, BTreeSet<Denial>)> =
            BTreeMap::new();
        for candidate in candidates {
            for block in held(request, candidate) {
                let denials = denials(request, candidate, block);
                if blocks.iter().any(|range| range.covers(block)) && !denials.is_empty() {
                    let (held, all) = nodes.entry(candidate.peer).or_default();
                    held.insert(block);
                    all.extend(denials);
                }
            }
        }
        let nodes = nodes.into_iter().map(|(peer, (held, denials))| KeptOut {
            peer,
            blocks: held.len(),
            denials: denials.into_iter().collect(),
        });
        Self { policy: request.policy.name.clone(), blocks, nodes: nodes.collect() }
    }

    /// Nodes by what keeps them out, the most informative group first.
    fn groups(&self) -> Vec<(&[Denial], Vec<&KeptOut>)> {
        let mut groups: BTreeMap<&[Denial], Vec<&KeptOut>> = BTreeMap::new();
        for node in &self.nodes {
            groups.entry(&node.denials).or_default().push(node);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        let most = |nodes: &[&KeptOut]| nodes.iter().map(|node| node.blocks).max();
        groups.sort_by_key(|(denials, nodes)| (denials.len(), std::cmp::Reverse(most(nodes))));
        groups
    }
}

impl fmt::Display for Uncovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("policy {}: no node may serve {}", self.policy, list(&self.blocks));
        let (mut separator, mut named) = (": ", 0);
        for (denials, nodes) in self.groups() {
            let group = group(denials, &nodes);
            let bytes = text.len() + separator.len() + group.len() + REST_BYTES;
            if named > 0 && bytes > TEXT_BYTES_MAX {
                break;
            }
            text.push_str(separator);
            text.push_str(&group);
            (separator, named) = ("; ", named + nodes.len());
        }
        if named < self.nodes.len() {
            write!(text, "; {} more nodes", self.nodes.len() - named)?;
        }
        f.write_str(&text)
    }
}

/// The first predicate in full, the others by name, and the nodes.
fn group(denials: &[Denial], nodes: &[&KeptOut]) -> String {
    let mut text = String::new();
    if let [first, others @ ..] = denials {
        text = first.to_string();
        let mut others: Vec<_> = others.iter().map(Denial::predicate).collect();
        others.dedup();
        if !others.is_empty() {
            text.push_str(", also ");
            text.push_str(&others.join(", "));
        }
    }
    let mut names: Vec<_> = nodes.iter().take(NAMED_MAX).map(|node| node.peer.short()).collect();
    if nodes.len() > NAMED_MAX {
        names.push(format!("{} more", nodes.len() - NAMED_MAX));
    }
    let noun = if nodes.len() == 1 { "node" } else { "nodes" };
    format!("{text} ({noun} {})", names.join(", "))
}
