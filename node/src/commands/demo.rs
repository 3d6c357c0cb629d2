//! `comity demo`: three institutions on this machine answer one prompt together and prove it.
//!
//! Not a simulation: see [`crate::demo`].

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use comity_client::{Client, Credentials, Event, Finished, verify::verify};
use comity_protocol::{
    id::Digest,
    policy::Policy,
    receipt::FinishReason,
    request::{ChatMessage, Generate, Prompt, Started},
    speculation::DRAFTS_MAX,
};
use comity_shard::ModelFile;
use serde_json::{Value, json};

use super::{Outcome, policy::PolicyArgs, print, print_json, pull, sampling::SamplingArgs};
use crate::{
    cache::Cache,
    demo::{Demo, DemoSpec, NODES_MAX},
};

/// What `comity demo` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comity demo\n  comity demo --nodes 2 --prompt \"Name three \
    rivers\"\n  comity demo --prompt \"What is the capital of France?\" --temperature 0 --json\n  \
    comity demo --only-in NL,DE\n\nThe last one is refused: the third institution is in FR. So is \
    --policy nl-de, which says the same.")]
pub struct Args {
    /// Nodes, each of an institution of its own.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=i64::from(NODES_MAX)))]
    nodes: u32,
    /// Name of a model, or path of a GGUF file.
    #[arg(long, default_value = pull::DEFAULT)]
    model: String,
    /// What to ask.
    #[arg(long, default_value = "What is the capital of France?")]
    prompt: String,
    /// Take the prompt as it is, without the model's chat template.
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Most guesses sent along with one token; 0 for none. They change its speed alone.
    #[arg(long, default_value_t = DRAFTS_MAX, value_parser = clap::value_parser!(u32).range(0..=i64::from(DRAFTS_MAX)))]
    draft_tokens: u32,
    /// Where to keep the proof; by default in the cache folder.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Print one JSON object at the end, and nothing else.
    #[arg(long)]
    json: bool,
}

/// Why the demonstration failed.
#[derive(Debug, thiserror::Error)]
#[error("{context}")]
pub struct DemoCommandError {
    context: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

fn because<E: std::error::Error + Send + Sync + 'static>(
    context: &'static str,
) -> impl FnOnce(E) -> DemoCommandError {
    move |source| DemoCommandError { context, source: Box::new(source) }
}

/// Runs the demonstration; done if the answer ended well and its proof holds.
///
/// # Errors
/// [`DemoCommandError`]; nodes and their folders are gone then.
pub async fn run(args: Args) -> Result<Outcome, DemoCommandError> {
    let sampling = args.sampling.sampling().map_err(because("sampling"))?;
    let path = pull::ensure_model(&args.model, pull::for_people(args.json))
        .await
        .map_err(because("the model could not be had"))?;
    let model = ModelFile::open(&path).map_err(because("the model cannot be used"))?;
    let folder = tempfile::tempdir().map_err(because("no temporary folder"))?;
    let spec = DemoSpec {
        folder: folder.path().to_owned(),
        model: path,
        name: args.model.clone(),
        block_count: model.config().block_count,
        nodes: args.nodes,
        policies: vec![nl_de()],
        draft_tokens: args.draft_tokens,
        draft_file: None,
        prefix_cache: true,
        data: Vec::new(),
    };
    drop(model);
    note(&args, &format!("starting {} nodes ...", args.nodes));
    let demo = Demo::start(&spec).await.map_err(because("the consortium did not start"))?;
    let request = Generate {
        model: args.model.clone(),
        prompt: prompt(&args),
        sampling,
        policy: args.policy.name(),
        nonce: Bytes::new(),
        stages_min: args.nodes,
        rules: args.policy.rules().map(Box::new),
    };
    let result = tokio::select! {
        result = ask(&args, &demo, request) => result,
        _ = tokio::signal::ctrl_c() => {
            Err(because("stopped")(io::Error::from(io::ErrorKind::Interrupted)))
        }
    };
    let genesis = demo.genesis;
    demo.shutdown().await;
    report(&args, genesis, &result?)
}

/// The policy of the demonstration's charter: not where the third institution is.
fn nl_de() -> Policy {
    let countries = ["NL", "DE"].map(|code| code.parse().expect("a country code"));
    Policy { allowed_jurisdictions: countries.into(), ..Policy::open("nl-de") }
}

fn prompt(args: &Args) -> Prompt {
    let content = args.prompt.clone();
    if args.raw {
        return Prompt::Raw(content);
    }
    Prompt::Chat(vec![ChatMessage { role: "user".to_owned(), content }])
}

