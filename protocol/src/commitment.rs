//! Salted commitments to what only the holder may see. Not signatures.
//!
//! An unsalted digest would tell anyone whether a guess was the prompt. The salt is drawn for each
//! request and erased with its body; what is signed then says nothing about it any more.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroize as _;

use crate::id::Digest;

/// Label of one row of hidden states. See [`Chain`].
const ROW: &str = "row";

/// Key of a request's commitments: 32 random bytes. Wiped when dropped and never printed.
#[derive(Clone)]
pub struct Salt([u8; 32]);

impl Salt {
    /// The salt with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the stages of the request and for its holder alone.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA-256 under this salt of `label ‖ 0 ‖ bytes`; the label keeps one kind of value from
    /// passing for another.
    #[must_use]
    pub fn commit(&self, label: &'static str, bytes: &[u8]) -> Digest {
        self.commit_parts(label, &[bytes])
    }

    fn commit_parts(&self, label: &'static str, parts: &[&[u8]]) -> Digest {
        debug_assert!(!label.contains('\0'), "the label ends at its first zero");
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(label.as_bytes());
        mac.update(&[0]);
        for part in parts {
            mac.update(part);
        }
        Digest(mac.finalize().into_bytes().into())
    }
}

impl Drop for Salt {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PartialEq for Salt {
    /// Takes the same time wherever two salts differ.
    fn eq(&self, other: &Self) -> bool {
        let difference =
            self.0.iter().zip(&other.0).fold(0, |all, (left, right)| all | (left ^ right));
        std::hint::black_box(difference) == 0
    }
}

impl Eq for Salt {}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(..)")
    }
}

/// Running commitment to the rows that crossed one boundary, one per position.
///
/// With `link(p)` = HMAC-SHA-256(salt, "row" ‖ 0 ‖ p as 4 little-endian bytes ‖ SHA-256(row bytes)),
/// `head(0)` is 32 zeros and `head(p + 1)` = SHA-256(`head(p)` ‖ `link(p)`). Both ends of a boundary
/// see the same bytes, so a sender's output head equals the next receiver's input head exactly when
/// nothing changed on the way. How the rows were cut into steps does not matter.
///
/// The digests of rows stay with who saw the rows; they let a later session with another salt commit
/// to rows that are no longer there.
///
/// Memory: 64 bytes per position; every head is kept, so cutting back costs nothing.
#[derive(Debug, Clone)]
pub struct Chain {
    salt: Salt,
    /// `heads[p]` covers positions `[0, p)`; never empty.
    heads: Vec<Digest>,
    /// SHA-256 of each row; one fewer than heads.
    rows: Vec<Digest>,
}

impl Chain {
    /// A chain over no positions.
    #[must_use]
    pub fn new(salt: Salt) -> Self {
        Self { salt, heads: vec![Digest::ZERO], rows: Vec::new() }
    }

    /// Takes `rows`, consecutive rows of `row_bytes` bytes from position `start` on; what was held
    /// at `start` and after it is forgotten first.
    ///
    /// # Panics
    /// If `start` is past [`Self::positions`] or `rows` are no whole rows: the session machines
    /// refuse such steps before they come here.
    pub fn append(&mut self, start: u32, rows: &[u8], row_bytes: usize) {
        assert!(start <= self.positions(), "row {start} follows position {}", self.positions());
        assert!(row_bytes > 0 && rows.len().is_multiple_of(row_bytes), "rows are whole");
        self.truncate(start);
        self.extend(rows.chunks_exact(row_bytes).map(Digest::of));
    }

    /// Takes the rows that follow by their SHA-256.
    pub fn extend(&mut self, rows: impl IntoIterator<Item = Digest>) {
        for row in rows {
            let position = self.positions().to_le_bytes();
            let link = self.salt.commit_parts(ROW, &[&position, &row.0]);
            self.heads.push(Digest::of_parts(&[&self.head().0, &link.0]));
            self.rows.push(row);
        }
    }

    /// Forgets `position` and all after it; nothing if it is not held.
    pub fn truncate(&mut self, position: u32) {
        self.heads.truncate((position as usize).saturating_add(1));
        self.rows.truncate(position as usize);
    }

    /// SHA-256 of each row held.
    #[must_use]
    pub fn rows(&self) -> &[Digest] {
        &self.rows
    }

    /// The commitment to all positions held.
    #[must_use]
    pub fn head(&self) -> Digest {
        self.head_at(self.positions())
    }

    /// The commitment to positions `[0, positions)`.
    ///
    /// # Panics
    /// If fewer are held.
    #[must_use]
    pub fn head_at(&self, positions: u32) -> Digest {
        self.heads[positions as usize]
    }

    /// Number of positions held.
    #[must_use]
    pub fn positions(&self) -> u32 {
        u32::try_from(self.heads.len() - 1).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
