//! Text to token ids and back, from a GGUF file's own metadata. Not the vocabulary's embedding.
//!
//! Byte-level BPE and SentencePiece run on `tokenizers`; control tokens are cut out here, so that
//! text from a user never becomes one. Source of the metadata's meaning: the GGUF specification.

mod bytes;
mod chat;
mod decoder;
mod model;
mod special;

use std::sync::Arc;

pub use chat::{ChatMessage, RenderError};
pub use decoder::TextDecoder;

pub(crate) use bytes::byte_alphabet;

use crate::{
    gguf::{Array, ValueError},
    model_file::ModelFile,
};
use bytes::TokenBytes;
use chat::Template;
use special::{Piece, Specials};

/// Texts of tokens that end a turn, whatever the metadata says of them.
const END_TEXTS: [&str; 7] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<|end|>",
    "<EOT>",
];
/// Texts of control tokens that some files list as user-defined.
const CONTROL_TEXTS: [&str; 3] = ["<start_of_turn>", "<start_of_image>", "<end_of_image>"];

/// Tokenizer and chat template of one model. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: tokenizers::Tokenizer,
    bytes: TokenBytes,
    specials: Specials,
    template: Option<Template>,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
    ends: Vec<u32>,
}

/// What a token is, in the numbers of the GGUF specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    Normal,
    Control,
    UserDefined,
    Byte,
}

/// The vocabulary as the metadata gives it.
struct Vocabulary {
    texts: Vec<String>,
    kinds: Vec<TokenKind>,
    scores: Vec<f64>,
    merges: Vec<String>,
    /// `gpt2` (byte-level BPE) or `llama` (SentencePiece).
    model: String,
    /// Name of the pre-tokenizer of byte-level BPE.
    pre: String,
    add_space_prefix: bool,
    unknown: Option<u32>,
}

