//! `comity model`: looks into a model file. Not the network it will run on.

use std::path::PathBuf;

use comity_protocol::{
    block::{BlockRange, BlockRangeError},
    id::SessionId,
    manifest::Manifest,
};
use comity_shard::{
    EmbedError, ForwardError, Home, LoadError, LogitsError, ModelFile, OpenError, OpenSessionError,
    ReadError, Shard,
};
use serde_json::{Value, json};

use super::{
    Outcome, print, print_json,
    pull::{self, PullError},
    shown,
};

/// The only session of a shard that nobody else uses.
const SESSION: SessionId = SessionId([0; 16]);

/// What `comity model` is told.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Architecture, blocks, types and bytes.
    #[command(after_help = "Example:\n  comity model inspect smollm2-135m")]
    Inspect(FileArgs),
    /// The manifest and its digest, which names the model in charters and receipts.
    #[command(after_help = "Example:\n  comity model manifest model.gguf --json")]
    Manifest(FileArgs),
    /// Logits after given tokens, to compare with another implementation.
    #[command(after_help = "Example:\n  comity model logits smollm2-135m --tokens 1,4093,198 \
        --json")]
    Logits(LogitsArgs),
}

/// Which model.
#[derive(Debug, clap::Args)]
pub struct FileArgs {
    /// Path of a GGUF file, or name of a model, which is pulled if need be.
    model: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What `comity model logits` is told.
#[derive(Debug, clap::Args)]
pub struct LogitsArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Token ids, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    tokens: Vec<u32>,
    /// How many of the best to print; JSON always has all.
    #[arg(long, default_value_t = 10)]
    top: usize,
}

