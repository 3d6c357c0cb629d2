//! TLS of the client plane: who stands at the other end. Not whether they are admitted.
//!
//! Source: libp2p TLS specification, as `libp2p-tls` implements it: both sides present a self-signed
//! certificate that carries their Ed25519 key. Differs in the protocol name, which is ours, and in
//! never writing session secrets to a key log.

use std::sync::Arc;

use comity_protocol::{id::PeerKey, signed::NodeKey};
use libp2p_identity::{Keypair, PeerId, PublicKey, ed25519};
use quinn::{
    crypto::rustls::{NoInitialCipherSuite, QuicClientConfig},
    rustls::{NoKeyLog, pki_types::CertificateDer},
};

/// Why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The pinned peer is no Ed25519 key.
    #[error("pinned peer {0} is no Ed25519 public key")]
    Peer(PeerKey),
    /// The certificate could not be made.
    #[error("the certificate could not be made")]
    Certificate(#[source] libp2p_tls::certificate::GenError),
    /// The provider of cryptography lacks what QUIC needs.
    #[error("the TLS provider lacks the cipher suite QUIC starts with")]
    Suite(#[source] NoInitialCipherSuite),
}

/// The client's side: presents `key`, accepts only `peer` if one is given.
pub(crate) fn client_config(
    key: &NodeKey,
    peer: Option<PeerKey>,
    alpn: &[u8],
) -> Result<quinn::ClientConfig, TlsError> {
    let pinned = peer.map(peer_id).transpose()?;
    // The provider is named inside libp2p-tls: two are linked, and a builder without one panics.
    let mut tls =
        libp2p_tls::make_client_config(&keypair(key), pinned).map_err(TlsError::Certificate)?;
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls.key_log = Arc::new(NoKeyLog {});
    let quic = QuicClientConfig::try_from(tls).map_err(TlsError::Suite)?;
    Ok(quinn::ClientConfig::new(Arc::new(quic)))
}

/// The peer that proved itself in the handshake; `None` if its certificate carries no Ed25519 key.
pub(crate) fn peer_of(connection: &quinn::Connection) -> Option<PeerKey> {
    let identity = connection.peer_identity()?;
    let certificates = identity.downcast_ref::<Vec<CertificateDer<'static>>>()?;
    let certificate = libp2p_tls::certificate::parse(certificates.first()?).ok()?;
    let id = certificate.peer_id();
    let public = PublicKey::try_decode_protobuf(id.as_ref().digest()).ok()?;
    Some(PeerKey(public.try_into_ed25519().ok()?.to_bytes()))
}

fn keypair(key: &NodeKey) -> Keypair {
    Keypair::ed25519_from_bytes(*key.seed()).expect("any 32 bytes are an Ed25519 seed")
}

fn peer_id(peer: PeerKey) -> Result<PeerId, TlsError> {
    let public = ed25519::PublicKey::try_from_bytes(&peer.0).map_err(|_| TlsError::Peer(peer))?;
    Ok(PublicKey::from(public).to_peer_id())
}

#[cfg(test)]
pub(crate) fn server_config(key: &NodeKey, alpn: &[u8]) -> quinn::ServerConfig {
    let mut tls = libp2p_tls::make_server_config(&keypair(key)).unwrap();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let quic = quinn::crypto::rustls::QuicServerConfig::try_from(tls).unwrap();
    quinn::ServerConfig::with_crypto(Arc::new(quic))
}