/// Why a file's tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A value is missing or has the wrong type.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// Another tokenizer model.
    #[error("tokenizer model `{model}` is not supported (`gpt2` and `llama` are)")]
    Model {
        /// Name in the file.
        model: String,
    },
    /// Another pre-tokenizer.
    #[error("pre-tokenizer `{pre}` is not supported")]
    PreTokenizer {
        /// Name in the file.
        pre: String,
    },
    /// Two lists that belong together differ in length.
    #[error("metadata `{key}` has {got} elements, expected {expected}")]
    Length {
        /// Metadata key.
        key: &'static str,
        /// Elements in the file.
        got: usize,
        /// Elements expected.
        expected: usize,
    },
    /// A token id past the vocabulary.
    #[error("metadata `{key}` names token {token} of {vocab_size}")]
    Token {
        /// Metadata key.
        key: &'static str,
        /// Token id in the file.
        token: u64,
        /// Tokens the file has.
        vocab_size: usize,
    },
    /// The tokenizer library refused the vocabulary or merges.
    #[error("the tokenizer cannot be built")]
    Build(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The chat template does not parse.
    #[error("the chat template does not parse")]
    Template(#[source] Box<minijinja::Error>),
}

/// Why text was not tokenized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The chat template failed.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The tokenizer library failed.
    #[error("tokenizing failed")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Tokenizer {
    /// Builds the tokenizer of `file`.
    ///
    /// # Errors
    /// [`TokenizerError`] if metadata is missing, contradictory or of an unsupported kind.
    pub fn load(file: &ModelFile) -> Result<Self, TokenizerError> {
        let vocabulary = Vocabulary::read(file)?;
        let id = |key| vocabulary.token_id(file, key);
        let (bos, eos) = (id("tokenizer.ggml.bos_token_id")?, id("tokenizer.ggml.eos_token_id")?);
        let turn = id("tokenizer.ggml.eot_token_id")?;
        let named = (0_u32..).zip(&vocabulary.texts);
        let named = named.filter(|(_, text)| END_TEXTS.contains(&text.as_str()));
        let mut ends: Vec<u32> = named.map(|(id, _)| id).chain(eos).chain(turn).collect();
        ends.sort_unstable();
        ends.dedup();
        let sentence_pieces = vocabulary.model == "llama";
        let add_bos = file.header().integer("tokenizer.ggml.add_bos_token")?;
        let template = file.header().text(crate::model_file::TEMPLATE_KEY)?;
        let text_of = |id: Option<u32>| {
            id.and_then(|id| vocabulary.texts.get(id as usize)).cloned().unwrap_or_default()
        };
        let template = template
            .map(|source| Template::new(source, text_of(bos), text_of(eos)))
            .transpose()
            .map_err(|error| TokenizerError::Template(Box::new(error)))?;
        Ok(Self {
            inner: Arc::new(Inner {
                specials: Specials::new(&vocabulary),
                engine: model::build(&vocabulary)?,
                add_bos: bos.is_some() && add_bos.map_or(sentence_pieces, |flag| flag != 0),
                bytes: TokenBytes::new(vocabulary),
                template,
                bos,
                eos,
                ends,
            }),
        })
    }

    /// Tokenizes `text`, without a beginning-of-sequence token.
    ///
    /// With `parse_special` the text of a control token becomes that token, as template text needs;
    /// without it stays plain text, as text from a user must.
    ///
    /// # Errors
    /// [`EncodeError::Encode`] if the library fails.
    pub fn encode(&self, text: &str, parse_special: bool) -> Result<Vec<u32>, EncodeError> {
        let mut tokens = Vec::new();
        self.append(text, parse_special, &mut tokens)?;
        Ok(tokens)
    }

    /// Tokenizes a user's raw text, with a beginning-of-sequence token where the model wants one.
    ///
    /// # Errors
    /// [`EncodeError::Encode`] if the library fails.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, EncodeError> {
        let mut tokens = self.leading_bos();
        self.append(text, false, &mut tokens)?;
        Ok(tokens)
    }

    /// Renders messages with the model's chat template.
    ///
    /// # Errors
    /// [`RenderError`] if the model has no template, or it refuses the messages or runs too long.
    pub fn render_chat(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<String, RenderError> {
        let template = self.inner.template.as_ref().ok_or(RenderError::NoTemplate)?;
        template.render(messages, add_generation_prompt)
    }

    /// Renders messages with the chat template, ready for an answer, and tokenizes the result. Only
    /// the template's own text can become control tokens, never a message's role or content.
    ///
    /// # Errors
    /// [`EncodeError`] if rendering or tokenizing fails.
    pub fn encode_chat(&self, messages: &[ChatMessage]) -> Result<Vec<u32>, EncodeError> {
        let template = self.inner.template.as_ref().ok_or(RenderError::NoTemplate)?;
        let guard = template.guard(messages)?;
        let guarded: Vec<_> = messages
            .iter()
            .map(|message| ChatMessage {
                role: self.inner.specials.guard(&message.role, guard),
                content: self.inner.specials.guard(&message.content, guard),
            })
            .collect();
        let rendered = template.render(&guarded, true)?;
        let mut tokens = Vec::new();
        // Guarded texts do not match; what remains are the template's own.
        for piece in self.inner.specials.split(&rendered, true) {
            match piece {
                Piece::Token(token) => tokens.push(token),
                Piece::Text(text) => self.append(&text.replace(guard, ""), false, &mut tokens)?,
            }
        }
        let leading = self.leading_bos();
        if tokens.first() != leading.first() {
            tokens.splice(0..0, leading);
        }
        Ok(tokens)
    }

    /// Whether the file has a chat template.
    #[must_use]
    pub fn has_chat_template(&self) -> bool {
        self.inner.template.is_some()
    }

    /// Beginning-of-sequence token.
    #[must_use]
    pub fn bos(&self) -> Option<u32> {
        self.inner.bos
    }

    /// End-of-sequence token.
    #[must_use]
    pub fn eos(&self) -> Option<u32> {
        self.inner.eos
    }

    /// Tokens that end an answer, ascending.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.inner.ends
    }

    /// Whether `token` ends an answer: end of sequence or end of turn.
    #[must_use]
    pub fn is_end(&self, token: u32) -> bool {
        self.inner.ends.contains(&token)
    }

    /// Number of tokens.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.inner.bytes.len()
    }

    /// The token's text as the vocabulary spells it; `None` past the vocabulary.
    #[must_use]
    pub fn token_text(&self, token: u32) -> Option<&str> {
        self.inner.bytes.text(token)
    }

    /// A decoder for one answer.
    #[must_use]
    pub fn decoder(&self) -> TextDecoder {
        TextDecoder::new(self.clone())
    }

    /// Decodes a whole sequence; bytes that are no UTF-8 become U+FFFD.
    #[must_use]
    pub fn decode(&self, tokens: &[u32]) -> String {
        let mut decoder = self.decoder();
        let mut text: String = tokens.iter().filter_map(|&token| decoder.push(token)).collect();
        text.extend(decoder.flush());
        text
    }

    fn leading_bos(&self) -> Vec<u32> {
        self.inner.bos.filter(|_| self.inner.add_bos).into_iter().collect()
    }

    fn append(
        &self,
        text: &str,
        parse_special: bool,
        tokens: &mut Vec<u32>,
    ) -> Result<(), EncodeError> {
        for piece in self.inner.specials.split(text, parse_special) {
            match piece {
                Piece::Token(token) => tokens.push(token),
                Piece::Text(text) => {
                    let encoded = self.inner.engine.encode_fast(text, false);
                    tokens.extend(encoded.map_err(EncodeError::Encode)?.get_ids());
                }
            }
        }
        Ok(())
    }
}