/// Why a model cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The model is not there.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// The file is no model this program can run.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It has no blocks.
    #[error(transparent)]
    Range(#[from] BlockRangeError),
    /// Weights cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No session of this length is possible.
    #[error(transparent)]
    Session(#[from] OpenSessionError),
    /// A token is none of the model's.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The blocks failed.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// The head failed.
    #[error(transparent)]
    Logits(#[from] LogitsError),
}

/// Runs `comity model`.
///
/// # Errors
/// [`ModelError`] saying what is wrong with the file or the tokens.
pub async fn run(command: Command) -> Result<Outcome, ModelError> {
    match command {
        Command::Inspect(args) => show(&args, &inspect(&open(&args).await?), describe),
        Command::Manifest(args) => {
            let manifest = open(&args).await?.manifest()?;
            show(&args, &manifest_json(&manifest), describe_manifest);
        }
        Command::Logits(args) => {
            let logits = logits(&open(&args.file).await?, &args.tokens)?;
            if args.file.json {
                print_json(&json!({ "tokens": args.tokens, "logits": logits }));
            } else {
                print(&best(&logits, args.top));
            }
        }
    }
    Ok(Outcome::Done)
}

async fn open(args: &FileArgs) -> Result<ModelFile, ModelError> {
    let path: PathBuf = pull::ensure_model(&args.model, pull::for_people(args.json)).await?;
    Ok(ModelFile::open(&path)?)
}

fn show(args: &FileArgs, value: &Value, describe: fn(&Value) -> String) {
    if args.json {
        print_json(value);
    } else {
        print(&shown(&describe(value)));
    }
}

fn inspect(file: &ModelFile) -> Value {
    let config = file.config();
    let tensors: Vec<_> = file
        .tensors()
        .map(|tensor| {
            json!({
                "name": tensor.name,
                "kind": format!("{:?}", tensor.kind),
                "dims": tensor.dims,
                "bytes": tensor.bytes,
            })
        })
        .collect();
    json!({
        "name": config.name,
        "architecture": config.architecture.name(),
        "file_bytes": file.file_bytes(),
        "block_count": config.block_count,
        "block_bytes": (0..config.block_count).map(|i| file.block_bytes(i)).collect::<Vec<_>>(),
        "hidden_size": config.hidden_size,
        "feed_forward_size": config.feed_forward_size,
        "heads": config.heads,
        "kv_heads": config.kv_heads,
        "head_size": config.head_size,
        "vocab_size": config.vocab_size,
        "context_length": config.context_length,
        "chat_template": file.chat_template().is_some(),
        "tensors": tensors,
    })
}

fn describe(model: &Value) -> String {
    let text = |key: &str| model[key].to_string().trim_matches('"').to_owned();
    let keys = [
        "name",
        "architecture",
        "file_bytes",
        "block_count",
        "hidden_size",
        "feed_forward_size",
        "heads",
        "kv_heads",
        "head_size",
        "vocab_size",
        "context_length",
        "chat_template",
    ];
    let mut lines: Vec<_> = keys.iter().map(|key| format!("{key:<18} {}", text(key))).collect();
    let empty = Vec::new();
    let blocks = model["block_bytes"].as_array().unwrap_or(&empty);
    lines.extend(
        blocks.iter().enumerate().map(|(index, bytes)| format!("block {index:<12} {bytes} bytes")),
    );
    let mut kinds = std::collections::BTreeMap::<String, (u64, u64)>::new();
    for tensor in model["tensors"].as_array().unwrap_or(&empty) {
        let kind = kinds.entry(tensor["kind"].as_str().unwrap_or_default().to_owned());
        let (count, bytes) = kind.or_default();
        *count += 1;
        *bytes += tensor["bytes"].as_u64().unwrap_or_default();
    }
    lines.extend(
        kinds.iter().map(|(kind, (count, bytes))| {
            format!("type {kind:<13} {count} tensors, {bytes} bytes")
        }),
    );
    lines.join("\n") + "\n"
}

fn manifest_json(manifest: &Manifest) -> Value {
    json!({
        "digest": manifest.digest().to_string(),
        "name": manifest.name,
        "architecture": manifest.architecture,
        "block_count": manifest.block_count,
        "hidden_size": manifest.hidden_size,
        "vocab_size": manifest.vocab_size,
        "context_length": manifest.context_length,
        "embed": manifest.embed.to_string(),
        "blocks": manifest.blocks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "head": manifest.head.to_string(),
        "tokenizer": manifest.tokenizer.to_string(),
        "chat_template": manifest.chat_template.to_string(),
        "config": manifest.config.to_string(),
    })
}

fn describe_manifest(manifest: &Value) -> String {
    let text = |value: &Value| value.to_string().trim_matches('"').to_owned();
    let keys = ["digest", "name", "architecture", "block_count", "hidden_size", "vocab_size"];
    let parts = ["context_length", "config", "tokenizer", "chat_template", "embed", "head"];
    let keys = keys.iter().chain(&parts);
    let mut lines: Vec<_> =
        keys.map(|key| format!("{key:<16} {}", text(&manifest[*key]))).collect();
    let empty = Vec::new();
    let blocks = manifest["blocks"].as_array().unwrap_or(&empty).iter().enumerate();
    lines.extend(blocks.map(|(index, digest)| format!("block {index:<10} {}", text(digest))));
    lines.join("\n") + "\n"
}

/// Logits of the position after `tokens`, from one shard of all blocks.
fn logits(file: &ModelFile, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
    let manifest = file.manifest()?;
    let home = Home::load(file, &manifest)?;
    // Checked first: a wrong token should not wait for the blocks.
    let hidden = home.embed(tokens)?;
    let mut shard = Shard::load(file, BlockRange::new(0, manifest.block_count)?, &manifest)?;
    let positions = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
    shard.open_session(SESSION, positions)?;
    let rows = shard.forward(&SESSION, 0, &hidden)?;
    let last = rows.len().saturating_sub(manifest.hidden_size as usize);
    Ok(home.logits(&rows[last..])?)
}

/// The best tokens, best first; ties go to the lower id.
fn best(logits: &[f32], top: usize) -> String {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    let line = |token: &usize| format!("{token:>8}  {:.6}\n", logits[*token]);
    order.iter().take(top).map(line).collect()
}
