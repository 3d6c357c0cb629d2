//! What only home holds: token embedding, final norm and head. Not sampling: `protocol::sampler`.

use std::sync::Arc;

use comity_protocol::manifest::Manifest;

use crate::{
    block::Tensors,
    kernels::{Activations, Compute, settle},
    linear::{ComputeError, Linear, products},
    math,
    model_file::{ModelFile, Part},
    norm::RmsNorm,
    shard::{LoadError, check_manifest},
};

/// Embedding and head of a model.
#[derive(Debug)]
pub struct Home {
    hidden_size: usize,
    embedding_scale: f32,
    logit_cap: Option<f32>,
    /// One matrix where the model ties embedding and head.
    embedding: Arc<Linear>,
    norm: RmsNorm,
    head: Arc<Linear>,
    compute: Compute,
}

/// Why tokens were not embedded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// A token id past the vocabulary.
    #[error("token {token} is not in a vocabulary of {vocab_size}")]
    Token {
        /// Token id.
        token: u32,
        /// Tokens the model has.
        vocab_size: usize,
    },
    /// The look-up failed.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

/// Why no logits were computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogitsError {
    /// Not one row.
    #[error("hidden state has {got} values, expected {expected}")]
    Length {
        /// Values given.
        got: usize,
        /// Values of one row.
        expected: usize,
    },
    /// A value is NaN or infinite.
    #[error("hidden state is not finite")]
    InputNotFinite,
    /// A logit is NaN or infinite.
    #[error("logit of token {token} is not finite")]
    OutputNotFinite {
        /// First such token.
        token: usize,
    },
    /// The product failed.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

impl Home {
    /// Reads embedding, final norm and head of `file` and checks them against `manifest`.
    ///
    /// # Errors
    /// [`LoadError`] naming the part and tensors that are not what the manifest says.
    pub fn load(file: &ModelFile, manifest: &Manifest) -> Result<Self, LoadError> {
        check_manifest(file, manifest)?;
        let config = file.config();
        let mut tensors = Tensors::read(file, Part::Embed, manifest.embed)?;
        let mut embedding = tensors.linear("token_embd.weight")?;
        settle(embedding.lines_mut());
        let embedding = Arc::new(embedding);
        let mut tensors = Tensors::read(file, Part::Head, manifest.head)?;
        let norm = tensors.norm("output_norm.weight", config)?;
        let tied = file.header().tensor("output.weight").is_none();
        let head = if tied {
            Arc::clone(&embedding)
        } else {
            let mut head = tensors.linear("output.weight")?;
            settle(head.lines_mut());
            Arc::new(head)
        };
        Ok(Self {
            hidden_size: config.hidden_size as usize,
            embedding_scale: config.embedding_scale,
            logit_cap: config.logit_cap,
            embedding,
            norm,
            head,
            compute: Compute::shared(),
        })
    }

    /// Sets what the head runs on; a fresh home uses [`Compute::shared`].
    pub fn set_compute(&mut self, compute: Compute) {
        self.compute = compute;
    }

    /// Bytes of weights in memory; a tied matrix counts once.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        let tied = Arc::ptr_eq(&self.embedding, &self.head);
        let head = if tied { 0 } else { self.head.bytes() };
        self.embedding.bytes() + self.norm.bytes() + head
    }

    /// Embeds `tokens`: to `[tokens, hidden]` f32.
    ///
    /// # Errors
    /// [`EmbedError::Token`] naming a token id past the vocabulary.
    pub fn embed(&self, tokens: &[u32]) -> Result<Vec<f32>, EmbedError> {
        let vocab_size = self.embedding.outputs();
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocab_size) {
            return Err(EmbedError::Token { token, vocab_size });
        }
        let mut rows = Vec::with_capacity(tokens.len() * self.hidden_size);
        for &token in tokens {
            self.embedding.row(token as usize, &mut rows)?;
        }
        for value in &mut rows {
            *value *= self.embedding_scale;
        }
        Ok(rows)
    }

    /// Final norm and head over one row: `[hidden]` f32 to `[vocab]` f32 logits.
    ///
    /// # Errors
    /// [`LogitsError`] if the row has another length, or it or a logit is not finite.
    pub fn logits(&self, hidden_row: &[f32]) -> Result<Vec<f32>, LogitsError> {
        let mut results = self.logits_all(&[hidden_row]);
        results.pop().unwrap_or(Err(LogitsError::InputNotFinite))
    }

    /// Like [`Self::logits`] for several rows, which reads the head once for all of them; results
    /// are in the order of `rows`, and their bytes are those of each row alone.
    pub fn logits_all(&self, rows: &[&[f32]]) -> Vec<Result<Vec<f32>, LogitsError>> {
        let checked: Vec<_> = rows.iter().map(|row| self.check(row)).collect();
        let good = rows.iter().zip(&checked).filter(|(_, checked)| checked.is_ok());
        let hidden: Vec<f32> = good.flat_map(|(row, _)| row.iter().copied()).collect();
        let (mut x, mut logits) = (Vec::new(), Vec::new());
        let made = if hidden.is_empty() {
            Ok(())
        } else {
            self.norm.forward(&self.compute, &hidden, &mut x);
            let count = hidden.len() / self.hidden_size;
            let product = [(&*self.head, &mut logits)];
            products(&self.compute, &x, count, &mut Activations::default(), product)
        };
        let mut logits = logits.chunks_exact(self.head.outputs());
        let result = |checked: Result<(), LogitsError>| {
            checked?;
            made.clone()?;
            self.finish(logits.next().unwrap_or_default())
        };
        checked.into_iter().map(result).collect()
    }

    fn check(&self, row: &[f32]) -> Result<(), LogitsError> {
        let (got, expected) = (row.len(), self.hidden_size);
        if got != expected {
            return Err(LogitsError::Length { got, expected });
        }
        let finite = row.iter().all(|value| value.is_finite());
        if finite { Ok(()) } else { Err(LogitsError::InputNotFinite) }
    }

    /// Caps one row's logits and refuses any that are not finite.
    fn finish(&self, logits: &[f32]) -> Result<Vec<f32>, LogitsError> {
        let mut logits = logits.to_vec();
        if let Some(cap) = self.logit_cap {
            for logit in &mut logits {
                *logit = cap * math::tanh(*logit / cap);
            }
        }
        match logits.iter().position(|logit| !logit.is_finite()) {
            Some(token) => Err(LogitsError::OutputNotFinite { token }),
            None => Ok(logits),
        }
    }
}
