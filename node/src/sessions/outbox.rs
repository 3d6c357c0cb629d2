//! Frames on their way to the next stage, so that a session never waits for a slow neighbour. Not how
//! many there may be, which the places they carry decide.

use std::{collections::VecDeque, future::Future, mem, pin::Pin, sync::Arc, time::Duration};

use comity_protocol::{session::Frame, tensor::Hidden};
use futures::FutureExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    SEND_TIMEOUT,
    link::{LinkError, LinkSender},
};

/// Steps of a session that may be on their way through a stage, from being read to being sent: as
/// many as it computes ahead, and as many again that wait to leave. Past it the neighbour before
/// waits in QUIC's flow control.
pub(super) const STEPS_MAX: u32 = 8;
/// Frames that may wait: the steps, and what opens, closes or ends a session.
const CAPACITY: usize = STEPS_MAX as usize + 4;

/// What is to be sent, and the place that it frees once it is.
type Outgoing = (Frame, Option<Hidden>, Option<OwnedSemaphorePermit>);

type Sending = Pin<Box<dyn Future<Output = Result<LinkSender, LinkError>> + Send>>;

/// The sending side of a link. Dropped, it ends the link at once.
///
/// What a neighbour takes at once is sent at once, without another task to be woken.
pub(super) struct Outbox {
    state: State,
    queue: VecDeque<Outgoing>,
}

enum State {
    Idle(LinkSender),
    /// A frame waits for the neighbour.
    Busy(Sending),
    Lost,
}

impl Outbox {
    pub(super) const fn new(sender: LinkSender) -> Self {
        Self { state: State::Idle(sender), queue: VecDeque::new() }
    }

    /// Sends a frame, or queues it behind those that wait. Never waits itself.
    ///
    /// # Errors
    /// The neighbour is gone, or more frames wait than the places allow.
    pub(super) fn send(
        &mut self,
        frame: Frame,
        hidden: Option<Hidden>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<(), LinkError> {
        if self.queue.len() >= CAPACITY {
            return Err(LinkError::Lost);
        }
        self.queue.push_back((frame, hidden, place));
        self.advance()
    }

    /// Whether something waits; then [`Self::flush`] must be polled.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self.state, State::Busy(_))
    }

    /// Sends what waits. Cancel-safe: it goes on where it was.
    ///
    /// # Errors
    /// The neighbour is gone, or has taken nothing for [`SEND_TIMEOUT`].
    pub(super) async fn flush(&mut self) -> Result<(), LinkError> {
        while let State::Busy(sending) = &mut self.state {
            let sent = sending.await;
            self.sent(sent)?;
            self.advance()?;
        }
        Ok(())
    }

    /// Ends the link well once everything has left; gives up after `wait`.
    pub(super) async fn finish(mut self, wait: Duration) {
        let flushed = timeout(wait, self.flush()).await;
        if let (Ok(Ok(())), State::Idle(sender)) = (flushed, &mut self.state) {
            sender.finish();
        }
    }

    /// Sends from the queue for as long as the neighbour takes frames at once.
    fn advance(&mut self) -> Result<(), LinkError> {
        loop {
            let sender = match mem::replace(&mut self.state, State::Lost) {
                State::Idle(sender) => sender,
                State::Busy(sending) => {
                    self.state = State::Busy(sending);
                    return Ok(());
                }
                State::Lost => return Err(LinkError::Lost),
            };
            let Some(outgoing) = self.queue.pop_front() else {
                self.state = State::Idle(sender);
                return Ok(());
            };
            let mut sending: Sending = Box::pin(deliver(sender, outgoing));
            match (&mut sending).now_or_never() {
                Some(sent) => self.sent(sent)?,
                None => self.state = State::Busy(sending),
            }
        }
    }

    fn sent(&mut self, sent: Result<LinkSender, LinkError>) -> Result<(), LinkError> {
        self.state = State::Lost;
        self.state = State::Idle(sent?);
        Ok(())
    }
}

/// Sends one frame and then frees its place.
async fn deliver(mut sender: LinkSender, outgoing: Outgoing) -> Result<LinkSender, LinkError> {
    let (frame, hidden, place) = outgoing;
    let sent = timeout(SEND_TIMEOUT, sender.send(frame, hidden)).await;
    sent.unwrap_or(Err(LinkError::Lost))?;
    drop(place);
    Ok(sender)
}

/// Places for steps on their way through a stage, taken in the order of the steps.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    /// Of steps that are being computed.
    computing: VecDeque<OwnedSemaphorePermit>,
    /// Of the step that was computed last, until it is queued or proves to be nothing to send.
    computed: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new() -> Self {
        let free = Arc::new(Semaphore::new(STEPS_MAX as usize));
        Self { free, computing: VecDeque::new(), computed: None }
    }

    /// Where the reader of steps takes a place for the next one.
    pub(super) fn free(&self) -> Arc<Semaphore> {
        Arc::clone(&self.free)
    }

    /// A step that has this place is about to be computed.
    pub(super) fn enter(&mut self, place: OwnedSemaphorePermit) {
        self.computing.push_back(place);
    }

    /// The oldest step was computed.
    pub(super) fn computed(&mut self) {
        self.computed = self.computing.pop_front();
    }

    /// The place of the step computed last, to be freed once that is sent.
    pub(super) fn leave(&mut self) -> Option<OwnedSemaphorePermit> {
        mem::take(&mut self.computed)
    }
}

#[cfg(test)]
mod tests;
