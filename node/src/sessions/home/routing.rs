//! Which stages a request gets, and that its home remembers having asked them. Not what they say to it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use comity_protocol::{
    id::{Digest, PeerKey},
    limits::CANDIDATES_MAX,
    route::{OwnSessions, Route, RouteRequest, RouteStage, plan_in_one_class},
    session::attempts::Attempts,
};

use super::GenerateError;
use crate::{model::NUMERIC_CLASSES, sessions::Context};

/// What a home needs beside the directory.
#[derive(Debug, Default)]
pub struct Planning {
    /// Held while a route is planned: the session of one counts for the next.
    turn: tokio::sync::Mutex<()>,
    /// Sessions that stages may not have announced. Held only for corrections and single additions.
    own: Mutex<OwnSessions>,
}

impl Planning {
    fn own(&self) -> MutexGuard<'_, OwnSessions> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A route, and what goes with it.
#[derive(Debug)]
pub(super) struct Routed {
    pub(super) route: Route,
    /// Numeric class of every stage.
    pub(super) numeric_class: &'static str,
    pub(super) counted: Counted,
}

/// A session that counts at the nodes of its route, for the next ones, as long as this lives.
#[derive(Debug)]
pub(super) struct Counted {
    context: Arc<Context>,
    stages: Vec<RouteStage>,
    positions: u64,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let now = self.context.clock.now();
        self.context.planning.own().close(now, &self.stages, self.positions);
    }
}

impl Context {
    /// The cheapest route that the policy permits, all in one numeric class: the first of
    /// [`NUMERIC_CLASSES`] that has one. Of nodes that `attempts` does not avoid.
    pub(super) async fn route(
        self: &Arc<Self>,
        digest: Digest,
        request: &RouteRequest<'_>,
        attempts: &Attempts,
    ) -> Result<Routed, GenerateError> {
        let mut offers = Vec::new();
        for class in NUMERIC_CLASSES {
            let mut candidates = self.directory.candidates(digest, class).await;
            candidates.retain(|it| !attempts.avoids(&it.peer));
            offers.push((class, candidates));
        }
        let peers = offers.iter().flat_map(|(_, candidates)| candidates.iter().map(|it| it.peer));
        // With more of them no route is planned.
        let peers: BTreeSet<PeerKey> = peers.take(CANDIDATES_MAX).collect();
        let latencies = self.directory.latencies(peers.into_iter().collect()).await;
        let latencies = latencies.ok_or(GenerateError::Shutdown)?;
        let turn = self.planning.turn.lock().await;
        offers.iter_mut().for_each(|(_, candidates)| self.planning.own().correct(candidates));
        let latency = |from: &PeerKey, to: &PeerKey| latencies.one_way(from, to);
        let planned = plan_in_one_class(request, offers, latency);
        let routed = planned.map(|it| self.routed(it, request.positions));
        drop(turn);
        match routed {
            Ok(routed) => Ok(routed),
            // Only one's own nodes were asked then; that others were not is what people must mend.
            Err(error) => match self.directory.check().await {
                Ok(()) => Err(error.into()),
                Err(governance) => Err(governance.into()),
            },
        }
    }

    /// Counts a session over a route from now on.
    fn routed(
        self: &Arc<Self>,
        (route, numeric_class): (Route, &'static str),
        positions: u64,
    ) -> Routed {
        let (context, stages) = (Arc::clone(self), route.stages().to_vec());
        self.planning.own().open(self.clock.now(), &stages, positions);
        Routed { route, numeric_class, counted: Counted { context, stages, positions } }
    }
}
