//! The bytes each token stands for in text.

use std::collections::HashMap;

use super::{TokenKind, Vocabulary, model::SPACE};

/// Texts and kinds of all tokens, and how texts spell bytes.
#[derive(Debug)]
pub(super) struct TokenBytes {
    texts: Vec<String>,
    kinds: Vec<TokenKind>,
    /// Byte-level BPE: which byte each character of a text stands for. `None` in SentencePiece.
    alphabet: Option<HashMap<char, u8>>,
}

impl TokenBytes {
    pub(super) fn new(vocabulary: Vocabulary) -> Self {
        let alphabet = (vocabulary.model == "gpt2")
            .then(|| byte_alphabet().into_iter().zip(0..=u8::MAX).collect());
        Self { texts: vocabulary.texts, kinds: vocabulary.kinds, alphabet }
    }

    pub(super) const fn len(&self) -> usize {
        self.texts.len()
    }

    pub(super) fn text(&self, token: u32) -> Option<&str> {
        self.texts.get(token as usize).map(String::as_str)
    }

    /// Appends the bytes of `token`: none for control tokens and ids past the vocabulary.
    pub(super) fn append(&self, token: u32, out: &mut Vec<u8>) {
        let Some(text) = self.text(token) else { return };
        match (self.kinds[token as usize], &self.alphabet) {
            (TokenKind::Control, _) => {}
            (TokenKind::UserDefined, _) => out.extend(text.as_bytes()),
            (TokenKind::Byte, _) => out.extend(byte_of(text)),
            (TokenKind::Normal, Some(alphabet)) => {
                out.extend(text.chars().filter_map(|character| alphabet.get(&character)));
            }
            (TokenKind::Normal, None) => out.extend(text.replace(SPACE, " ").as_bytes()),
        }
    }
}

/// The byte of a token spelled `<0x0A>`.
fn byte_of(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

/// GPT-2's alphabet: printable Latin-1 stands for itself, the rest for U+0100 and on, in order.
pub(crate) fn byte_alphabet() -> [char; 256] {
    let mut next = 0x100;
    std::array::from_fn(|byte| match u8::try_from(byte) {
        Ok(byte @ (b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)) => char::from(byte),
        _ => {
            next += 1;
            char::from_u32(next - 1).expect("U+0100 to U+0143 are characters")
        }
    })
}
