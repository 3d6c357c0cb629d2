//! Placements as tiles laid end to end: groups of equal nodes, each on one range. Not the best
//! there is: where nodes of unlike kinds should share a range, or overlap, the search finds it.

use comity_protocol::{
    block::BlockRange,
    placement::{Fleet, Mask, Placement},
};

/// Nodes of one group at most: more than this many rarely need to stand side by side.
const GROUP_MAX: usize = 8;
/// Halvings of the interval in which the best rate lies: to a millionth of it.
const HALVINGS: u32 = 20;
/// Nodes that a group at a border has at least, from one to this many.
const GROUPS_AT_BORDERS: usize = 4;
/// Institutions up to which every order of them is tried.
const ORDERS_OF: usize = 4;

/// Nodes that host the same range.
#[derive(Debug, Clone)]
struct Tile {
    nodes: Vec<usize>,
    len: u32,
}

/// The tiles with the highest rate that all of them reach, institutions one after the other, in
/// several orders, and with groups of at least one to four nodes where one institution hands over
/// to the next: larger groups compute less than their nodes would alone, but join over more links.
#[must_use]
pub fn placements(fleet: &Fleet, mask: &Mask) -> Vec<Placement> {
    let kinds = kinds(fleet, mask);
    let orders = orders(fleet.institutions());
    let groups = if orders.len() > 1 { GROUPS_AT_BORDERS } else { 1 };
    let laid = orders.iter().flat_map(|order| {
        let tiles = (1..=groups).map(|group| best(fleet, &kinds, order, group));
        tiles.filter_map(|tiles| lay(fleet, &tiles)).collect::<Vec<_>>()
    });
    laid.collect()
}

/// Nodes of one institution with the same rates.
fn kinds(fleet: &Fleet, mask: &Mask) -> Vec<Vec<usize>> {
    let mut kinds: Vec<Vec<usize>> = Vec::new();
    for (node, host) in fleet.nodes().iter().enumerate() {
        if mask.bars(node) || host.rates.is_empty() {
            continue;
        }
        let like = |kind: &&mut Vec<usize>| {
            let other = &fleet.nodes()[kind[0]];
            other.institution == host.institution && other.rates == host.rates
        };
        match kinds.iter_mut().find(like) {
            Some(kind) => kind.push(node),
            None => kinds.push(vec![node]),
        }
    }
    kinds
}

/// Tiles for the highest rate at which they still cover the model.
fn best(fleet: &Fleet, kinds: &[Vec<usize>], order: &[usize], group: usize) -> Vec<Tile> {
    let (mut low, mut high) = (0.0, fleet.compute_max());
    let mut best = Vec::new();
    for _ in 0..HALVINGS {
        let rate = f64::midpoint(low, high);
        let tiles = tiles(fleet, kinds, order, group, rate);
        if tiles.iter().map(|tile| tile.len).sum::<u32>() >= fleet.block_count() {
            low = rate;
            best = tiles;
        } else {
            high = rate;
        }
    }
    best
}

/// Tiles of all institutions in `order` at `rate`, with groups of `group` at least at the borders.
fn tiles(
    fleet: &Fleet,
    kinds: &[Vec<usize>],
    order: &[usize],
    group: usize,
    rate: f64,
) -> Vec<Tile> {
    let mut tiles = Vec::new();
    for (place, institution) in order.iter().enumerate() {
        let own = |kind: &&Vec<usize>| fleet.nodes()[kind[0]].institution == *institution;
        let mut own: Vec<&[usize]> = kinds.iter().filter(own).map(Vec::as_slice).collect();
        // What most nodes are of stands at the borders.
        own.sort_by_key(|kind| std::cmp::Reverse(kind.len()));
        let mut border = || {
            let tile = tile(fleet, own.first()?, rate, group)?;
            own[0] = &own[0][tile.nodes.len()..];
            Some(tile)
        };
        let first = if place > 0 { border() } else { None };
        let last = if place + 1 < order.len() { border() } else { None };
        tiles.extend(first);
        tiles.extend(own.iter().flat_map(|kind| cut(fleet, kind, rate)));
        tiles.extend(last);
    }
    tiles
}

/// All of one kind of node in groups, each on as many blocks as it runs at `rate`.
fn cut(fleet: &Fleet, kind: &[usize], rate: f64) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let mut left = kind;
    while let Some(tile) = tile(fleet, left, rate, 1) {
        left = &left[tile.nodes.len()..];
        tiles.push(tile);
    }
    tiles
}

/// The first nodes of one kind, `group` at least, as the group that gets most blocks out of a node
/// at `rate`; `None` if no group runs even one.
fn tile(fleet: &Fleet, kind: &[usize], rate: f64, group: usize) -> Option<Tile> {
    let node = *kind.first()?;
    let most = fleet.blocks_max(node) as usize;
    let rates = &fleet.nodes()[node].rates[..most];
    let len = |group: usize| {
        let enough = |one: &f64| one * group as f64 >= rate;
        rates.iter().rposition(enough).map_or(0, |at| at + 1)
    };
    // Of equals the smaller.
    let sizes = group.min(kind.len())..=kind.len().min(GROUP_MAX);
    let size = sizes.rev().max_by(|a, b| (len(*a) * b).cmp(&(len(*b) * a)))?;
    let len = u32::try_from(len(size)).ok().filter(|len| *len > 0)?;
    Some(Tile { nodes: kind[..size].to_vec(), len })
}

/// Lays tiles end to end; what is left when the model is covered begins again at its first block.
fn lay(fleet: &Fleet, tiles: &[Tile]) -> Option<Placement> {
    let mut placement = Placement::empty(fleet.nodes().len());
    let mut start = 0;
    for tile in tiles {
        let end = (start + tile.len).min(fleet.block_count());
        let range = BlockRange::new(start, end).ok()?;
        tile.nodes.iter().for_each(|node| placement.set(*node, Some(range)));
        start = if end == fleet.block_count() { 0 } else { end };
    }
    Some(placement)
}

/// Orders of institutions to try: all if they are few, else two.
fn orders(institutions: usize) -> Vec<Vec<usize>> {
    if institutions > ORDERS_OF {
        return vec![(0..institutions).collect(), (0..institutions).rev().collect()];
    }
    let mut orders = vec![Vec::new()];
    for institution in 0..institutions {
        let longer = |order: &Vec<usize>| {
            let at = |place| {
                let mut order = order.clone();
                order.insert(place, institution);
                order
            };
            (0..=order.len()).map(at).collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders
}
