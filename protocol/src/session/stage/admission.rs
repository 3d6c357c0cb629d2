//! Whether this node takes a session: one place, before any memory is reserved.

use super::{Identity, Output, Phase, Stage};
use crate::{
    block::BlockRange,
    commitment::Chain,
    directory::Member,
    id::{Digest, PeerKey},
    limits::{CLOCK_SKEW_MAX, SESSION_LIFE_MAX},
    manifest::Manifest,
    policy::{Access, Policy, Subject},
    prefix::{Scope, positions, whole_pages},
    refusal::{Cause, Refusal},
    roster::Role,
    route::Route,
    session::Open,
    signed::{Domain, Signed},
    time::Timestamp,
};

/// One block range this node serves.
#[derive(Debug, Clone)]
pub struct Serving {
    /// The model.
    pub manifest: Manifest,
    /// Its digest.
    pub digest: Digest,
    /// Blocks held.
    pub blocks: BlockRange,
    /// Numeric class of the results.
    pub numeric_class: String,
}

/// What this node knows when a session is opened at it.
#[expect(missing_debug_implementations, reason = "holds a closure")]
pub struct Admission<'a> {
    /// Genesis hash of the charter it acts on.
    pub charter: Digest,
    /// This node.
    pub me: PeerKey,
    /// The peer whose link the opening came on.
    pub from: PeerKey,
    /// Who a peer is, under valid charter and roster; `None` for strangers.
    pub member: &'a dyn Fn(&PeerKey) -> Option<Member>,
    /// The policy that the charter in force has of a name; `None` if it has none.
    pub policy: &'a dyn Fn(&str) -> Option<Policy>,
    /// What this node serves.
    pub serving: &'a [Serving],
}

impl Stage {
    /// Checks a signed opening and starts the session, or says why not. Every node before this one
    /// holds the first `cached` positions.
    ///
    /// Every stage checks the whole route against the policy itself: a home that routes outside it
    /// is refused by the first honest stage.
    ///
    /// # Errors
    /// The [`Refusal`] to send back to where the opening came from.
    pub fn admit(
        now: Timestamp,
        signed: Signed,
        cached: u32,
        admission: &Admission<'_>,
        outputs: &mut Vec<Output>,
    ) -> Result<Self, Refusal> {
        let refuse = |cause, detail: &dyn std::fmt::Display| {
            Refusal::new(cause, 0, format!("open: {detail}"))
        };
        let open: Open = signed
            .open(Domain::OPEN, &admission.charter)
            .map_err(|error| refuse(Cause::Violation, &error))?;
        let index = place(&open, &signed, admission)?;
        let refuse = |cause, detail: &str| Refusal::new(cause, index, detail);
        if open.deadline <= now || open.deadline > now + SESSION_LIFE_MAX + CLOCK_SKEW_MAX {
            return Err(refuse(Cause::Timeout, "the deadline has passed or is too far off"));
        }
        let stage = &open.stages[index as usize];
        let serving = serving(&open, stage.blocks, admission)
            .ok_or_else(|| refuse(Cause::NotServed, &format!("blocks {}", stage.blocks)))?;
        Route::new(open.stages.clone(), serving.manifest.block_count)
            .map_err(|error| Refusal::new(Cause::Violation, index, error))?;
        if open.positions_max > serving.manifest.context_length {
            return Err(refuse(Cause::Limit, "more positions than the model's context"));
        }
        let pages = whole_pages(cached);
        if cached != positions(pages) || pages > open.prefix.len() || cached >= open.positions_max {
            return Err(refuse(Cause::Violation, "open: no such prefix"));
        }
        let (home, me) = permit(&open, &signed, index, serving.manifest.block_count, admission)?;
        let past = || refuse(Cause::NotServed, "blocks past the model's last");
        let shard = serving.manifest.shard_digest(stage.blocks).ok_or_else(past)?;
        let parameters = serving.manifest.parameters(stage.blocks).ok_or_else(past)?;
        let blocks = stage.blocks;
        let scope = Scope { home: signed.signer, policy: open.policy.digest(), blocks };
        let prefix = open.prefix[..pages].to_vec();
        outputs.push(Output::OpenShard { scope, positions_max: open.positions_max, prefix });
        let identity = Identity {
            institution: me.institution,
            jurisdiction: me.jurisdiction,
            scope,
            shard,
            parameters,
            home_institution: home.institution,
        };
        Ok(Self {
            index,
            identity,
            row_bytes: serving.manifest.hidden_bytes(),
            phase: Phase::Opening,
            pending: std::collections::VecDeque::new(),
            input: Chain::new(open.salt.clone()),
            output: Chain::new(open.salt.clone()),
            begun: None,
            accepted: 0,
            signed_positions: 0,
            computed: 0,
            receipts: Vec::new(),
            started: now,
            active: now,
            open,
            signed,
        })
    }
}

