//! Keys that sign notes: their names, ids and schemes. Not where they come from.

use crate::{
    id::{Digest, PeerKey},
    log::cosignature,
    signed::verify_text,
};

/// What a key signs, and how a line carries it. The number is part of the key's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Scheme {
    /// Ed25519 over the text.
    Note = 0x01,
    /// Ed25519 over the text and a time; see [`cosignature`].
    Cosignature = 0x04,
}

/// A key known to the reader of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    name: String,
    id: [u8; 4],
    peer: PeerKey,
    scheme: Scheme,
}

impl Key {
    /// The key `peer` under this name and scheme.
    #[must_use]
    pub fn new(name: impl Into<String>, peer: PeerKey, scheme: Scheme) -> Self {
        let name = name.into();
        let digest = Digest::of_parts(&[name.as_bytes(), &[b'\n', scheme as u8], &peer.0]);
        let [a, b, c, d, ..] = digest.0;
        Self { name, id: [a, b, c, d], peer, scheme }
    }

    /// The name in its lines.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256 of `name ‖ line feed ‖ scheme ‖ public key`: tells keys of
    /// one name apart, and proves nothing.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Whether `signature` over `text` holds, and the seconds it carries, if any.
    pub(super) fn check(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        match self.scheme {
            Scheme::Note => {
                verify_text(text, &self.peer, signature.try_into().ok()?).ok()?;
                Some(None)
            }
            Scheme::Cosignature => {
                let (seconds, signature) = cosignature::split(signature)?;
                let message = cosignature::message(seconds, text);
                verify_text(&message, &self.peer, signature).ok()?;
                Some(Some(seconds))
            }
        }
    }
}
