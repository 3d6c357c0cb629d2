//! Answers one request: drives session after session until one opens. Which refusals leave another
//! one is not decided here.

use std::sync::Arc;

use comity_protocol::{
    request::ClientEvent,
    session::attempts::{Attempts, Pause, Retry},
    telemetry,
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info, info_span};

use super::{
    Asked, Context,
    attempt::Attempt,
    driver::{Driver, Ended},
};
use crate::{sessions::SEND_TIMEOUT, telemetry::micros};

/// One request on its way to an answer.
pub(super) struct Answering {
    context: Arc<Context>,
    asked: Arc<Asked>,
    attempts: Attempts,
    /// Its place among the sessions of this node; none while it pauses.
    slot: Option<OwnedSemaphorePermit>,
    /// Sessions after the first.
    moved: u32,
    client: mpsc::Sender<ClientEvent>,
    cancel: CancellationToken,
}

impl Answering {
    /// Of a request that has been planned once; told to a client that may cancel it.
    pub(super) fn new(
        context: Arc<Context>,
        asked: Arc<Asked>,
        attempts: Attempts,
        slot: OwnedSemaphorePermit,
        (client, cancel): (mpsc::Sender<ClientEvent>, CancellationToken),
    ) -> Self {
        Self { context, asked, attempts, slot: Some(slot), moved: 0, client, cancel }
    }

    /// Drives the first session, and those after it. The client hears of no session that did not
    /// begin but the last.
    pub(super) async fn run(mut self, first: Attempt) {
        let mut attempt = first;
        let ended = loop {
            let ended = self.drive(attempt).await;
            match self.again(&ended).await {
                Some(next) => attempt = next,
                None => break ended,
            }
            self.moved += 1;
        };
        self.tell(ended).await;
    }

    async fn drive(&self, attempt: Attempt) -> Ended {
        let span = info_span!("home", session = %attempt.started.session.short());
        let (client, cancel) = (self.client.clone(), self.cancel.clone());
        let driver = Driver::new(self.context.clone(), attempt, client, cancel);
        // On the heap: a driver holds its whole request.
        Box::pin(driver.run().instrument(span)).await
    }

    /// Plans another session after one that did not open; none if that is how it ends.
    async fn again(&mut self, ended: &Ended) -> Option<Attempt> {
        let unopened = ended.unopened.as_ref()?;
        let retry = self.attempts.failed(self.context.clock.now(), unopened)?;
        if let Some(attempt) = self.plan(&ended.prompt).await {
            info!(session = %attempt.started.session.short(), "trying another route");
            return Some(attempt);
        }
        let Retry::Anywhere(pause) = retry else { return None };
        self.pause(pause).await?;
        let mut attempt = self.plan(&ended.prompt).await;
        if attempt.is_none() && self.attempts.relent() {
            attempt = self.plan(&ended.prompt).await;
        }
        let attempt = attempt?;
        info!(session = %attempt.started.session.short(), "trying again");
        Some(attempt)
    }

    /// Waits without a session slot: those who wait keep nobody else out, least of all the stages of
    /// this node that they wait for. None if there is no more to wait for, or no slot afterwards.
    async fn pause(&mut self, pause: Pause) -> Option<()> {
        let waiting = self.context.waiting.clone().try_acquire_owned().ok()?;
        self.slot = None;
        // Without randomness all wait equally long.
        let pause = pause.drawn(getrandom::u32().unwrap_or(0));
        tokio::select! { biased;
            () = self.context.cancel.cancelled() => return None,
            () = self.cancel.cancelled() => return None,
            () = sleep(pause) => self.attempts.paused(),
        }
        drop(waiting);
        self.slot = Some(self.context.slots.clone().try_acquire_owned().ok()?);
        Some(())
    }

    /// A session over nodes that are not avoided; none if there is no such route, or nobody waits.
    async fn plan(&self, prompt: &[u32]) -> Option<Attempt> {
        if self.cancel.is_cancelled() || self.context.cancel.is_cancelled() {
            return None;
        }
        let planned = self.context.attempt(&self.asked, prompt, &self.attempts).await;
        planned.inspect_err(|error| debug!(%error, "no other session")).ok()
    }

    /// Keeps the proof of the one session that the client hears of, and tells telemetry and the
    /// client how the request ended.
    async fn tell(self, ended: Ended) {
        let Ended { session, finished, mut told, .. } = ended;
        let context = self.context;
        if !finished.bundle.is_empty() {
            context.keep(session, finished.bundle.clone()).await;
        }
        if let Some(heard) = &context.telemetry {
            told.moved = self.moved;
            told.end_us = micros(self.asked.arrived.elapsed());
            heard.tell(telemetry::Event::Request(told));
        }
        let deadline = context.clock.instant(context.clock.now() + SEND_TIMEOUT);
        let _ = timeout_at(deadline, self.client.send(ClientEvent::Finished(finished))).await;
    }
}
