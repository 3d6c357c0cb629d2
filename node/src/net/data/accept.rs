//! Who is let in, and the task that serves each connection. Not how peers are dialed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use comity_protocol::{id::PeerKey, refusal::Cause};
use quinn::{Connection, ConnectionError, Endpoint, rustls::pki_types::CertificateDer};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc::error::TrySendError},
    time::{interval, timeout},
};
use tracing::{Instrument as _, debug, error, info_span};

use super::{
    Incoming, Shared, code, contact, contact::Contact, lane::Lane, link::Link, stream::Reader, told,
};
use crate::net::tls::{self, TlsError};

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Handshakes under way. Past half of them, callers must prove that their address is theirs.
const HANDSHAKES_MAX: usize = 64;
/// Connections of an endpoint.
const CONNECTIONS_MAX: usize = 512;
/// How often chunks that nobody asks for are looked for.
const EXPIRY: Duration = Duration::from_secs(10);
/// How long close frames may take to leave when the node stops.
const LINGER: Duration = Duration::from_secs(1);

/// Hands out handshakes, as long as there is room for more.
#[derive(Debug)]
pub(super) struct Door {
    endpoint: Endpoint,
    handshakes: Arc<Semaphore>,
}

/// A caller to shake hands with. Its place is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Caller {
    incoming: quinn::Incoming,
    _place: OwnedSemaphorePermit,
}

impl Door {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)) }
    }

    /// The next caller there is room for; `None` once the endpoint is closed. Cancel-safe.
    pub(super) async fn next(&self) -> Option<Caller> {
        loop {
            let incoming = self.endpoint.accept().await?;
            let busy = self.handshakes.available_permits() < HANDSHAKES_MAX / 2;
            if busy && !incoming.remote_address_validated() {
                if let Err(error) = incoming.retry() {
                    debug!(%error, "no retry");
                }
                continue;
            }
            let full = self.endpoint.open_connections() >= CONNECTIONS_MAX;
            match Arc::clone(&self.handshakes).try_acquire_owned() {
                Ok(place) if !full => return Some(Caller { incoming, _place: place }),
                _ => incoming.refuse(),
            }
        }
    }

    /// Closes every connection and waits a moment for the close frames to leave.
    pub(super) async fn shut(&self) {
        self.endpoint.close(code(Cause::Shutdown), Cause::Shutdown.as_str().as_bytes());
        // What has not left by then finds out by its idle timeout.
        let _ = timeout(LINGER, self.endpoint.wait_idle()).await;
    }
}

impl Caller {
    /// Completes the handshake; `None` if it fails or proves no key.
    pub(super) async fn greet(self) -> Option<(PeerKey, Connection)> {
        let address = self.incoming.remote_address();
        let connection = match timeout(HANDSHAKE_TIMEOUT, self.incoming).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                debug!(%address, %error, "handshake failed");
                return None;
            }
            Err(_) => {
                debug!(%address, "handshake took too long");
                return None;
            }
        };
        match peer_of(&connection) {
            Ok(peer) => Some((peer, connection)),
            Err(error) => {
                debug!(%address, %error, "no peer behind the certificate");
                close(&connection, Cause::NotAdmitted);
                None
            }
        }
    }
}

pub(super) fn close(connection: &Connection, cause: Cause) {
    connection.close(code(cause), cause.as_str().as_bytes());
}

fn peer_of(connection: &Connection) -> Result<PeerKey, TlsError> {
    let identity = connection.peer_identity();
    let certificates = identity
        .as_ref()
        .and_then(|identity| identity.downcast_ref::<Vec<CertificateDer<'static>>>());
    tls::peer_key(certificates.map_or(&[], Vec::as_slice))
}

/// Accepts connections until the node stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let door = Door::new(shared.endpoint.clone());
    loop {
        tokio::select! { biased;
            () = shared.cancel.cancelled() => break,
            caller = door.next() => match caller {
                Some(caller) => {
                    shared.tasks.spawn(welcome(Arc::clone(&shared), caller));
                }
                None => {
                    error!("the data plane's socket is lost");
                    break;
                }
            },
        }
    }
    door.shut().await;
}

async fn welcome(shared: Arc<Shared>, caller: Caller) {
    let Some((peer, connection)) = caller.greet().await else { return };
    match Lane::of(&connection) {
        // A refusal is told to the peer by the close code, and logged.
        Some(lane) => drop(adopt(&shared, peer, &connection, lane)),
        None => close(&connection, Cause::Violation),
    }
}

