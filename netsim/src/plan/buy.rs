//! What to buy next: positions/s gained for a euro. Not what things cost.

use comity_protocol::placement::{Fleet, FleetError, FleetNode, Mask, Placement};

use super::{Progress, Settings, search};

/// Something that could be bought.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// What it is.
    pub purchase: Purchase,
    /// Price in euros, above 0.
    pub price_eur: f64,
}

/// A thing that changes a fleet.
#[derive(Debug, Clone, PartialEq)]
pub enum Purchase {
    /// A node more.
    Node {
        /// The node.
        node: FleetNode,
        /// Positions/s of links from it, by receiver; 0 for none.
        links_to: Vec<f64>,
        /// Positions/s of links to it, by sender.
        links_from: Vec<f64>,
    },
    /// Another rate for a link.
    Link {
        /// Sender.
        from: usize,
        /// Receiver.
        to: usize,
        /// Positions/s it then carries.
        rate: f64,
    },
}

/// How often and how long to search for each offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trials {
    /// One search for each, with and without every offer.
    pub seeds: Vec<u64>,
    /// Placements each search may evaluate.
    pub evaluations: u64,
}

/// What an offer is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Worth {
    /// Its place among the offers.
    pub offer: usize,
    /// By seed: positions/s gained over the best plan of the same seed without it; never negative.
    pub gains: Vec<f64>,
    /// Mean of them.
    pub gain: f64,
    /// Mean gain for each euro, positions/s.
    pub gain_per_eur: f64,
}

/// Why offers cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuyError {
    /// A price is not above 0, or not finite.
    #[error("offer {offer} cannot cost {price_eur} EUR")]
    Price {
        /// Its place among the offers.
        offer: usize,
        /// Its price.
        price_eur: f64,
    },
    /// The links of a new node are not one for each node.
    #[error("offer {offer} has {got} links for a fleet of {nodes} nodes")]
    Links {
        /// Its place among the offers.
        offer: usize,
        /// Links given.
        got: usize,
        /// Nodes of the fleet.
        nodes: usize,
    },
    /// The fleet with it would be none.
    #[error("offer {offer}: {source}")]
    Fleet {
        /// Its place among the offers.
        offer: usize,
        /// Why.
        source: FleetError,
    },
}

/// Ranks offers by the gain they bring for a euro, the best first. Plans are searched with and
/// without each, all nodes free to host other blocks; the spread of [`Worth::gains`] is that of the
/// search.
///
/// # Errors
/// [`BuyError`] if an offer makes no sense for the fleet.
pub fn rank(
    fleet: &Fleet,
    placement: &Placement,
    offers: &[Offer],
    trials: &Trials,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Worth>, BuyError> {
    let mut grown = Vec::with_capacity(offers.len());
    for (at, offer) in offers.iter().enumerate() {
        grown.push(offer.applied(fleet, at)?);
    }
    let mut gains = vec![Vec::with_capacity(trials.seeds.len()); offers.len()];
    for &seed in &trials.seeds {
        let settings = Settings { seed, evaluations: trials.evaluations };
        let mask = Mask::none();
        let before = search(fleet, &mask, std::slice::from_ref(placement), settings, progress);
        for (fleet, gains) in grown.iter().zip(&mut gains) {
            // From the best plan without it, so that what it brings is never less than nothing.
            let mut ranges = before.placement.ranges().to_vec();
            ranges.resize(fleet.nodes().len(), None);
            let from = [Placement::new(ranges)];
            gains.push(search(fleet, &mask, &from, settings, progress).rate - before.rate);
        }
    }
    let worth = |(offer, gains): (usize, Vec<f64>)| {
        let gain = gains.iter().sum::<f64>() / (gains.len().max(1) as f64);
        let gain_per_eur = gain / offers[offer].price_eur;
        Worth { offer, gains, gain, gain_per_eur }
    };
    let mut worths: Vec<Worth> = gains.into_iter().enumerate().map(worth).collect();
    worths.sort_by(|a, b| b.gain_per_eur.total_cmp(&a.gain_per_eur));
    Ok(worths)
}

impl Offer {
    /// The fleet with it; `offer` is its place among the offers.
    fn applied(&self, fleet: &Fleet, offer: usize) -> Result<Fleet, BuyError> {
        if !(self.price_eur > 0.0 && self.price_eur.is_finite()) {
            return Err(BuyError::Price { offer, price_eur: self.price_eur });
        }
        let wrong = |source| BuyError::Fleet { offer, source };
        let nodes = fleet.nodes().len();
        match &self.purchase {
            Purchase::Node { node, links_to, links_from } => {
                let mut grown = fleet.with(node.clone()).map_err(wrong)?;
                for links in [links_to, links_from] {
                    if links.len() != nodes {
                        return Err(BuyError::Links { offer, got: links.len(), nodes });
                    }
                }
                for other in 0..nodes {
                    grown.set_link(nodes, other, links_to[other]).map_err(wrong)?;
                    grown.set_link(other, nodes, links_from[other]).map_err(wrong)?;
                }
                Ok(grown)
            }
            Purchase::Link { from, to, rate } => {
                let mut grown = fleet.clone();
                grown.set_link(*from, *to, *rate).map_err(wrong)?;
                Ok(grown)
            }
        }
    }
}
