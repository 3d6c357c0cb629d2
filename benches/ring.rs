//! A consortium in this process and a connection to its home. Not what is asked.

use comity_client::{Client, Credentials, Finished, verify::verify};
use comity_node::demo::{DataPlace, Demo, DemoSpec};
use comity_protocol::{
    receipt::Sampling,
    request::{Generate, Prompt},
};
use tempfile::TempDir;

use crate::harness::Bench;

/// Name of the model in the consortium.
const MODEL: &str = "model";

/// Real nodes, each of an institution of its own: real keys, QUIC, signatures and files.
pub(crate) struct Ring {
    pub(crate) stages: u32,
    pub(crate) demo: Demo,
    pub(crate) client: Client,
    folder: TempDir,
}

/// What makes answers come sooner than the links and stages alone would. Nothing by default: benches
/// ask the same again and again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shortcuts {
    /// Most guesses home sends with a token.
    pub(crate) draft_tokens: u32,
    /// Whether stages keep what they computed for a prompt.
    pub(crate) prefix_cache: bool,
}

impl Ring {
    /// On loopback.
    pub(crate) async fn start(bench: &Bench, stages: u32) -> Self {
        Self::start_at(bench, stages, Vec::new(), Shortcuts::default()).await
    }

    /// With data planes where `data` says.
    pub(crate) async fn start_at(
        bench: &Bench,
        stages: u32,
        data: Vec<DataPlace>,
        shortcuts: Shortcuts,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let spec = DemoSpec {
            folder: folder.path().to_owned(),
            model: bench.path.clone(),
            name: MODEL.to_owned(),
            block_count: bench.file.config().block_count,
            nodes: stages,
            policies: Vec::new(),
            draft_tokens: shortcuts.draft_tokens,
            draft_file: None,
            prefix_cache: shortcuts.prefix_cache,
            data,
        };
        let demo = Demo::start(&spec).await.expect("the consortium starts");
        let home = &demo.nodes[0];
        let credentials = Credentials::token_file(home.token_file()).expect("a token");
        let client = Client::connect(home.client_address(), credentials.pinned(home.peer()))
            .await
            .expect("home answers");
        Self { stages, demo, client, folder }
    }

    /// A greedy request over all stages.
    pub(crate) fn request(&self, prompt: &str, max_tokens: u32) -> Generate {
        Generate {
            model: MODEL.to_owned(),
            prompt: Prompt::Raw(prompt.to_owned()),
            sampling: Sampling { max_tokens, ..Sampling::default() },
            policy: String::new(),
            nonce: bytes::Bytes::new(),
            stages_min: self.stages,
            rules: None,
        }
    }

    /// Panics unless every stage signed the answer.
    pub(crate) fn check(&self, finished: &Finished) {
        let verified = verify(&finished.bundle, &self.demo.genesis).expect("the proof holds");
        assert!(verified.complete, "every stage signed");
        assert_eq!(verified.stages.len(), self.stages as usize, "as many stages as asked for");
    }

    /// Stops all; the nodes' folders stay as long as what is returned.
    pub(crate) async fn stop(self) -> TempDir {
        self.client.close().await;
        self.demo.shutdown().await;
        self.folder
    }
}
