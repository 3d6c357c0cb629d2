//! The native client port: one request per stream, authorised by key or loopback token.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use comity_protocol::{
    id::{Digest, PeerKey},
    refusal::Cause,
    request::{ClientEvent, ClientRequest, Generate, Refused, RequestKind},
    wire::Wire as _,
};
use tokio::{sync::mpsc, time::timeout};
use tracing::{Instrument as _, debug, info_span};

use crate::{
    net::data::{ClientLink, ClientRequest as Stream, StreamError},
    sessions::Context,
    status,
};

/// Longest wait for a client to take an event; a client that never reads is cut.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for a client's request once its stream is open.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The secret that admits clients of this machine; never printed.
#[derive(Clone)]
pub struct Token(Digest);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// The token whose file holds `secret` in hexadecimal.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Digest::of(hex::encode(secret).as_bytes()))
    }

    /// Whether `token` is it. Digests are compared, so the time taken tells nothing of the secret.
    fn matches(&self, token: &str) -> bool {
        self.0 == Digest::of(token.as_bytes())
    }
}

/// As whom a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admitted {
    /// Itself: receipts commit to its key.
    Key(PeerKey),
    /// Someone on this machine, with a key made up for the connection.
    Token,
}

/// Who may ask.
#[derive(Debug)]
pub struct Access {
    /// Keys of native clients.
    pub keys: HashSet<PeerKey>,
    /// Admits whoever can read the node's token file, from this machine alone.
    pub token: Option<Token>,
}

impl Access {
    /// As whom this client may ask; `None` if it may not.
    fn admits(&self, peer: &PeerKey, address: SocketAddr, token: &str) -> Option<Admitted> {
        let local = address.ip().to_canonical().is_loopback();
        if self.keys.contains(peer) {
            Some(Admitted::Key(*peer))
        } else if local && self.token.as_ref().is_some_and(|known| known.matches(token)) {
            Some(Admitted::Token)
        } else {
            None
        }
    }
}

/// Serves streams that clients open, until the client plane stops.
pub async fn serve(
    context: Arc<Context>,
    access: Arc<Access>,
    mut streams: mpsc::Receiver<Stream>,
) {
    while let Some(stream) = streams.recv().await {
        let (context, access) = (context.clone(), access.clone());
        let (tasks, span) =
            (context.tasks.clone(), info_span!("client", peer = %stream.peer.short()));
        let task = async move {
            let mut link = stream.link;
            let served = answer(&context, &access, stream.peer, stream.address, &mut link).await;
            match served {
                Ok(()) => link.finish(),
                Err(error) => debug!(%error, "client stream ended"),
            }
        };
        tasks.spawn(task.instrument(span));
    }
}

async fn answer(
    context: &Arc<Context>,
    access: &Access,
    peer: PeerKey,
    address: SocketAddr,
    link: &mut ClientLink,
) -> Result<(), StreamError> {
    let received = timeout(REQUEST_TIMEOUT, link.receive()).await;
    let Some(bytes) = received.map_err(|_| StreamError::Timeout)?? else { return Ok(()) };
    let request = match ClientRequest::decode(&bytes) {
        Ok(request) => request,
        Err(error) => return refuse(link, Cause::Limit, error.to_string()).await,
    };
    let Some(admitted) = access.admits(&peer, address, &request.token) else {
        let detail = format!("client {peer} is not listed, and brought no valid loopback token");
        return refuse(link, Cause::NotAdmitted, detail).await;
    };
    match request.kind {
        RequestKind::Status => {
            let json = status::status(context).await.to_string();
            send(link, &ClientEvent::Status(json)).await
        }
        RequestKind::Generate(generate) => {
            let client = match admitted {
                Admitted::Key(key) => Some(key),
                Admitted::Token => None,
            };
            stream(context, generate, client, link).await
        }
    }
}

/// Streams one answer; a client that leaves cancels it.
async fn stream(
    context: &Arc<Context>,
    generate: Generate,
    client: Option<PeerKey>,
    link: &mut ClientLink,
) -> Result<(), StreamError> {
    let mut generation = match context.generate(generate, client).await {
        Ok(generation) => generation,
        Err(error) => {
            let refused = error.refused();
            return refuse(link, refused.cause, refused.detail).await;
        }
    };
    loop {
        tokio::select! {
            event = generation.events.recv() => match event {
                Some(event) => send(link, &event).await?,
                None => return Ok(()),
            },
            // Clients say nothing after their request: this is the end of their stream, or a reset.
            gone = link.gone() => return Err(gone),
        }
    }
}

async fn refuse(link: &mut ClientLink, cause: Cause, detail: String) -> Result<(), StreamError> {
    send(link, &ClientEvent::Refused(Refused { cause, detail })).await
}

async fn send(link: &mut ClientLink, event: &ClientEvent) -> Result<(), StreamError> {
    timeout(SEND_TIMEOUT, link.send(&event.encode())).await.map_err(|_| StreamError::Timeout)?
}
