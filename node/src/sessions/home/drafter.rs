//! The draft model's side of a session at home: guesses what the large model will say. Not which
//! guesses are sent, nor whether they are right.

use comity_protocol::{
    block::BlockRange, sampler::Sampler, session::home::Request, tensor::Hidden,
};
use tracing::debug;

use super::{Context, Job};
use crate::{
    executor::{Executor, Opening},
    model::DraftModel,
};

/// Positions of one pass over text the draft model has not seen.
const CHUNK_POSITIONS: usize = 128;

/// One session's draft model. Whatever fails there costs guesses, never the answer.
#[derive(Debug)]
pub(super) struct Drafter {
    executor: Executor,
    model: DraftModel,
    /// Draws as the answer is drawn: with the same noise, models that agree on the chances agree on
    /// the token.
    sampler: Sampler,
    opening: Opening,
    opened: bool,
    /// Tokens in the draft model's KV cache.
    held: Vec<u32>,
}

impl Drafter {
    /// For the answer to `request`; `None` without a draft model that can hold it.
    pub(super) fn new(context: &Context, job: &Job, request: &Request) -> Option<Self> {
        let (model, open) = (job.asked.model.draft.clone()?, &request.open);
        let fits = open.positions_max <= model.manifest.context_length;
        let blocks = BlockRange::new(0, model.manifest.block_count).ok().filter(|_| fits)?;
        let institution = job.open_record.institution.clone();
        let (session, positions_max) = (open.session, open.positions_max);
        let share = 1;
        let opening = Opening { session, institution, share, blocks, positions_max, prefix: None };
        let (executor, sampler) = (context.executor.clone(), request.sampler.clone());
        Some(Self { executor, model, sampler, opening, opened: false, held: Vec::new() })
    }

    /// Up to `most` tokens that may follow `tokens`; none if the draft model fails.
    pub(super) async fn draft(&mut self, tokens: Vec<u32>, most: u32) -> Vec<u32> {
        let known = tokens.len();
        match self.extend(tokens, most).await {
            Ok(mut tokens) => tokens.split_off(known),
            Err(error) => {
                debug!(%error, "no draft");
                self.held.clear();
                Vec::new()
            }
        }
    }

    async fn extend(&mut self, mut tokens: Vec<u32>, most: u32) -> Result<Vec<u32>, String> {
        if !self.opened {
            let opened = self.executor.open(self.model.key, self.opening.clone()).await;
            opened.map_err(|error| error.to_string())?;
            self.opened = true;
        }
        let same = |(held, token): &(&u32, &u32)| held == token;
        let common = self.held.iter().zip(&tokens).take_while(same).count();
        // The last token must run again if nothing is new, for its logits.
        self.held.truncate(common.min(tokens.len().saturating_sub(1)));
        for _ in 0..most {
            let Some(last) = self.catch_up(&tokens).await? else { break };
            let position = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
            let logits = self.executor.head(self.model.key, last).await;
            let logits = logits.map_err(|error| error.to_string())?.pop().unwrap_or_default();
            let token = self.sampler.sample(&logits, &tokens, position);
            tokens.push(token.map_err(|error| error.to_string())?);
        }
        Ok(tokens)
    }

    /// Runs the tokens not held yet; returns the last row.
    async fn catch_up(&mut self, tokens: &[u32]) -> Result<Option<Hidden>, String> {
        let mut last = None;
        while let Some(new) = tokens.get(self.held.len()..).filter(|new| !new.is_empty()) {
            let new = &new[..new.len().min(CHUNK_POSITIONS)];
            let values = self.model.home.embed(new).map_err(|error| error.to_string())?;
            let hidden = Hidden::from_values(&values, values.len() / new.len());
            let hidden = hidden.map_err(|error| error.to_string())?;
            let start = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
            let (key, session) = (self.model.key, self.opening.session);
            let pass = self.executor.forward(key, session, start, hidden).await;
            let pass = pass.map_err(|error| error.to_string())?.await;
            let rows = pass.map_err(|error| error.to_string())?;
            last = rows.rows(rows.positions() - 1..rows.positions());
            self.held.extend_from_slice(new);
        }
        Ok(last)
    }

    /// Frees the draft model's KV cache.
    pub(super) async fn close(&mut self) {
        if std::mem::take(&mut self.opened) {
            self.executor.close(self.model.key, self.opening.session).await;
        }
    }
}
