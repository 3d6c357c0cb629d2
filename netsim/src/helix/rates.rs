//! Positions/s of a node by blocks held, as Helix estimates them from timings. Not a simulation.
//!
//! Source: `profile` of Helix (ASPLOS'25); the shape of its load is a prompt of 750 positions and
//! an answer of 240, with 30 % of the KV cache in use on average.

use std::collections::BTreeMap;

use super::{Device, Devices, LoadError, Model, devices::KV_PAGE_POSITIONS};

/// Positions/s by device, for 1, 2, ... blocks held.
pub type Rates = BTreeMap<String, Vec<f64>>;

/// Positions of a typical prompt.
const PROMPT: f64 = 750.0;
/// Positions of a typical answer.
const ANSWER: f64 = 240.0;
/// Share of a KV cache that is in use on average.
const KV_USED: f64 = 0.3;
/// Rounds after which estimated speeds no longer move.
const ROUNDS: usize = 10;
/// A fleet that has room for fewer models than this fills every node.
const SCARCE: f64 = 1.2;

/// What the estimate starts from, per device: name, blocks it typically holds, blocks where room is
/// scarce, and its speed (blocks times positions/s).
type Start = (&'static str, u32, u32, f64);

const START_30B: [Start; 3] = [("a100", 12, 18, 48.0), ("l4", 8, 11, 9.0), ("t4", 4, 7, 8.0)];
const START_70B: [Start; 3] = [("a100", 8, 12, 80.0), ("l4", 4, 7, 20.0), ("t4", 3, 4, 12.5)];

/// What each kind of device in a fleet runs, by blocks held. `counts`: nodes by device; their mix
/// matters, for it decides how much of a session's time is spent elsewhere.
///
/// # Errors
/// [`LoadError::Device`] for a device whose typical share of blocks is not published.
pub fn rates(devices: &Devices, counts: &BTreeMap<String, usize>) -> Result<Rates, LoadError> {
    let mut kinds = Vec::new();
    for (name, count) in counts {
        kinds.push(Kind::new(devices, name, *count)?);
    }
    let block_count = f64::from(devices.model.block_count());
    let room: f64 = kinds.iter().map(|kind| kind.count * kind.typical).sum();
    if room < SCARCE * block_count {
        kinds.iter_mut().for_each(|kind| kind.typical = kind.scarce);
    }
    for _ in 0..ROUNDS {
        let mean = mean_time(&kinds);
        for kind in &mut kinds {
            kind.speed = kind.rate(kind.typical, block_count, mean) * kind.typical;
        }
    }
    let mean = mean_time(&kinds);
    let by_blocks = |kind: &Kind<'_>| {
        let blocks = (1_u32..).map(f64::from).take(kind.device.kv_pages.len());
        blocks.map(|blocks| kind.rate(blocks, block_count, mean)).collect()
    };
    Ok(kinds.iter().map(|kind| (kind.name.clone(), by_blocks(kind))).collect())
}

/// The nodes of one device.
struct Kind<'a> {
    name: String,
    device: &'a Device,
    count: f64,
    /// Blocks one of them typically holds.
    typical: f64,
    scarce: f64,
    /// Blocks times positions/s, as estimated so far.
    speed: f64,
}

/// Mean over all blocks hosted of the time one position takes, seconds.
fn mean_time(kinds: &[Kind<'_>]) -> f64 {
    let blocks: f64 = kinds.iter().map(|kind| kind.count * kind.typical).sum();
    kinds.iter().map(|kind| kind.count * kind.typical / kind.speed).sum::<f64>() / blocks
}

impl<'a> Kind<'a> {
    fn new(devices: &'a Devices, name: &str, count: usize) -> Result<Self, LoadError> {
        let name = name.to_lowercase();
        let starts = match devices.model {
            Model::Llama30b => START_30B,
            Model::Llama70b => START_70B,
        };
        let start = starts.into_iter().find(|(device, ..)| *device == name);
        let (_, typical, scarce, speed) = start
            .ok_or_else(|| LoadError::Device { what: "typical blocks", device: name.clone() })?;
        let device = devices.device(&name)?;
        let count = u32::try_from(count).map_or(f64::INFINITY, f64::from);
        let (typical, scarce) = (f64::from(typical), f64::from(scarce));
        Ok(Self { name, device, count, typical, scarce, speed })
    }

    /// Positions/s with `blocks` of `block_count` held while a block takes `mean` seconds
    /// elsewhere.
    fn rate(&self, blocks: f64, block_count: f64, mean: f64) -> f64 {
        let here = blocks / self.speed;
        // Share of its time that a session spends on this node.
        let share = here / ((block_count - blocks) * mean + here);
        let cached = self.cached(blocks);
        let sessions = cached / (PROMPT + ANSWER);
        // Prompts and decode positions of one batch: a session's prompt runs once in an answer.
        let prompts = sessions * share / ANSWER;
        let decode = (sessions * share).round_ties_even();
        let prefill = (PROMPT * prompts).round_ties_even();
        // Less than a prompt in a batch is a whole prompt in every so many batches.
        let batches = (1.0 / prompts).max(1.0);
        let timing = self.device;
        let seconds = timing.prefill.at((prefill * batches).floor()) / 1e3
            + batches * timing.decode.at(decode) / 1e3;
        batches * (prefill + decode) / (blocks * seconds)
    }

    /// Positions whose KV cache is in use on average.
    fn cached(&self, blocks: f64) -> f64 {
        let held = self.device.kv_pages.iter().zip(1_u32..);
        let pages = held.map(|(pages, at)| (*pages, f64::from(at))).find(|(_, at)| *at >= blocks);
        let positions = pages.map_or(0, |(pages, _)| pages.saturating_mul(KV_PAGE_POSITIONS));
        #[expect(clippy::cast_precision_loss, reason = "caches hold far less than 2^52 positions")]
        let positions = positions as f64;
        (KV_USED * positions).floor()
    }
}
