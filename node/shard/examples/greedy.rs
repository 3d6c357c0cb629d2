//! Continues a prompt greedily on one machine: `greedy MODEL.gguf PROMPT [TOKENS] [--raw]`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its user")]

use std::{error::Error, path::Path, time::Instant};

use comity_protocol::{block::BlockRange, id::SessionId};
use comity_shard::{ChatMessage, Home, ModelFile, Shard, Tokenizer};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let raw = arguments.iter().position(|argument| argument == "--raw");
    let raw = raw.map(|index| arguments.remove(index)).is_some();
    let [path, prompt, rest @ ..] = arguments.as_slice() else {
        return Err("usage: greedy MODEL.gguf PROMPT [TOKENS] [--raw]".into());
    };
    let count: usize = rest.first().map_or(Ok(64), |count| count.parse())?;
    let begun = Instant::now();
    let file = ModelFile::open(Path::new(path))?;
    let manifest = file.manifest()?;
    let tokenizer = Tokenizer::load(&file)?;
    let home = Home::load(&file, &manifest)?;
    let blocks = BlockRange::new(0, manifest.block_count)?;
    let mut shard = Shard::load(&file, blocks, &manifest)?;
    let session = SessionId([0; 16]);
    shard.open_session(session, manifest.context_length.min(4_096))?;
    let message = ChatMessage { role: "user".to_owned(), content: prompt.clone() };
    let tokens = if raw || !tokenizer.has_chat_template() {
        tokenizer.encode_prompt(prompt)?
    } else {
        tokenizer.encode_chat(&[message])?
    };
    let loaded = begun.elapsed();
    let begun = Instant::now();
    let mut position = u32::try_from(tokens.len())?;
    let mut rows = shard.forward(&session, 0, &home.embed(&tokens)?)?;
    let prefill = begun.elapsed();
    let begun = Instant::now();
    let hidden = manifest.hidden_size as usize;
    let mut decoder = tokenizer.decoder();
    let mut generated = 0;
    while generated < count {
        let logits = home.logits(&rows[rows.len() - hidden..])?;
        let best = (0..logits.len()).rev().max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        let token = u32::try_from(best.unwrap_or(0))?;
        generated += 1;
        if tokenizer.is_end(token) {
            break;
        }
        print!("{}", decoder.push(token).unwrap_or_default());
        rows = shard.forward(&session, position, &home.embed(&[token])?)?;
        position += 1;
    }
    println!("{}", decoder.flush().unwrap_or_default());
    let decode = begun.elapsed().as_secs_f64();
    eprintln!(
        "loaded in {loaded:.1?}; prefill {} tokens in {prefill:.1?}; decode {:.1} tokens/s; weights \
         {} MiB of blocks, {} MiB of home; KV {} KiB",
        tokens.len(),
        f64::from(u32::try_from(generated)?) / decode,
        shard.weight_bytes() >> 20,
        home.weight_bytes() >> 20,
        shard.kv_bytes() >> 10,
    );
    Ok(())
}
