//! Stops an answer after a few tokens by dropping it; the node stops too.
//!
//! `cargo run -p comity-client --example cancel -- 127.0.0.1:4702 data/client.token`
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{error::Error, path::Path};

use comity_client::{Client, Credentials};
use comity_protocol::{
    request::{Generate, Prompt},
    sampler::Sampling,
};
use futures::{StreamExt as _, TryStreamExt as _};

/// Events to read before losing interest.
const EVENTS: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [node, token] = arguments.as_slice() else {
        return Err("usage: cancel IP:PORT TOKEN_FILE".into());
    };
    let client = Client::connect(node.parse()?, Credentials::token_file(Path::new(token))?).await?;
    let generation = client
        .generate(Generate {
            model: "smollm2-135m".into(),
            prompt: Prompt::Raw("Once upon a time".into()),
            sampling: Sampling::default(),
            policy: String::new(),
            nonce: Default::default(),
            stages_min: 0,
            rules: None,
        })
        .await?;
    // `take` owns the generation and drops it when it has had enough.
    let events: Vec<_> = generation.take(EVENTS).try_collect().await?;
    println!("{events:?}");
    client.close().await;
    Ok(())
}
