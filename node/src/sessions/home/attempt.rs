//! One session for a request, planned and ready to be driven. Not whether there is another.

use std::sync::Arc;

use comity_protocol::{
    commitment::Salt,
    id::{Digest, SessionId},
    limits::SESSION_LIFE_MAX,
    policy::{Country, Policy},
    receipt::OpenRecord,
    request::Started,
    route::{Route, RouteRequest},
    session::{Open, attempts::Attempts, home::Request},
    signed::Domain,
    time::Timestamp,
};

use super::{
    Asked, Context, GenerateError, policy,
    routing::{Counted, Routed},
    stages,
};

/// A session that has not begun.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) job: Job,
    pub(super) counted: Counted,
    pub(super) request: Request,
    /// What the client is told once it begins.
    pub(super) started: Started,
}

/// What the bundle needs to know besides how the session ended.
#[derive(Debug)]
pub(in crate::sessions) struct Job {
    pub(in crate::sessions) asked: Arc<Asked>,
    pub(in crate::sessions) policy: Policy,
    pub(in crate::sessions) route: Route,
    /// Numeric class of every stage of the route.
    pub(in crate::sessions) numeric_class: &'static str,
    /// Whether that went back to where the prompt's beginning was kept.
    pub(super) returns: bool,
    pub(in crate::sessions) salt: Salt,
    pub(in crate::sessions) open_record: OpenRecord,
    pub(in crate::sessions) jurisdiction: Country,
}

impl Context {
    /// Plans a session for what was asked under the charter as it is now, over nodes that `attempts`
    /// does not avoid.
    ///
    /// # Errors
    /// [`GenerateError`]; nobody was asked anything.
    pub(super) async fn attempt(
        self: &Arc<Self>,
        asked: &Arc<Asked>,
        prompt: &[u32],
        attempts: &Attempts,
    ) -> Result<Attempt, GenerateError> {
        let Asked { model, digest, positions_max, prompt_tokens, .. } = &**asked;
        // One version for the whole session, whatever comes meanwhile.
        let chain = self.directory.chain();
        let policy = policy(chain.current(), &asked.policy)?;
        let now = self.clock.now();
        let home = self.directory.member(self.me).await.ok_or(GenerateError::NotAdmitted)?;
        let prefix_key = model.prefix_cache.then(|| self.prefixes.key(digest, &policy));
        let known = self.held(model, &policy, prefix_key.as_ref(), prompt);
        let wanted = RouteRequest {
            block_count: model.manifest.block_count,
            policy: &policy,
            home: self.me,
            member: &home,
            stages_min: asked.stages_min,
            positions: (*positions_max).into(),
            kept: known.kept(positions_max.saturating_sub(*prompt_tokens)),
        };
        let routed = self.route(*digest, &wanted, attempts).await?;
        let returns = known.is_at(routed.route.stages());
        let open =
            Open { prefix: known.tags, ..open(now, *digest, &routed, *positions_max, &policy)? };
        let Routed { route, numeric_class, counted } = routed;
        let members = self.members(&route).await?;
        let institution = home.institution;
        let started = Started {
            session: open.session,
            prompt_tokens: *prompt_tokens,
            stages: stages::infos(&route, &members),
            manifest: *digest,
        };
        let job = Job {
            asked: asked.clone(),
            jurisdiction: home.jurisdiction,
            open_record: open_record(&open, institution.clone(), chain.hash(), now),
            policy,
            route,
            numeric_class,
            returns,
            salt: open.salt.clone(),
        };
        let request = Request {
            signed: self.ledger.key().sign(Domain::OPEN, &self.charter, &open)?,
            open,
            charter: self.charter,
            prompt: prompt.to_vec(),
            sampler: asked.sampler.clone(),
            max_tokens: asked.sampling.max_tokens,
            ends: model.tokenizer.ends().to_vec(),
            row_bytes: model.manifest.hidden_bytes(),
            drafts: model.drafts,
            prefix_key,
            institution,
            expected: stages::expected(&job.route, &members, &model.manifest),
        };
        Ok(Attempt { job, counted, request, started })
    }
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
