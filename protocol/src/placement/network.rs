//! Largest flow through capacities, by Dinic's algorithm on flat arrays. Not what the vertices
//! mean.
//!
//! Source: E. A. Dinic, 1970. Every search over the levels starts where the last one on the same
//! vertex ended, and an augmented path goes on from its first full arc.

/// Less than this many positions/s is rounding: one position in thirty years.
pub(super) const DUST: f64 = 1e-9;

const NONE: u32 = u32::MAX;

/// Vertices and arcs; kept between uses for their memory. Arc `a` and its reverse are `a` and `a ^
/// 1`.
#[derive(Debug, Clone, Default)]
pub(super) struct Network {
    /// By vertex: its first arc, the arc to go on with, and its distance from the source.
    first: Vec<u32>,
    current: Vec<u32>,
    level: Vec<u32>,
    arcs: Vec<Arc>,
    queue: Vec<u32>,
    path: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Arc {
    to: u32,
    next: u32,
    /// What more it can carry.
    left: f64,
}

/// Where all flow begins.
pub(super) const SOURCE: u32 = 0;
/// Where all flow ends.
pub(super) const SINK: u32 = 1;

impl Network {
    /// Starts anew with `vertices` vertices, source and sink among them, and no arcs.
    pub(super) fn reset(&mut self, vertices: usize) {
        self.arcs.clear();
        self.first.clear();
        self.first.resize(vertices, NONE);
    }

    /// Adds an arc.
    pub(super) fn arc(&mut self, from: u32, to: u32, capacity: f64) {
        self.half(from, to, capacity);
        self.half(to, from, 0.0);
    }

    fn half(&mut self, from: u32, to: u32, left: f64) {
        let arc = u32::try_from(self.arcs.len()).expect("a fleet's size bounds its arcs");
        let next = std::mem::replace(&mut self.first[from as usize], arc);
        self.arcs.push(Arc { to, next, left });
    }

    /// Finds the largest flow from source to sink and returns it. Cost: O(vertices² · arcs) at
    /// worst; a few passes over the arcs in practice.
    pub(super) fn maximize(&mut self) -> f64 {
        let mut total = 0.0;
        while self.layer() {
            self.current.clone_from(&self.first);
            total += self.fill();
        }
        total
    }

    /// Whether the source still reaches `vertex` after [`Network::maximize`]. Arcs from vertices
    /// that it reaches to others are a least cut.
    pub(super) fn is_before_cut(&self, vertex: u32) -> bool {
        self.level[vertex as usize] != NONE
    }

    /// Arcs in order of their addition: from, to, and the flow they carry.
    pub(super) fn flows(&self) -> impl Iterator<Item = (u32, u32, f64)> + '_ {
        self.arcs.chunks_exact(2).map(|pair| (pair[1].to, pair[0].to, pair[1].left))
    }

    /// Distances from the source over arcs that can carry more; whether the sink has one.
    fn layer(&mut self) -> bool {
        self.level.clear();
        self.level.resize(self.first.len(), NONE);
        self.level[SOURCE as usize] = 0;
        self.queue.clear();
        self.queue.push(SOURCE);
        let mut read = 0;
        while let Some(&vertex) = self.queue.get(read) {
            read += 1;
            let level = self.level[vertex as usize] + 1;
            let mut at = self.first[vertex as usize];
            while at != NONE {
                let arc = self.arcs[at as usize];
                if arc.left > DUST && self.level[arc.to as usize] == NONE {
                    self.level[arc.to as usize] = level;
                    if arc.to == SINK {
                        return true;
                    }
                    self.queue.push(arc.to);
                }
                at = arc.next;
            }
        }
        false
    }

    /// Fills every shortest path.
    fn fill(&mut self) -> f64 {
        let mut total = 0.0;
        let mut vertex = SOURCE;
        self.path.clear();
        loop {
            if vertex == SINK {
                total += self.augment();
                vertex = self.tail();
            } else if let Some(arc) = self.onward(vertex) {
                self.path.push(arc);
                vertex = self.arcs[arc as usize].to;
            } else {
                // Nothing leads on from here: go back, and past the arc that led here.
                let Some(arc) = self.path.pop() else {
                    return total;
                };
                vertex = self.arcs[(arc ^ 1) as usize].to;
                self.current[vertex as usize] = self.arcs[arc as usize].next;
            }
        }
    }

    fn onward(&mut self, vertex: u32) -> Option<u32> {
        let level = self.level[vertex as usize];
        let mut at = self.current[vertex as usize];
        while at != NONE {
            let arc = self.arcs[at as usize];
            let beyond = self.level[arc.to as usize];
            if arc.left > DUST && beyond != NONE && beyond == level + 1 {
                break;
            }
            at = arc.next;
        }
        self.current[vertex as usize] = at;
        (at != NONE).then_some(at)
    }

    /// Sends along the path what fits, and cuts it before its first full arc.
    fn augment(&mut self) -> f64 {
        let left = |arc: &u32| self.arcs[*arc as usize].left;
        let amount = self.path.iter().map(left).fold(f64::INFINITY, f64::min);
        let mut full = None;
        for (place, &arc) in self.path.iter().enumerate() {
            self.arcs[arc as usize].left -= amount;
            self.arcs[(arc ^ 1) as usize].left += amount;
            if full.is_none() && self.arcs[arc as usize].left <= DUST {
                full = Some(place);
            }
        }
        self.path.truncate(full.unwrap_or(0));
        amount
    }

    /// Where the path ends.
    fn tail(&self) -> u32 {
        self.path.last().map_or(SOURCE, |&arc| self.arcs[arc as usize].to)
    }
}

#[cfg(test)]
mod tests;
