//! TLS of the data and client planes: who stands at the other end. Not whether they are admitted.
//!
//! Source: libp2p TLS specification, as `libp2p-tls` implements it: both sides present a self-signed
//! certificate that carries their Ed25519 key. Differs in the protocol names, which are ours, and in
//! neither resuming sessions nor writing their secrets to a key log.

use std::sync::Arc;

use comity_protocol::{id::PeerKey, signed::NodeKey};
use libp2p_identity::{Keypair, PeerId, PublicKey, ed25519};
use rustls::{ClientConfig, NoKeyLog, ServerConfig, client::Resumption, pki_types::CertificateDer};

/// Protocol name of the data plane.
pub const STAGE_ALPN: &[u8] = b"comity/stage/1";
/// Protocol name of the data plane's connections for chunks of prefill.
pub const BULK_ALPN: &[u8] = b"comity/bulk/1";
/// Protocol name of the client plane.
pub const CLIENT_ALPN: &[u8] = b"comity/client/1";

/// Why there is no TLS configuration, or no peer behind a certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer to dial has no valid key.
    #[error("peer {0} is no Ed25519 public key")]
    Peer(PeerKey),
    /// Our certificate could not be made.
    #[error("the certificate could not be made")]
    Certificate(#[source] libp2p_tls::certificate::GenError),
    /// The other side presented no certificate, or not exactly one.
    #[error("expected 1 certificate, got {0}")]
    Count(usize),
    /// The other side's certificate is not valid.
    #[error("the peer's certificate is not valid")]
    Parse(#[source] libp2p_tls::certificate::ParseError),
    /// The other side's identity is no Ed25519 key.
    #[error("peer {0} has no Ed25519 identity")]
    Identity(PeerId),
}

/// The listening side: presents `key`, requires a certificate, speaks only `alpns`.
///
/// # Errors
/// [`TlsError::Certificate`].
pub fn server_config(key: &NodeKey, alpns: &[&[u8]]) -> Result<ServerConfig, TlsError> {
    // The provider is named inside libp2p-tls: two are linked, and a builder without one panics.
    let mut config =
        libp2p_tls::make_server_config(&keypair(key)).map_err(TlsError::Certificate)?;
    config.alpn_protocols = alpns.iter().map(|alpn| alpn.to_vec()).collect();
    config.key_log = Arc::new(NoKeyLog {});
    // A resumed session would prove an older handshake's identity; ours are long-lived anyway.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The dialing side: presents `key`, accepts nobody but `peer`, speaks only `alpn`.
///
/// # Errors
/// [`TlsError::Peer`] or [`TlsError::Certificate`].
pub fn client_config(key: &NodeKey, alpn: &[u8], peer: &PeerKey) -> Result<ClientConfig, TlsError> {
    let mut config = libp2p_tls::make_client_config(&keypair(key), Some(peer_id(peer)?))
        .map_err(TlsError::Certificate)?;
    config.alpn_protocols = vec![alpn.to_vec()];
    config.key_log = Arc::new(NoKeyLog {});
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The peer that proved itself with `certificates` in a handshake.
///
/// # Errors
/// [`TlsError`] if they are not exactly one valid certificate of an Ed25519 identity.
pub fn peer_key(certificates: &[CertificateDer<'_>]) -> Result<PeerKey, TlsError> {
    let [certificate] = certificates else {
        return Err(TlsError::Count(certificates.len()));
    };
    let id = libp2p_tls::certificate::parse(certificate).map_err(TlsError::Parse)?.peer_id();
    peer_of(&id).ok_or(TlsError::Identity(id))
}

/// The libp2p identity of `key`.
#[must_use]
pub(crate) fn keypair(key: &NodeKey) -> Keypair {
    Keypair::ed25519_from_bytes(*key.seed()).expect("any 32 bytes are an Ed25519 seed")
}

/// The libp2p name of `peer`.
///
/// # Errors
/// [`TlsError::Peer`] if its bytes are no point of the curve.
pub(crate) fn peer_id(peer: &PeerKey) -> Result<PeerId, TlsError> {
    let public = ed25519::PublicKey::try_from_bytes(&peer.0).map_err(|_| TlsError::Peer(*peer))?;
    Ok(PublicKey::from(public).to_peer_id())
}

/// The peer with this libp2p name; `None` unless the name holds an Ed25519 key.
#[must_use]
pub(crate) fn peer_of(id: &PeerId) -> Option<PeerKey> {
    let public = PublicKey::try_decode_protobuf(id.as_ref().digest()).ok()?;
    let key = PeerKey(public.try_into_ed25519().ok()?.to_bytes());
    // The digest of some other hash could happen to parse; only the whole name proves the key.
    (peer_id(&key).ok()? == *id).then_some(key)
}

#[cfg(test)]
mod tests;
