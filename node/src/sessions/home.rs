//! Takes a prompt: tokenizes, routes, then drives one [`Home`](comity_protocol::session::home::Home)
//! machine to a bundle, or several one after the other until one opens. Decides nothing about the
//! sessions themselves.

mod attempt;
mod drafter;
mod driver;
mod error;
mod prefixes;
mod prompt;
mod retry;
mod routing;
mod stages;
mod timing;

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use comity_protocol::{
    block::BlockRange,
    charter::Charter,
    id::{Digest, PeerKey},
    policy::Policy,
    prefix::{PrefixKey, Scope},
    receipt::Sampling,
    refusal::{Cause, Fault, Refusal},
    request::{ClientEvent, Generate},
    sampler::Sampler,
    session::{attempts::Attempts, home::Ending},
};
pub use error::GenerateError;
use prefixes::Known;
pub use prefixes::Prefixes;
pub use routing::Planning;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(super) use self::attempt::Job;
use self::{
    prompt::{Rendered, tokenize},
    retry::Answering,
};
use super::Context;
use crate::model::HomeModel;

/// Events a client may have waiting: about two seconds of tokens. A client that reads slower slows
/// its own session down, nobody else's.
const CLIENT_EVENTS: usize = 64;

/// One answer being generated. Dropping it cancels the request.
#[derive(Debug)]
pub struct Generation {
    /// What happens, in order; the last is [`ClientEvent::Finished`].
    pub events: mpsc::Receiver<ClientEvent>,
    _cancel: DropGuard,
}

/// What a client asked for, whichever stages answer it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) model: HomeModel,
    pub(super) digest: Digest,
    pub(super) sampling: Sampling,
    sampler: Sampler,
    /// Name of the policy, and the request's own rules on top.
    policy: (String, Option<Policy>),
    stages_min: u32,
    pub(super) nonce: Bytes,
    pub(super) rendered: Rendered,
    pub(super) prompt_tokens: u32,
    /// Most positions that prompt and answer may take.
    positions_max: u32,
    /// Who asked; none for whoever holds the node's own token, or this process.
    pub(super) client: Option<PeerKey>,
    arrived: Instant,
}

impl Context {
    /// Takes a prompt of `client`, if it has a key of its own, and starts answering it.
    ///
    /// # Errors
    /// [`GenerateError`] before anything of the prompt leaves this node.
    pub async fn generate(
        self: &Arc<Self>,
        generate: Generate,
        client: Option<PeerKey>,
    ) -> Result<Generation, GenerateError> {
        let arrived = Instant::now();
        let slot = self.slots.clone().try_acquire_owned().map_err(|_| GenerateError::Overloaded)?;
        let (digest, model) = self.home_model(&generate.model)?;
        let sampler = Sampler::new(&generate.sampling)?;
        let named = (generate.policy, generate.rules.map(|rules| *rules));
        // Before there is any work with the prompt.
        policy(self.directory.chain().current(), &named)?;
        let rendered = Rendered::of(&generate.prompt, &model.manifest);
        let prompt = tokenize(model.clone(), generate.prompt).await?;
        let asked = Arc::new(Asked {
            positions_max: positions(&model, prompt.len(), generate.sampling.max_tokens)?,
            prompt_tokens: u32::try_from(prompt.len()).unwrap_or(u32::MAX),
            model,
            digest,
            sampling: generate.sampling,
            sampler,
            policy: named,
            stages_min: generate.stages_min,
            nonce: generate.nonce,
            rendered,
            client,
            arrived,
        });
        let attempts = Attempts::new(self.clock.now(), self.me);
        let first = self.attempt(&asked, &prompt, &attempts).await?;
        let (sender, events) = mpsc::channel(CLIENT_EVENTS);
        let cancel = CancellationToken::new();
        let client = (sender, cancel.clone());
        let answering = Answering::new(self.clone(), asked, attempts, slot, client);
        self.tasks.spawn(answering.run(first));
        Ok(Generation { events, _cancel: cancel.drop_guard() })
    }

    /// Names of the prompt's first pages, as far as stages may hold them. The last token is always
    /// sent: what follows it is asked for.
    fn held(
        &self,
        model: &HomeModel,
        policy: &Policy,
        key: Option<&PrefixKey>,
        prompt: &[u32],
    ) -> Known {
        let (Some(key), Some((_, before))) = (key, prompt.split_last()) else {
            return Known::default();
        };
        let Some(scope) = self.scope(model, policy) else { return Known::default() };
        self.prefixes.known(self.clock.now(), &scope, key.tags(before))
    }

    /// Remembers what became of the pages of a session that ended.
    fn learn(&self, job: &Job, ending: &Ending) {
        let Some(scope) = self.scope(&job.asked.model, &job.policy) else { return };
        let (now, stages) = (self.clock.now(), job.route.stages());
        // Stages may have dropped what they kept, or keep nothing whatever they are asked.
        let found_nothing = job.returns && ending.cached == 0;
        if ending.refusal.as_ref().map_or(found_nothing, is_of_stages) {
            let key = self.prefixes.key(&job.asked.digest, &job.policy);
            self.prefixes.doubt(&scope, &key.tags(&ending.prompt), stages);
        } else {
            self.prefixes.remember(now, &scope, &ending.kept, stages);
        }
    }

    /// Within what bounds home remembers pages: those of stages, but over all blocks.
    fn scope(&self, model: &HomeModel, policy: &Policy) -> Option<Scope> {
        let blocks = BlockRange::new(0, model.manifest.block_count).ok()?;
        Some(Scope { home: self.me, policy: policy.digest(), blocks })
    }

    fn home_model(&self, name: &str) -> Result<(Digest, HomeModel), GenerateError> {
        let digest: Option<Digest> = name.parse().ok();
        let mut homes: Vec<_> = self.homes.iter().collect();
        homes.sort_by_key(|(digest, _)| **digest);
        let found =
            homes.into_iter().find(|(known, model)| digest == Some(**known) || model.name == name);
        let (digest, model) = found.ok_or_else(|| GenerateError::Model(name.to_owned()))?;
        Ok((*digest, model.clone()))
    }
}

/// The charter's policy of this name, with the request's own rules on top.
fn policy(
    charter: &Charter,
    (name, rules): &(String, Option<Policy>),
) -> Result<Policy, GenerateError> {
    let policy = charter.policy(name);
    let policy = policy.ok_or_else(|| GenerateError::Policy(name.to_owned()))?;
    match rules {
        Some(rules) => Ok(policy.restrict(rules)?),
        None => Ok(policy),
    }
}

/// Positions prompt and answer may take: the answer is cut to what the context leaves.
fn positions(model: &HomeModel, prompt: usize, max_tokens: u32) -> Result<u32, GenerateError> {
    let context = model.manifest.context_length;
    let prompt = u32::try_from(prompt).unwrap_or(u32::MAX);
    if prompt >= context {
        return Err(GenerateError::TooLong { prompt, context });
    }
    Ok(prompt.saturating_add(max_tokens).min(context))
}

/// Whether stages are at fault that a session ended badly.
fn is_of_stages(refusal: &Refusal) -> bool {
    let is_home = matches!(refusal.cause, Cause::Storage | Cause::Shutdown);
    matches!(refusal.cause.fault(), Fault::Violation | Fault::Unavailable) && !is_home
}