/// This node's index in the route, if the opening came from the neighbour the route names.
fn place(open: &Open, signed: &Signed, admission: &Admission<'_>) -> Result<u32, Refusal> {
    let mine = open.stages.iter().position(|stage| stage.peer == admission.me);
    let Some(mine) = mine else {
        return Err(Refusal::new(Cause::Violation, 0, "open: the route does not name this node"));
    };
    let index = u32::try_from(mine).unwrap_or(u32::MAX);
    let upstream = match mine.checked_sub(1) {
        Some(previous) => open.stages[previous].peer,
        None => signed.signer,
    };
    if upstream != admission.from {
        let detail = "open: came from another peer than the route names";
        return Err(Refusal::new(Cause::Violation, index, detail));
    }
    Ok(index)
}

fn serving<'a>(open: &Open, blocks: BlockRange, admission: &Admission<'a>) -> Option<&'a Serving> {
    admission.serving.iter().find(|serving| {
        serving.digest == open.manifest
            && serving.blocks.covers(blocks)
            && serving.numeric_class == open.numeric_class
    })
}

/// Checks membership and policy of home and of every stage; returns who home and this node are.
fn permit(
    open: &Open,
    signed: &Signed,
    index: u32,
    block_count: u32,
    admission: &Admission<'_>,
) -> Result<(Member, Member), Refusal> {
    let known = |peer: &PeerKey, role: Role| {
        let member = (admission.member)(peer)
            .ok_or_else(|| format!("{} is on no valid roster", peer.short()))?;
        if member.roles.contains(&role) {
            Ok(member)
        } else {
            Err(format!("{} lacks the role {role:?}", peer.short()))
        }
    };
    let refuse = |detail: String| Refusal::new(Cause::NotAdmitted, index, detail);
    let home = known(&signed.signer, Role::Home).map_err(refuse)?;
    // Home may add rules of its own, never take away what the members agreed on.
    let agreed = (admission.policy)(&open.policy.name);
    if !agreed.is_some_and(|agreed| open.policy.is_within(&agreed)) {
        let detail = format!("{}: not the charter's policy of that name", open.policy.name);
        return Err(Refusal::new(Cause::Policy, index, detail));
    }
    let permitted = |subject: &Subject<'_>, access| {
        let permitted = open.policy.permits(subject, &home.institution, access);
        permitted.map_err(|denial| Refusal::new(Cause::Policy, index, denial))
    };
    permitted(&home.subject(), Access::Prompt)?;
    let mut me = None;
    for stage in &open.stages {
        let member = known(&stage.peer, Role::Stage).map_err(refuse)?;
        permitted(&member.subject(), Access::Blocks { blocks: stage.blocks, block_count })?;
        if stage.peer == admission.me {
            me = Some(member);
        }
    }
    let me = me.ok_or_else(|| Refusal::new(Cause::Bug, index, "open: lost the own place"))?;
    Ok((home, me))
}
