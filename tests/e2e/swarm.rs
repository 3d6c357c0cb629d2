//! A consortium in one process for a test: nodes, a model, and how to ask.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use comity_node::{
    commands::{note, pull},
    demo::{Demo, DemoSpec},
    executor::Usage,
    node::Node,
    sessions::Generation,
};
use comity_protocol::{
    bundle::{Report, verify},
    policy::Policy,
    receipt::Sampling,
    request::{ClientEvent, Finished, Generate, Prompt},
    speculation::DRAFTS_MAX,
};
use comity_shard::fixture;

/// Name of the test's model.
pub(crate) const MODEL: &str = "model";
/// Far beyond what any step of a test takes; only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Running nodes and their folder.
pub(crate) struct Swarm {
    pub(crate) demo: Demo,
    pub(crate) folder: tempfile::TempDir,
}

/// What a swarm runs.
struct Setup {
    model: PathBuf,
    nodes: u32,
    policies: Vec<Policy>,
    draft_tokens: u32,
    draft_file: Option<PathBuf>,
    prefix_cache: bool,
}

impl Default for Setup {
    fn default() -> Self {
        let (model, policies) = (PathBuf::new(), Vec::new());
        Self {
            model,
            nodes: 1,
            policies,
            draft_tokens: DRAFTS_MAX,
            draft_file: None,
            prefix_cache: true,
        }
    }
}

/// An answer and how it ended.
pub(crate) struct Answer {
    pub(crate) tokens: Vec<u32>,
    pub(crate) text: String,
    pub(crate) finished: Finished,
}

impl Swarm {
    /// `nodes` nodes that split the seeded tiny model.
    pub(crate) async fn of_fixture(nodes: u32) -> Self {
        Self::under(nodes, Vec::new()).await
    }

    /// The same, under a charter with `policies`.
    pub(crate) async fn under(nodes: u32, policies: Vec<Policy>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model.gguf");
        fixture::write_llama(&model, 1).unwrap();
        Self::start(folder, Setup { model, nodes, policies, ..Setup::default() }).await
    }

    /// The same, under an open charter, home guessing ahead up to `draft_tokens` tokens, with the
    /// model itself for a draft model or with none.
    pub(crate) async fn guessing(nodes: u32, draft_tokens: u32, draft_model: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model.gguf");
        fixture::write_llama(&model, 1).unwrap();
        let draft_file = draft_model.then(|| model.clone());
        let setup = Setup { model, nodes, draft_tokens, draft_file, ..Setup::default() };
        Self::start(folder, setup).await
    }

    /// `nodes` nodes that keep nothing of ended sessions.
    pub(crate) async fn forgetting(nodes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model.gguf");
        fixture::write_llama(&model, 1).unwrap();
        let setup = Setup { model, nodes, prefix_cache: false, ..Setup::default() };
        Self::start(folder, setup).await
    }

    /// `nodes` nodes that split the model in `file`.
    pub(crate) async fn of_file(file: PathBuf, nodes: u32) -> Self {
        let setup = Setup { model: file, nodes, ..Setup::default() };
        Self::start(tempfile::tempdir().unwrap(), setup).await
    }

    async fn start(folder: tempfile::TempDir, setup: Setup) -> Self {
        let Setup { model, nodes, policies, draft_tokens, draft_file, prefix_cache } = setup;
        let block_count = comity_shard::ModelFile::open(&model).unwrap().config().block_count;
        let spec = DemoSpec {
            folder: folder.path().to_owned(),
            model,
            name: MODEL.into(),
            block_count,
            nodes,
            policies,
            draft_tokens,
            draft_file,
            prefix_cache,
            data: Vec::new(),
        };
        Self { demo: Demo::start(&spec).await.unwrap(), folder }
    }

    pub(crate) fn home(&self) -> &Node {
        &self.demo.nodes[0]
    }

    /// Asks home and reads to the end.
    pub(crate) async fn ask(&self, request: Generate) -> Answer {
        read(self.home().generate(request).await.unwrap()).await
    }

    /// Verifies an answer's bundle from the genesis hash alone.
    pub(crate) fn verify(&self, answer: &Answer) -> Report {
        verify(&answer.finished.bundle, &self.demo.genesis).unwrap()
    }

    /// Waits until no node holds KV cache any more.
    pub(crate) async fn until_idle(&self) {
        for node in &self.demo.nodes {
            let mut usage = node.context().executor.usage_changes();
            let idle = |usage: &Usage| usage.sessions == 0 && usage.kv_bytes == 0;
            tokio::time::timeout(PATIENCE, usage.wait_for(idle)).await.unwrap().unwrap();
        }
    }

    pub(crate) async fn shutdown(self) {
        self.demo.shutdown().await;
        drop(self.folder);
    }
}

/// Reads an answer to its end.
pub(crate) async fn read(mut generation: Generation) -> Answer {
    let (mut tokens, mut text) = (Vec::new(), String::new());
    loop {
        match next(&mut generation).await {
            ClientEvent::Token(token) => {
                tokens.push(token.id);
                text.push_str(&token.text);
            }
            ClientEvent::Finished(finished) => {
                text.push_str(&finished.text);
                return Answer { tokens, text, finished };
            }
            _ => {}
        }
    }
}

/// The next event.
pub(crate) async fn next(generation: &mut Generation) -> ClientEvent {
    let event = tokio::time::timeout(PATIENCE, generation.events.recv());
    event.await.expect("nothing happens").expect("an answer ends with Finished")
}

/// A greedy request for `max_tokens` tokens after `text`.
pub(crate) fn request(text: &str, max_tokens: u32) -> Generate {
    Generate {
        model: MODEL.into(),
        prompt: Prompt::Raw(text.into()),
        sampling: Sampling { max_tokens, ..Sampling::default() },
        policy: String::new(),
        nonce: Bytes::new(),
        stages_min: 0,
        rules: None,
    }
}

/// The default model's file, fetched if need be; `None` if there is none and `COMITY_OFFLINE=1`.
pub(crate) async fn default_model() -> Option<PathBuf> {
    match pull::ensure_model(pull::DEFAULT, pull::for_people(true)).await {
        Ok(file) => Some(file),
        Err(error) if std::env::var("COMITY_OFFLINE").is_ok_and(|offline| offline == "1") => {
            note(&format!("SKIPPED: the default model cannot be had: {error}"));
            None
        }
        Err(error) => panic!("the default model cannot be had (COMITY_OFFLINE=1 skips): {error}"),
    }
}