async fn ask(args: &Args, demo: &Demo, request: Generate) -> Result<Finished, DemoCommandError> {
    let home = &demo.nodes[0];
    let credentials =
        Credentials::token_file(home.token_file()).map_err(because("client token"))?;
    let client = Client::connect(home.client_address(), credentials.pinned(home.peer()))
        .await
        .map_err(because("home does not answer"))?;
    let mut generation = client.generate(request).await.map_err(because("request"))?;
    let mut out = io::stdout();
    loop {
        match generation.next().await {
            Some(Ok(Event::Started(started))) => note(args, &route(&started)),
            Some(Ok(Event::Token(token))) if !args.json => {
                // A closed pipe ends the show, not the proof.
                let _ = out.write_all(token.text.as_bytes()).and_then(|()| out.flush());
            }
            Some(Ok(Event::Token(_))) => {}
            Some(Err(error)) => return Err(because("the request failed")(error)),
            None => break,
        }
    }
    let finished = generation.finish().await.map_err(because("the request failed"))?;
    if !args.json {
        let _ = out.write_all(finished.tail.as_bytes()).and_then(|()| out.write_all(b"\n"));
    }
    client.close().await;
    Ok(finished)
}

fn report(args: &Args, genesis: Digest, finished: &Finished) -> Result<Outcome, DemoCommandError> {
    let verdict = verify(&finished.bundle, &genesis);
    let path = keep(args.receipt.as_deref(), finished)?;
    let verified = verdict.as_ref().is_ok_and(|report| report.complete);
    let well = !matches!(finished.reason, FinishReason::Error | FinishReason::Cancelled);
    let rate = rate(finished);
    if args.json {
        let object = json!({
            "text": finished.text,
            "token_ids": finished.token_ids,
            "model": args.model,
            "manifest": finished.started.as_ref().map(|started| started.manifest.to_string()),
            "stages": stages(finished.started.as_ref()),
            "finish_reason": finished.reason.as_str(),
            "cause": finished.cause.as_ref().map(ToString::to_string),
            "tokens_per_second": rate,
            "ttft_ms": finished.first_token.as_secs_f64() * 1e3,
            "receipt": path.display().to_string(),
            "verified": verified,
            "witnessed": false,
            "genesis": genesis.to_string(),
        });
        print_json(&object);
    } else {
        print(&format!(
            "\n{} tokens, {rate:.1} tokens/s, first after {:.0} ms\n",
            finished.token_ids.len(),
            finished.first_token.as_secs_f64() * 1e3,
        ));
        if let Some(cause) = &finished.cause {
            print(&format!("ended badly: {cause}\n"));
        }
        match &verdict {
            Ok(_) if verified => print("proof: every stage signed, every signature holds\n"),
            Ok(_) => print("proof: incomplete, some stage left positions unsigned\n"),
            Err(error) => print(&format!("proof: does not hold: {error}\n")),
        }
        print(&format!("check it: comity verify {} --genesis {genesis}\n", path.display()));
    }
    Ok(if verified && well { Outcome::Done } else { Outcome::Failed })
}

fn route(started: &Started) -> String {
    let stage = |stage: &comity_protocol::request::StageInfo| {
        format!("  blocks {:<9} {} ({})", stage.blocks, stage.institution, stage.jurisdiction)
    };
    let stages: Vec<_> = started.stages.iter().map(stage).collect();
    format!("{} stages:\n{}", stages.len(), stages.join("\n"))
}

fn stages(started: Option<&Started>) -> Value {
    let stage = |stage: &comity_protocol::request::StageInfo| {
        json!({
            "institution": stage.institution,
            "peer": stage.peer.to_string(),
            "jurisdiction": stage.jurisdiction,
            "blocks": [stage.blocks.start(), stage.blocks.end()],
        })
    };
    started.map_or_else(Vec::new, |started| started.stages.iter().map(stage).collect()).into()
}

/// Tokens per second of decoding: the first token ends prefill, so it does not count.
fn rate(finished: &Finished) -> f64 {
    let tokens = u32::try_from(finished.token_ids.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let seconds = finished.decode.as_secs_f64();
    if seconds > 0.0 { f64::from(tokens) / seconds } else { 0.0 }
}

/// Writes the bundle where the user can find it again.
fn keep(path: Option<&Path>, finished: &Finished) -> Result<PathBuf, DemoCommandError> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => {
            let cache = Cache::user().map_err(because("cache folder"))?;
            let session = finished
                .started
                .as_ref()
                .map_or_else(|| "unopened".to_owned(), |started| started.session.to_string());
            cache.receipt(&session)
        }
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(because("the receipt could not be kept"))?;
    }
    std::fs::write(&path, &finished.bundle).map_err(because("the receipt could not be kept"))?;
    Ok(path)
}

/// Progress for people, on standard error so that the answer can be piped.
fn note(args: &Args, text: &str) {
    if !args.json {
        super::note(text);
    }
}
