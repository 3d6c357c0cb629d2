//! Token ids to text, one at a time. Emits only whole characters.

use super::Tokenizer;

/// Decodes one answer as it streams in.
#[derive(Debug)]
pub struct TextDecoder {
    tokenizer: Tokenizer,
    /// Bytes of a character not yet complete, at most three.
    pending: Vec<u8>,
}

impl TextDecoder {
    pub(super) const fn new(tokenizer: Tokenizer) -> Self {
        Self { tokenizer, pending: Vec::new() }
    }

    /// Takes one token; returns the text that is now certain, if any. Control tokens have none.
    /// Bytes that can be no UTF-8 become U+FFFD.
    pub fn push(&mut self, token: u32) -> Option<String> {
        self.tokenizer.inner.bytes.append(token, &mut self.pending);
        let mut text = String::new();
        let mut done = 0;
        for chunk in self.pending.utf8_chunks() {
            text.push_str(chunk.valid());
            done += chunk.valid().len();
            let invalid = chunk.invalid();
            let open = done + invalid.len() == self.pending.len() && may_go_on(invalid);
            if !invalid.is_empty() && !open {
                text.push(char::REPLACEMENT_CHARACTER);
                done += invalid.len();
            }
        }
        self.pending.drain(..done);
        (!text.is_empty()).then_some(text)
    }

    /// Ends the answer: a character cut off becomes U+FFFD.
    pub fn flush(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }
}

/// Whether more bytes could make `bytes` a character.
fn may_go_on(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}
