//! Asks a node, streams the answer, checks its proof and keeps it.
//!
//! `cargo run -p comity-client --example ask -- 127.0.0.1:4702 data/client.token GENESIS "Why?"`
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{error::Error, io::Write as _, path::Path};

use comity_client::{Client, Credentials, Event, verify::verify};
use comity_protocol::{
    id::Digest,
    request::{ChatMessage, Generate, Prompt},
    sampler::Sampling,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [node, token, genesis, question] = arguments.as_slice() else {
        return Err("usage: ask IP:PORT TOKEN_FILE GENESIS QUESTION".into());
    };
    let genesis: Digest = genesis.parse()?;
    let client = Client::connect(node.parse()?, Credentials::token_file(Path::new(token))?).await?;

    let message = ChatMessage { role: "user".into(), content: question.clone() };
    let mut generation = client
        .generate(Generate {
            model: "smollm2-135m".into(),
            prompt: Prompt::Chat(vec![message]),
            sampling: Sampling { max_tokens: 64, ..Sampling::default() },
            policy: String::new(),
            nonce: Default::default(),
            stages_min: 0,
            rules: None,
        })
        .await?;
    while let Some(event) = generation.next().await {
        match event? {
            Event::Started(started) => {
                for stage in started.stages {
                    println!("blocks {} at {}", stage.blocks, stage.institution);
                }
            }
            Event::Token(token) => print!("{}", token.text),
        }
        std::io::stdout().flush()?;
    }
    let finished = generation.finish().await?;
    println!("{}", finished.tail);

    let report = verify(&finished.bundle, &genesis)?;
    println!("verified: complete {}, {} stages", report.complete, report.stages.len());
    std::fs::write("answer.bundle", &finished.bundle)?;
    client.close().await;
    Ok(())
}
