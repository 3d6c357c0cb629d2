//! A node made of a script, for tests of what lies on this side of the wire.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
};

use comity_protocol::{
    block::BlockRange,
    id::{Digest, PeerKey, SessionId},
    receipt::{FinishReason, Sampling},
    request::{ClientEvent, ClientRequest, Finished, Generate, Prompt, StageInfo, Started, Token},
    signed::NodeKey,
    wire::Wire as _,
};
use tokio_util::task::TaskTracker;

use crate::{ALPN, Client, Credentials, tls};

/// Key of every fake node.
pub(crate) fn node_key() -> NodeKey {
    NodeKey::from_seed(&[1; 32])
}

/// A node that treats its first request as the script says.
pub(crate) struct Fake {
    pub(crate) addr: SocketAddr,
    tasks: TaskTracker,
}

/// The node's end of one request.
pub(crate) struct Exchange {
    pub(crate) connection: quinn::Connection,
    pub(crate) client: PeerKey,
    pub(crate) request: ClientRequest,
    pub(crate) send: quinn::SendStream,
    pub(crate) recv: quinn::RecvStream,
}

impl Fake {
    pub(crate) fn start<F: Future<Output = ()> + Send + 'static>(
        alpn: &[u8],
        script: impl FnOnce(Exchange) -> F + Send + 'static,
    ) -> Self {
        let config = tls::server_config(&node_key(), alpn);
        let endpoint = quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let (addr, tasks) = (endpoint.local_addr().unwrap(), TaskTracker::new());
        tasks.spawn(async move {
            let Ok(connection) = endpoint.accept().await.unwrap().await else { return };
            let client = tls::peer_of(&connection).unwrap();
            let Ok((send, mut recv)) = connection.accept_bi().await else { return };
            let mut length = [0; 4];
            recv.read_exact(&mut length).await.unwrap();
            let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
            recv.read_exact(&mut bytes).await.unwrap();
            let request = ClientRequest::decode(&bytes).unwrap();
            let held = connection.clone();
            script(Exchange { connection, client, request, send, recv }).await;
            // Until the client goes, so that what was sent arrives.
            held.closed().await;
            endpoint.wait_idle().await;
        });
        Self { addr, tasks }
    }

    /// A fake node and a client connected to it.
    pub(crate) async fn connected<F: Future<Output = ()> + Send + 'static>(
        script: impl FnOnce(Exchange) -> F + Send + 'static,
    ) -> (Self, Client) {
        let fake = Self::start(ALPN, script);
        let client = Client::connect(fake.addr, credentials()).await.unwrap();
        (fake, client)
    }

    /// Waits until the script is over, so that its assertions count.
    pub(crate) async fn join(self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Exchange {
    pub(crate) async fn event(&mut self, event: &ClientEvent) {
        let bytes = event.encode();
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        self.send.write_all(&length).await.unwrap();
        self.send.write_all(&bytes).await.unwrap();
    }
}

pub(crate) fn credentials() -> Credentials {
    Credentials::token("secret".into()).unwrap()
}

pub(crate) fn request(max_tokens: u32) -> Generate {
    Generate {
        model: "m".into(),
        prompt: Prompt::Raw("Hello".into()),
        sampling: Sampling { max_tokens, ..Sampling::default() },
        policy: String::new(),
        nonce: bytes::Bytes::new(),
        stages_min: 0,
        rules: None,
    }
}

pub(crate) fn started(prompt_tokens: u32) -> Started {
    Started {
        session: SessionId([2; 16]),
        prompt_tokens,
        stages: vec![StageInfo {
            institution: "alpha".into(),
            peer: node_key().public(),
            jurisdiction: "NL".into(),
            blocks: BlockRange::new(0, 3).unwrap(),
        }],
        manifest: Digest([3; 32]),
    }
}

pub(crate) fn token(position: u32, text: &str) -> ClientEvent {
    ClientEvent::Token(Token { id: 100 + position, text: text.into(), position })
}

pub(crate) fn finished(text: &str) -> Finished {
    Finished {
        reason: FinishReason::Stop,
        cause: None,
        text: text.into(),
        bundle: vec![9; 1_000].into(),
        first_token_ns: 5_000_000,
        decode_ns: 7_000_000,
        cached_tokens: 0,
    }
}
