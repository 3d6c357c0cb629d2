//! The client plane: requests from strangers that are authorised once they are read. Not by whom.
//!
//! Any key completes the handshake; the request behind it carries what admits it. Until then a
//! client costs a bounded share of one budget.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use comity_protocol::{
    id::PeerKey,
    limits::{EVENT_BYTES_MAX, REQUEST_BYTES_MAX},
    refusal::Cause,
};
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use tokio::{
    sync::{Semaphore, mpsc, mpsc::error::TrySendError},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error};

use super::{
    BindError, DataConfig,
    accept::{self, Caller, Door},
    endpoint,
    stream::{Reader, StreamError, Writer},
};
use crate::net::{Plane, tls};

/// Requests that wait to be taken. More means the node is overloaded: they are reset.
const REQUESTS_CAPACITY: usize = 64;
/// Bytes that requests being received may take together: sixteen of the longest.
const BUDGET_BYTES: usize = 16 * REQUEST_BYTES_MAX;
/// How long a client may take to send one message once it has begun.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// A stream that a client opened.
#[derive(Debug)]
pub struct ClientRequest {
    /// The client's key, as proved in the handshake. Says nothing about its rights.
    pub peer: PeerKey,
    /// Where it calls from.
    pub address: SocketAddr,
    /// The stream.
    pub link: ClientLink,
}

/// Handle to the client plane: it works until its token is cancelled.
#[derive(Debug)]
pub struct ClientPlane {
    address: SocketAddr,
}

impl ClientPlane {
    /// Listens for clients and yields the streams they open.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(
        config: &DataConfig,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<(Self, mpsc::Receiver<ClientRequest>), BindError> {
        let tls = tls::server_config(&config.key, &[tls::CLIENT_ALPN]).map_err(BindError::Tls)?;
        let server = endpoint::server_config(tls, endpoint::client_transport())?;
        let (endpoint, address) = endpoint::bind(Plane::Client, config.listen, server, None)?;
        let (requests, taken) = mpsc::channel(REQUESTS_CAPACITY);
        let shared = Arc::new(Shared {
            requests,
            budget: Arc::new(Semaphore::new(BUDGET_BYTES)),
            tasks: tasks.clone(),
            cancel,
        });
        tasks.spawn(run(shared, endpoint));
        Ok((Self { address }, taken))
    }

    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }
}

#[derive(Debug)]
struct Shared {
    requests: mpsc::Sender<ClientRequest>,
    budget: Arc<Semaphore>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

async fn run(shared: Arc<Shared>, endpoint: Endpoint) {
    let door = Door::new(endpoint);
    loop {
        tokio::select! { biased;
            () = shared.cancel.cancelled() => break,
            caller = door.next() => match caller {
                Some(caller) => {
                    shared.tasks.spawn(welcome(Arc::clone(&shared), caller));
                }
                None => {
                    error!("the client plane's socket is lost");
                    break;
                }
            },
        }
    }
    door.shut().await;
}

async fn welcome(shared: Arc<Shared>, caller: Caller) {
    let Some((peer, connection)) = caller.greet().await else { return };
    tokio::select! { biased;
        () = shared.cancel.cancelled() => accept::close(&connection, Cause::Shutdown),
        () = serve(&shared, peer, &connection) => {}
    }
}

async fn serve(shared: &Shared, peer: PeerKey, connection: &Connection) {
    loop {
        let streams = match connection.accept_bi().await {
            Ok(streams) => streams,
            Err(error) => {
                debug!(client = %peer.short(), %error, "client gone");
                return;
            }
        };
        let address = connection.remote_address();
        let link = ClientLink::new(streams, Arc::clone(&shared.budget));
        match shared.requests.try_send(ClientRequest { peer, address, link }) {
            Ok(()) => {}
            Err(TrySendError::Full(request)) => request.link.refuse(Cause::Overloaded),
            Err(TrySendError::Closed(request)) => request.link.refuse(Cause::Shutdown),
        }
    }
}

/// One client's stream: length-prefixed messages both ways. Dropped unfinished, it is reset with
/// [`Cause::Cancelled`].
#[derive(Debug)]
pub struct ClientLink {
    writer: Writer,
    reader: Reader,
    budget: Arc<Semaphore>,
}

impl ClientLink {
    fn new((send, receive): (SendStream, RecvStream), budget: Arc<Semaphore>) -> Self {
        Self { writer: Writer::new(send), reader: Reader::new(receive), budget }
    }

    /// The next message; `None` if the client ended its direction well.
    ///
    /// Waits without limit for a message to begin and 30 s for the rest of it. Cancel-safe.
    ///
    /// # Errors
    /// [`StreamError`]; [`StreamError::Length`] and [`StreamError::Budget`] before memory is taken.
    pub async fn receive(&mut self) -> Result<Option<Bytes>, StreamError> {
        let Some(length) = self.reader.length(REQUEST_BYTES_MAX).await? else { return Ok(None) };
        let permits = u32::try_from(length).unwrap_or(u32::MAX);
        let _share =
            self.budget.try_acquire_many(permits).map_err(|_| StreamError::Budget(length))?;
        timeout(MESSAGE_TIMEOUT, self.reader.message(REQUEST_BYTES_MAX))
            .await
            .map_err(|_| StreamError::Timeout)?
    }

    /// Sends one message. Waits while the client's window is full; bound it with a timeout, lest a
    /// client that never reads holds its session. Not cancel-safe.
    ///
    /// # Errors
    /// [`StreamError`]; [`StreamError::TooLong`] before anything is sent.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), StreamError> {
        self.writer.message(message, EVENT_BYTES_MAX, Bytes::new()).await
    }

    /// Resolves when the client stops listening or is gone, with the reason. A client that merely
    /// ends its own direction is still there. Cancel-safe.
    pub async fn gone(&self) -> StreamError {
        self.writer.stopped().await
    }

    /// Ends our direction well; what was sent still arrives.
    pub fn finish(&mut self) {
        self.writer.finish();
    }

    /// Ends both directions at once, and says why.
    pub fn refuse(mut self, cause: Cause) {
        self.writer.reset(cause);
        self.reader.stop(cause);
    }
}
