//! Takes a prompt: tokenizes, routes, then drives one [`Home`] machine to a bundle. Decides nothing
//! about the session itself.

mod drafter;
mod driver;
mod error;
mod prefixes;
mod prompt;
mod routing;
mod stages;
mod timing;

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use comity_protocol::{
    block::BlockRange,
    charter::Charter,
    commitment::Salt,
    id::{Digest, PeerKey, SessionId},
    limits::SESSION_LIFE_MAX,
    policy::{Country, Policy},
    prefix::{PrefixKey, Scope},
    receipt::{OpenRecord, Sampling},
    refusal::{Cause, Fault, Refusal},
    request::{ClientEvent, Generate, Started},
    route::{Route, RouteRequest},
    sampler::Sampler,
    session::{
        Open,
        home::{Ending, Request},
    },
    signed::Domain,
    time::Timestamp,
};
pub use error::GenerateError;
use prefixes::Known;
pub use prefixes::Prefixes;
pub use routing::Planning;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{Instrument as _, info_span};

use self::{
    driver::Driver,
    prompt::{Rendered, tokenize},
    routing::{Counted, Routed},
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

/// What the bundle needs to know besides how the session ended.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) model: HomeModel,
    pub(super) digest: Digest,
    pub(super) sampling: Sampling,
    pub(super) policy: Policy,
    pub(super) route: Route,
    /// Numeric class of every stage of the route.
    pub(super) numeric_class: &'static str,
    /// Whether that went back to where the prompt's beginning was kept.
    pub(super) returns: bool,
    pub(super) salt: Salt,
    pub(super) nonce: Bytes,
    pub(super) open_record: OpenRecord,
    pub(super) jurisdiction: Country,
    pub(super) prompt_tokens: u32,
    pub(super) rendered: Rendered,
    /// Who asked; none for whoever holds the node's own token, or this process.
    pub(super) client: Option<PeerKey>,
    pub(super) arrived: Instant,
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
        // One version for the whole request, whatever comes meanwhile.
        let chain = self.directory.chain();
        let policy = policy(chain.current(), &generate.policy, generate.rules.as_deref())?;
        let rendered = Rendered::of(&generate.prompt, &model.manifest);
        let prompt = tokenize(model.clone(), generate.prompt).await?;
        let positions_max = positions(&model, prompt.len(), generate.sampling.max_tokens)?;
        let prompt_tokens = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
        let now = self.clock.now();
        let home = self.directory.member(self.me).await.ok_or(GenerateError::NotAdmitted)?;
        let prefix_key = model.prefix_cache.then(|| self.prefixes.key(&digest, &policy));
        let known = self.held(&model, &policy, prefix_key.as_ref(), &prompt);
        let wanted = RouteRequest {
            block_count: model.manifest.block_count,
            policy: &policy,
            home: self.me,
            member: &home,
            stages_min: generate.stages_min,
            positions: positions_max.into(),
            kept: known.kept(positions_max.saturating_sub(prompt_tokens)),
        };
        let routed = self.route(digest, &wanted).await?;
        let returns = known.is_at(routed.route.stages());
        let open =
            Open { prefix: known.tags, ..open(now, digest, &routed, positions_max, &policy)? };
        let Routed { route, numeric_class, counted } = routed;
        let members = self.members(&route).await?;
        let institution = home.institution;
        let started = Started {
            session: open.session,
            prompt_tokens,
            stages: stages::infos(&route, &members),
            manifest: digest,
        };
        let job = Job {
            digest,
            sampling: generate.sampling,
            jurisdiction: home.jurisdiction,
            open_record: open_record(&open, institution.clone(), chain.hash(), now),
            policy,
            route,
            numeric_class,
            returns,
            salt: open.salt.clone(),
            nonce: generate.nonce,
            prompt_tokens,
            rendered,
            client,
            arrived,
            model: model.clone(),
        };
        let request = Request {
            signed: self.ledger.key().sign(Domain::OPEN, &self.charter, &open)?,
            open,
            charter: self.charter,
            prompt,
            sampler,
            max_tokens: job.sampling.max_tokens,
            ends: model.tokenizer.ends().to_vec(),
            row_bytes: model.manifest.hidden_bytes(),
            drafts: model.drafts,
            prefix_key,
            institution,
            expected: stages::expected(&job.route, &members, &model.manifest),
        };
        Ok(self.start(job, request, started, (slot, counted)))
    }

    /// Drives a session in a task of its own.
    fn start(
        self: &Arc<Self>,
        job: Job,
        request: Request,
        started: Started,
        held: (OwnedSemaphorePermit, Counted),
    ) -> Generation {
        let (sender, events) = mpsc::channel(CLIENT_EVENTS);
        let cancel = CancellationToken::new();
        let (slot, counted) = held;
        let driver = Driver::new(self.clone(), (job, counted), request, sender, cancel.clone());
        let span = info_span!("home", session = %started.session.short());
        let task = async move {
            // On the heap: a driver holds its whole request.
            Box::pin(driver.run(started)).await;
            drop(slot);
        };
        self.tasks.spawn(task.instrument(span));
        Generation { events, _cancel: cancel.drop_guard() }
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
        let Some(scope) = self.scope(&job.model, &job.policy) else { return };
        let (now, stages) = (self.clock.now(), job.route.stages());
        // Stages may have dropped what they kept, or keep nothing whatever they are asked.
        let found_nothing = job.returns && ending.cached == 0;
        if ending.refusal.as_ref().map_or(found_nothing, is_of_stages) {
            let key = self.prefixes.key(&job.digest, &job.policy);
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
fn policy(charter: &Charter, name: &str, rules: Option<&Policy>) -> Result<Policy, GenerateError> {
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

/// Opens a session that finds nothing kept.
fn open(
    now: Timestamp,
    manifest: Digest,
    routed: &Routed,
    positions_max: u32,
    policy: &Policy,
) -> Result<Open, GenerateError> {
    let (session, salt) = random()?;
    Ok(Open {
        session,
        manifest,
        stages: routed.route.stages().to_vec(),
        positions_max,
        policy: policy.clone(),
        salt,
        deadline: now + SESSION_LIFE_MAX,
        numeric_class: routed.numeric_class.to_owned(),
        prefix: Vec::new(),
    })
}

fn random() -> Result<(SessionId, Salt), GenerateError> {
    let (mut session, mut salt) = ([0; 16], [0; 32]);
    getrandom::fill(&mut session).map_err(|_| GenerateError::Random)?;
    getrandom::fill(&mut salt).map_err(|_| GenerateError::Random)?;
    Ok((SessionId(session), Salt::new(salt)))
}

fn open_record(open: &Open, institution: String, charter: Digest, now: Timestamp) -> OpenRecord {
    OpenRecord {
        session: open.session,
        institution,
        manifest: open.manifest,
        policy: open.policy.digest(),
        sequence: 0,
        previous: Digest::ZERO,
        opened_at: now,
        charter,
    }
}
