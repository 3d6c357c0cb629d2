//! Times one machine's executor: `speed MODEL.gguf [--threads N] [--set portable|avx2|avx512]
//! [--only prefill|decode|deep|streams]`.
//!
//! Prints medians of repeated runs: prefill of 512 positions, decode at depth 0 and 1,024 with the
//! head and a greedy choice, sixteen streams of 128 and 64 positions together, and reading memory.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]
#![expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]

use std::{error::Error, path::Path, time::Instant};

use comity_protocol::{block::BlockRange, id::SessionId, manifest::Manifest};
use comity_shard::{Compute, Home, InstructionSet, ModelFile, Shard, Step};

const REPETITIONS: usize = 5;
const PREFILL: usize = 512;
const DECODE: usize = 96;
const STREAMS: usize = 16;

struct Bench {
    manifest: Manifest,
    home: Home,
    shard: Shard,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = arguments.first() else {
        return Err("usage: speed MODEL.gguf [--threads N] [--set SET] [--only MEASURE]".into());
    };
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1))
    };
    let mut compute = match option("--threads") {
        Some(threads) => Compute::new(threads.parse()?),
        None => Compute::shared(),
    };
    if let Some(name) = option("--set") {
        let sets = InstructionSet::available();
        let set = sets.into_iter().find(|set| format!("{set:?}").eq_ignore_ascii_case(name));
        compute = compute.with_set(set.ok_or("this machine has no such instruction set")?);
    }
    let mut bench = Bench::load(Path::new(path), compute)?;
    let wanted = |name: &str| option("--only").is_none_or(|only| only == name);
    if wanted("prefill") {
        println!("prefill {PREFILL}: {:.0} tokens/s", bench.median(Bench::prefill)?);
    }
    if wanted("decode") {
        println!("decode at 0: {:.1} tokens/s", bench.median(|bench| bench.decode(1))?);
    }
    if wanted("deep") {
        println!("decode at 1024: {:.1} tokens/s", bench.median(|bench| bench.decode(1_024))?);
    }
    if wanted("streams") {
        println!("{STREAMS} streams: {:.0} tokens/s", bench.median(Bench::streams)?);
    }
    let bytes = bench.shard.weight_bytes() + bench.home.weight_bytes();
    println!("weights {:.1} MB", bytes as f64 / 1e6);
    Ok(())
}

impl Bench {
    fn load(path: &Path, compute: Compute) -> Result<Self, Box<dyn Error>> {
        let file = ModelFile::open(path)?;
        let manifest = file.manifest()?;
        let blocks = BlockRange::new(0, manifest.block_count)?;
        let mut home = Home::load(&file, &manifest)?;
        let mut shard = Shard::load(&file, blocks, &manifest)?;
        home.set_compute(compute.clone());
        shard.set_compute(compute);
        Ok(Self { manifest, home, shard })
    }

    /// Median of the rates `run` returns, after one run that warms up.
    fn median(
        &mut self,
        run: impl Fn(&mut Self) -> Result<f64, Box<dyn Error>>,
    ) -> Result<f64, Box<dyn Error>> {
        run(self)?;
        let mut rates = (0..REPETITIONS).map(|_| run(self)).collect::<Result<Vec<_>, _>>()?;
        rates.sort_by(f64::total_cmp);
        Ok(rates[REPETITIONS / 2])
    }

    fn tokens(count: usize) -> Vec<u32> {
        (0..count).map(|i| 100 + u32::try_from(i * 37 % 5_000).unwrap_or(0)).collect()
    }

    fn prefill(&mut self) -> Result<f64, Box<dyn Error>> {
        let session = SessionId([1; 16]);
        self.shard.open_session(session, self.manifest.context_length.min(2_048))?;
        let rows = self.home.embed(&Self::tokens(PREFILL))?;
        let begun = Instant::now();
        self.shard.forward(&session, 0, &rows)?;
        let rate = PREFILL as f64 / begun.elapsed().as_secs_f64();
        self.shard.close_session(&session);
        Ok(rate)
    }

    fn decode(&mut self, depth: usize) -> Result<f64, Box<dyn Error>> {
        let (session, hidden) = (SessionId([1; 16]), self.manifest.hidden_size as usize);
        self.shard.open_session(session, self.manifest.context_length.min(2_048))?;
        let mut rows = self.shard.forward(&session, 0, &self.home.embed(&Self::tokens(depth))?)?;
        let begun = Instant::now();
        for position in depth..depth + DECODE {
            let token = best(&self.home.logits(&rows[rows.len() - hidden..])?)?;
            let input = self.home.embed(&[token])?;
            rows = self.shard.forward(&session, u32::try_from(position)?, &input)?;
        }
        let rate = DECODE as f64 / begun.elapsed().as_secs_f64();
        self.shard.close_session(&session);
        Ok(rate)
    }

    fn streams(&mut self) -> Result<f64, Box<dyn Error>> {
        const PROMPT: usize = 128;
        const ANSWER: usize = 64;
        let hidden = self.manifest.hidden_size as usize;
        let sessions: Vec<_> = (10..).take(STREAMS).map(|i| SessionId([i; 16])).collect();
        let prompt = self.home.embed(&Self::tokens(PROMPT))?;
        for &session in &sessions {
            self.shard.open_session(session, 512)?;
        }
        let begun = Instant::now();
        let mut last = Vec::new();
        for &session in &sessions {
            let rows = self.shard.forward(&session, 0, &prompt)?;
            last.push(rows[rows.len() - hidden..].to_vec());
        }
        for position in PROMPT..PROMPT + ANSWER {
            let rows: Vec<_> = last.iter().map(Vec::as_slice).collect();
            let mut inputs = Vec::new();
            for logits in self.home.logits_all(&rows) {
                inputs.push(self.home.embed(&[best(&logits?)?])?);
            }
            let start = u32::try_from(position)?;
            let steps = sessions.iter().zip(&inputs);
            let steps: Vec<_> =
                steps.map(|(&session, hidden)| Step { session, start, hidden }).collect();
            last = self.shard.forward_all(&steps).into_iter().collect::<Result<_, _>>()?;
        }
        let rate = (STREAMS * ANSWER) as f64 / begun.elapsed().as_secs_f64();
        for session in &sessions {
            self.shard.close_session(session);
        }
        Ok(rate)
    }
}

fn best(logits: &[f32]) -> Result<u32, Box<dyn Error>> {
    let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    Ok(u32::try_from(best.unwrap_or(0))?)
}
