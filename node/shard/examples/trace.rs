//! Continues prompts greedily and prints what another implementation can be compared with:
//! `trace MODEL.gguf PROMPTS.txt [TOKENS] [--raw]`. One prompt per line, `\n` for a line break.
//!
//! Each line of output is one JSON object: token ids of the prompt and of the answer, and the eight
//! highest logits `[id, logit]` of every step.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{error::Error, path::Path};

use comity_protocol::{block::BlockRange, id::SessionId, manifest::Manifest};
use comity_shard::{ChatMessage, Home, ModelFile, Shard, Tokenizer};

/// Logits printed per step.
const TOP: usize = 8;

struct Model {
    manifest: Manifest,
    tokenizer: Tokenizer,
    home: Home,
    shard: Shard,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let raw = arguments.iter().position(|argument| argument == "--raw");
    let raw = raw.map(|index| arguments.remove(index)).is_some();
    let [path, prompts, rest @ ..] = arguments.as_slice() else {
        return Err("usage: trace MODEL.gguf PROMPTS.txt [TOKENS] [--raw]".into());
    };
    let count: usize = rest.first().map_or(Ok(32), |count| count.parse())?;
    let mut model = Model::load(Path::new(path))?;
    for prompt in std::fs::read_to_string(prompts)?.lines() {
        let prompt = prompt.replace("\\n", "\n");
        let tokens = if raw || !model.tokenizer.has_chat_template() {
            model.tokenizer.encode_prompt(&prompt)?
        } else {
            let message = ChatMessage { role: "user".to_owned(), content: prompt };
            model.tokenizer.encode_chat(&[message])?
        };
        let (answer, tops) = model.continue_greedily(&tokens, count)?;
        println!(r#"{{"prompt":{tokens:?},"answer":{answer:?},"top":{tops:?}}}"#);
    }
    Ok(())
}

impl Model {
    fn load(path: &Path) -> Result<Self, Box<dyn Error>> {
        let file = ModelFile::open(path)?;
        let manifest = file.manifest()?;
        let blocks = BlockRange::new(0, manifest.block_count)?;
        let (tokenizer, home) = (Tokenizer::load(&file)?, Home::load(&file, &manifest)?);
        let shard = Shard::load(&file, blocks, &manifest)?;
        Ok(Self { manifest, tokenizer, home, shard })
    }

    /// The answer's tokens, and the highest logits of every step.
    #[expect(clippy::type_complexity, reason = "printed as it is")]
    fn continue_greedily(
        &mut self,
        prompt: &[u32],
        count: usize,
    ) -> Result<(Vec<u32>, Vec<Vec<[f32; 2]>>), Box<dyn Error>> {
        let (session, hidden) = (SessionId([0; 16]), self.manifest.hidden_size as usize);
        self.shard.open_session(session, self.manifest.context_length.min(4_096))?;
        let mut rows = self.shard.forward(&session, 0, &self.home.embed(prompt)?)?;
        let mut position = u32::try_from(prompt.len())?;
        let (mut answer, mut tops) = (Vec::new(), Vec::new());
        while answer.len() < count {
            let logits = self.home.logits(&rows[rows.len() - hidden..])?;
            let mut order: Vec<u32> = (0..u32::try_from(logits.len())?).collect();
            let descending = |&a: &u32, &b: &u32| {
                logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b))
            };
            order.select_nth_unstable_by(TOP, descending);
            order.truncate(TOP);
            order.sort_by(descending);
            #[expect(clippy::cast_precision_loss, reason = "token ids are below 2^24")]
            tops.push(order.iter().map(|&id| [id as f32, logits[id as usize]]).collect());
            answer.push(order[0]);
            if self.tokenizer.is_end(order[0]) {
                break;
            }
            rows = self.shard.forward(&session, position, &self.home.embed(&order[..1])?)?;
            position += 1;
        }
        self.shard.close_session(&session);
        Ok((answer, tops))
    }
}