impl Vocabulary {
    fn read(file: &ModelFile) -> Result<Self, TokenizerError> {
        let header = file.header();
        let texts = texts(file, "tokenizer.ggml.tokens")?.unwrap_or_default();
        same_length("tokenizer.ggml.tokens", texts.len(), file.config().vocab_size as usize)?;
        let kinds = match header.array("tokenizer.ggml.token_type")? {
            Some(Array::Integers(kinds)) => kinds.into_iter().map(TokenKind::from_number).collect(),
            _ => vec![TokenKind::Normal; texts.len()],
        };
        same_length("tokenizer.ggml.token_type", kinds.len(), texts.len())?;
        let scores = match header.array("tokenizer.ggml.scores")? {
            Some(Array::Floats(scores)) => scores,
            _ => vec![0.0; texts.len()],
        };
        same_length("tokenizer.ggml.scores", scores.len(), texts.len())?;
        let text = |key: &str| header.text(key).map(|text| text.unwrap_or_default().to_owned());
        let space = header.integer("tokenizer.ggml.add_space_prefix")?;
        let mut vocabulary = Self {
            texts,
            kinds,
            scores,
            merges: self::texts(file, "tokenizer.ggml.merges")?.unwrap_or_default(),
            model: text("tokenizer.ggml.model")?,
            pre: text("tokenizer.ggml.pre")?,
            add_space_prefix: space.is_none_or(|flag| flag != 0),
            unknown: None,
        };
        vocabulary.unknown = vocabulary.token_id(file, "tokenizer.ggml.unknown_token_id")?;
        for (text, kind) in vocabulary.texts.iter().zip(&mut vocabulary.kinds) {
            let listed =
                END_TEXTS.contains(&text.as_str()) || CONTROL_TEXTS.contains(&text.as_str());
            if listed {
                *kind = TokenKind::Control;
            }
        }
        Ok(vocabulary)
    }

    fn token_id(&self, file: &ModelFile, key: &'static str) -> Result<Option<u32>, TokenizerError> {
        let Some(token) = file.header().integer(key)? else { return Ok(None) };
        let vocab_size = self.texts.len();
        let id = u32::try_from(token).ok().filter(|&id| (id as usize) < vocab_size);
        id.map(Some).ok_or(TokenizerError::Token { key, token, vocab_size })
    }
}

impl TokenKind {
    const fn from_number(number: i64) -> Self {
        match number {
            2 | 3 | 5 => Self::Control,
            4 => Self::UserDefined,
            6 => Self::Byte,
            _ => Self::Normal,
        }
    }
}

fn texts(file: &ModelFile, key: &'static str) -> Result<Option<Vec<String>>, TokenizerError> {
    match file.header().array(key)? {
        Some(Array::Text(texts)) => Ok(Some(texts)),
        None => Ok(None),
        Some(_) => {
            let (key, expected) = (key.to_owned(), "an array of strings");
            Err(ValueError::Type { key, expected }.into())
        }
    }
}

const fn same_length(key: &'static str, got: usize, expected: usize) -> Result<(), TokenizerError> {
    if got == expected { Ok(()) } else { Err(TokenizerError::Length { key, got, expected }) }
}

#[cfg(test)]
mod tests;
