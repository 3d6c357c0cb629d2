//! A QUIC handshake without cryptography: packets of the right size, in the clear. Not security.
//!
//! Keys and random bytes of TLS would differ from run to run and cost more than all else. Lengths are
//! those of AES-GCM, so that packets hold as much payload as real ones.

use std::{any::Any, io::Cursor, sync::Arc};

use bytes::BytesMut;
use quinn_proto::{
    ConnectError, ConnectionId, Side, TransportError,
    crypto::{
        AeadKey, ClientConfig, CryptoError, ExportKeyingMaterialError, HandshakeTokenKey,
        HeaderKey, HmacKey, KeyPair, Keys, PacketKey, ServerConfig, Session, UnsupportedVersion,
    },
    transport_parameters::TransportParameters,
};

/// Bytes of the tag behind each packet.
const TAG_BYTES: usize = 16;
/// Bytes that a header key looks at.
const SAMPLE_BYTES: usize = 16;
/// What ends a handshake, each way.
const FINISHED: &[u8] = b"finished";

/// All keys and configurations in one, for none of them does anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Null;

impl Null {
    fn keys() -> Keys {
        let header = KeyPair {
            local: Box::new(Self) as Box<dyn HeaderKey>,
            remote: Box::new(Self) as Box<dyn HeaderKey>,
        };
        Keys { header, packet: Self::packet_keys() }
    }

    fn packet_keys() -> KeyPair<Box<dyn PacketKey>> {
        KeyPair { local: Box::new(Self), remote: Box::new(Self) }
    }
}

/// One side of a handshake: parameters in the first message, then a word each way.
struct Handshake {
    side: Side,
    ours: Vec<u8>,
    theirs: Option<TransportParameters>,
    sent: u8,
    finished: bool,
}

impl Handshake {
    fn new(side: Side, parameters: &TransportParameters) -> Self {
        let mut ours = Vec::new();
        parameters.write(&mut ours);
        Self { side, ours, theirs: None, sent: 0, finished: false }
    }
}

impl Session for Handshake {
    fn initial_keys(&self, _: &ConnectionId, _: Side) -> Keys {
        Null::keys()
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        None
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        None
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        !self.finished
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        if self.theirs.is_some() {
            self.finished = true;
            return Ok(false);
        }
        self.theirs = Some(TransportParameters::read(self.side, &mut Cursor::new(buf))?);
        Ok(true)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        Ok(self.theirs)
    }

    /// Called until it has nothing to say, and again after each message of the other side.
    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let step = (self.side, self.sent);
        let keys = match step {
            (Side::Client, 0) => {
                buf.extend_from_slice(&self.ours);
                None
            }
            (Side::Server, 0) => {
                buf.extend_from_slice(&self.ours);
                Some(Null::keys())
            }
            (Side::Server, 1) => {
                buf.extend_from_slice(FINISHED);
                Some(Null::keys())
            }
            (Side::Client, 1) if self.theirs.is_some() => Some(Null::keys()),
            (Side::Client, 2) if self.finished => {
                buf.extend_from_slice(FINISHED);
                Some(Null::keys())
            }
            _ => return None,
        };
        self.sent += 1;
        keys
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        Some(Null::packet_keys())
    }

    fn is_valid_retry(&self, _: &ConnectionId, _: &[u8], _: &[u8]) -> bool {
        false
    }

    fn export_keying_material(
        &self,
        _: &mut [u8],
        _: &[u8],
        _: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        Err(ExportKeyingMaterialError)
    }
}

impl ClientConfig for Null {
    fn start_session(
        self: Arc<Self>,
        _: u32,
        _: &str,
        parameters: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        Ok(Box::new(Handshake::new(Side::Client, parameters)))
    }
}

impl ServerConfig for Null {
    fn initial_keys(&self, _: u32, _: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        Ok(Self::keys())
    }

    fn retry_tag(&self, _: u32, _: &ConnectionId, _: &[u8]) -> [u8; 16] {
        [0; 16]
    }

    fn start_session(
        self: Arc<Self>,
        _: u32,
        parameters: &TransportParameters,
    ) -> Box<dyn Session> {
        Box::new(Handshake::new(Side::Server, parameters))
    }
}

impl PacketKey for Null {
    fn encrypt(&self, _: u64, _: &mut [u8], _: usize) {}

    fn decrypt(&self, _: u64, _: &[u8], payload: &mut BytesMut) -> Result<(), CryptoError> {
        let rest = payload.len().checked_sub(TAG_BYTES).ok_or(CryptoError)?;
        payload.truncate(rest);
        Ok(())
    }

    fn tag_len(&self) -> usize {
        TAG_BYTES
    }

    fn confidentiality_limit(&self) -> u64 {
        u64::MAX
    }

    fn integrity_limit(&self) -> u64 {
        u64::MAX
    }
}

impl HeaderKey for Null {
    fn decrypt(&self, _: usize, _: &mut [u8]) {}

    fn encrypt(&self, _: usize, _: &mut [u8]) {}

    fn sample_size(&self) -> usize {
        SAMPLE_BYTES
    }
}

impl HmacKey for Null {
    fn sign(&self, _: &[u8], signature: &mut [u8]) {
        // Not zero: what ends like a reset token is a reset, and tags are zeros.
        signature.fill(0xA5);
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, _: &[u8], _: &[u8]) -> Result<(), CryptoError> {
        Ok(())
    }
}

impl HandshakeTokenKey for Null {
    fn aead_from_hkdf(&self, _: &[u8]) -> Box<dyn AeadKey> {
        Box::new(Self)
    }
}

impl AeadKey for Null {
    fn seal(&self, data: &mut Vec<u8>, _: &[u8]) -> Result<(), CryptoError> {
        data.resize(data.len() + TAG_BYTES, 0);
        Ok(())
    }

    fn open<'a>(&self, data: &'a mut [u8], _: &[u8]) -> Result<&'a mut [u8], CryptoError> {
        let rest = data.len().checked_sub(TAG_BYTES).ok_or(CryptoError)?;
        Ok(&mut data[..rest])
    }
}
