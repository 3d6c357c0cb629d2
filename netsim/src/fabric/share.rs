//! Shares of links: weighted max-min. Not when to compute them.
//!
//! Source: progressive filling (Bertsekas and Gallager, *Data Networks*, §6.5): all rates rise in
//! proportion to their weights; a flow stops at its own bound or when a link of its path is full.

/// What one flow wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// Most it takes; may be infinite.
    pub most: f64,
    /// Its part beside others; above zero.
    pub weight: f64,
    /// Where its path lies in the list of all paths.
    pub path: (usize, usize),
}

/// Rates of `claims` over links of `capacity`; `paths` are indices into it.
///
/// All in one unit of rate. `rates` gets one per claim. Cost: flows × links for each of at most as
/// many rounds as there are flows.
pub(super) fn fill(capacity: &[f64], paths: &[usize], claims: &[Claim], rates: &mut Vec<f64>) {
    let path = |claim: &Claim| &paths[claim.path.0..claim.path.1];
    rates.clear();
    rates.resize(claims.len(), f64::NAN);
    let mut links = Vec::new();
    for _ in 0..claims.len() {
        if !rates.iter().any(|rate| rate.is_nan()) {
            break;
        }
        // Summed anew in each round: differences of large weights would leave dust behind.
        links.clear();
        links.extend(capacity.iter().map(|left| Filling { left: *left, weight: 0.0 }));
        for (claim, rate) in claims.iter().zip(rates.iter()) {
            for link in path(claim) {
                if rate.is_nan() {
                    links[*link].weight += claim.weight;
                } else {
                    links[*link].left -= rate;
                }
            }
        }
        let level = links.iter().map(Filling::level).fold(f64::INFINITY, f64::min);
        let open = || claims.iter().enumerate();
        let bounded = |claim: &Claim| claim.most <= level * claim.weight;
        let is_any_bounded = open().any(|(n, claim)| rates[n].is_nan() && bounded(claim));
        for (n, claim) in open() {
            let is_full = || path(claim).iter().any(|link| links[*link].level() <= level);
            if rates[n].is_nan() && (bounded(claim) || !is_any_bounded && is_full()) {
                rates[n] = claim.most.min(level * claim.weight);
            }
        }
    }
}

/// What a link has left in a round.
#[derive(Debug)]
struct Filling {
    left: f64,
    /// Of the flows whose rate is open.
    weight: f64,
}

impl Filling {
    /// Rate for each weight at which it is full.
    fn level(&self) -> f64 {
        if self.weight > 0.0 { self.left.max(0.0) / self.weight } else { f64::INFINITY }
    }
}

#[cfg(test)]
mod tests;