/// Serves `connection` from now on, or closes it and says why.
pub(super) fn adopt(
    shared: &Arc<Shared>,
    peer: PeerKey,
    connection: &Connection,
    lane: Lane,
) -> Result<(), Cause> {
    // Strangers first: they take no memory here.
    let taken = match shared.admission.borrow().contains(&peer) {
        true => shared.neighbours.insert(peer, lane, connection).ok_or(Cause::Overloaded),
        false => Err(Cause::NotAdmitted),
    };
    let number = taken.inspect_err(|cause| {
        debug!(peer = %peer.short(), address = %connection.remote_address(), %cause, "refused");
        close(connection, *cause);
    })?;
    if lane == Lane::Steps {
        shared.tell(Contact::Met(peer));
    }
    let span = info_span!("data", peer = %peer.short(), lane = lane.as_str());
    let served = serve(Arc::clone(shared), peer, connection.clone(), (lane, number));
    shared.tasks.spawn(served.instrument(span));
    Ok(())
}

/// Takes the peer's links or chunks until the connection or the node ends, or the peer is no longer
/// admitted.
async fn serve(
    shared: Arc<Shared>,
    peer: PeerKey,
    connection: Connection,
    (lane, number): (Lane, u32),
) {
    let mut admission = shared.admission.clone();
    let ended = tokio::select! { biased;
        () = shared.cancel.cancelled() => Some(Cause::Shutdown),
        // Also when nobody decides any more who is admitted.
        _ = admission.wait_for(|admitted| !admitted.contains(&peer)) => Some(Cause::NotAdmitted),
        error = take(&shared, peer, &connection, lane) => match error {
            Some(error) => {
                debug!(%error, "connection ended");
                if lane == Lane::Steps {
                    lost(&shared, peer, &error);
                }
                None
            }
            None => Some(Cause::Violation),
        },
    };
    if let Some(cause) = ended {
        debug!(%cause, "closing the connection");
        close(&connection, cause);
    }
    if let Some(telemetry) = shared.telemetry.get() {
        telemetry.tell(told::path(&peer, number, &connection));
    }
    shared.neighbours.sweep(peer, lane);
    if lane == Lane::Steps {
        shared.losses.forget(connection.remote_address());
    }
}

/// Takes what the peer opens, until the connection ends; `None` if it opens what does not belong in
/// the lane.
async fn take(
    shared: &Arc<Shared>,
    peer: PeerKey,
    connection: &Connection,
    lane: Lane,
) -> Option<ConnectionError> {
    let mut ticks = interval(EXPIRY);
    loop {
        tokio::select! {
            streams = connection.accept_bi() => match (lane, streams) {
                (_, Err(error)) => return Some(error),
                (Lane::Steps, Ok(streams)) => {
                    deliver(shared, peer, Link::new(shared, peer, connection.clone(), streams));
                }
                (Lane::Bulk, Ok(_)) => return None,
            },
            stream = connection.accept_uni() => match (lane, stream) {
                (_, Err(error)) => return Some(error),
                (Lane::Bulk, Ok(stream)) => {
                    shared.tasks.spawn(arrive(Arc::clone(shared), peer, Reader::new(stream)));
                }
                (Lane::Steps, Ok(_)) => return None,
            },
            _ = ticks.tick(), if lane == Lane::Bulk => {
                shared.arrivals.expire(peer, Instant::now());
            }
        }
    }
}

/// Reads which chunk a stream brings. Ends with the connection at the latest.
async fn arrive(shared: Arc<Shared>, peer: PeerKey, mut reader: Reader) {
    match reader.number().await {
        Ok(number) => {
            if let Err(mut reader) = shared.arrivals.arrive((peer, number), reader, Instant::now())
            {
                reader.stop(Cause::Violation);
            }
        }
        Err(error) => debug!(peer = %peer.short(), %error, "a chunk without a number"),
    }
}

fn lost(shared: &Shared, peer: PeerKey, error: &ConnectionError) {
    let another = shared.neighbours.live(peer, Lane::Steps).is_some();
    if let Some(silent) = contact::silence(error).filter(|_| !another) {
        shared.tell(Contact::Lost { peer, silent });
    }
}

fn deliver(shared: &Shared, peer: PeerKey, link: Link) {
    match shared.incoming.try_send(Incoming { peer, link }) {
        Ok(()) => {}
        Err(TrySendError::Full(Incoming { link, .. })) => link.refuse(Cause::Overloaded),
        Err(TrySendError::Closed(Incoming { link, .. })) => link.refuse(Cause::Shutdown),
    }
}
