//! One request and its stream of events. Not the connection it runs on (`client`).
//!
//! The node is believed about the text, never about the framing: events out of order, lost or
//! repeated positions, and more tokens than were asked for end the request with
//! [`GenerateError::Violation`].

mod progress;
mod stream;

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use comity_protocol::{
    limits::SESSION_LIFE_MAX,
    receipt::FinishReason,
    refusal::{Cause, Refusal},
    request::{Refused, Started, Token},
    wire::DecodeError,
};
use futures::{Stream, StreamExt};

use progress::Progress;
pub(crate) use stream::Events;

/// How long a request may last: no node keeps a session longer, and a minute to say so.
pub const REQUEST_TIMEOUT: Duration = SESSION_LIFE_MAX.saturating_add(Duration::from_secs(60));

/// What arrives while an answer is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The route was chosen and opened. Comes once, first.
    Started(Started),
    /// One accepted token, in order of position.
    Token(Token),
}

/// The end of a request and all that came before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Why it ended.
    pub reason: FinishReason,
    /// The cause, if it ended badly.
    pub cause: Option<Refusal>,
    /// The whole answer.
    pub text: String,
    /// The end of `text` that no [`Event::Token`] carried.
    pub tail: String,
    /// Token ids of the answer.
    pub token_ids: Vec<u32>,
    /// The route, unless the request ended before one was opened.
    pub started: Option<Started>,
    /// Canonical bytes of the bundle: the proof. Empty if the node could not store the receipt.
    pub bundle: Bytes,
    /// From the request's arrival at the node to the first token.
    pub first_token: Duration,
    /// From the first token to the last.
    pub decode: Duration,
    /// Prompt tokens that stages had not to compute: they had kept them of an earlier request.
    pub cached_tokens: u32,
}

/// Why a request brought no end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The request is longer than a node accepts. Nothing was sent.
    #[error("the request has {got} bytes, more than {max}; shorten the prompt")]
    TooLong {
        /// Its bytes.
        got: usize,
        /// Bytes a node accepts.
        max: usize,
    },
    /// The system gave no randomness for a nonce.
    #[error("the system gives no randomness")]
    Random(#[source] getrandom::Error),
    /// The node did not take the request.
    #[error("refused: {}: {}", .0.cause, .0.detail)]
    Refused(Refused),
    /// The node ended the stream or connection and said why.
    #[error("the node ended the request: {cause} {detail}")]
    Closed {
        /// Its cause.
        cause: Cause,
        /// Its words, if any.
        detail: String,
    },
    /// The connection is gone.
    #[error("the node is gone")]
    Lost(#[source] quinn::ConnectionError),
    /// The node ended the stream before the request had an end.
    #[error("the node ended the stream without an end of the request")]
    Truncated,
    /// The node broke the client protocol.
    #[error("the node broke the protocol: {0}")]
    Violation(&'static str),
    /// The node sent bytes that are no event.
    #[error("the node sent no valid event")]
    Decode(#[source] DecodeError),
    /// Nothing ended the request in the longest time one may last.
    #[error("no end within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout,
}

/// An answer being made. Yields events until the end; dropping it stops the request on the node.
#[derive(Debug)]
pub struct Generation {
    events: Events,
    progress: Progress,
    deadline: Pin<Box<tokio::time::Sleep>>,
    /// Whether the stream yielded its last item.
    done: bool,
}

impl Generation {
    pub(crate) fn new(events: Events, max_tokens: u32) -> Self {
        Self {
            events,
            progress: Progress::new(max_tokens),
            deadline: Box::pin(tokio::time::sleep(REQUEST_TIMEOUT)),
            done: false,
        }
    }

    /// The next event; `None` once the request has ended, and after an error.
    ///
    /// Cancel-safe: no event is lost if the future is dropped.
    ///
    /// # Errors
    /// [`GenerateError`]; the request is over then.
    pub async fn next(&mut self) -> Option<Result<Event, GenerateError>> {
        StreamExt::next(self).await
    }

    /// Reads on to the end and returns it, with everything that came before.
    ///
    /// A request that ended badly is no error here: see [`Finished::reason`].
    ///
    /// # Errors
    /// [`GenerateError`] if the request brought no end.
    pub async fn finish(mut self) -> Result<Finished, GenerateError> {
        while let Some(event) = self.next().await {
            event?;
        }
        self.progress.take_finished().ok_or(GenerateError::Truncated)
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, GenerateError>>> {
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(GenerateError::Timeout)));
        }
        let event = match ready!(self.events.poll_next_unpin(cx)) {
            Some(event) => event.and_then(|event| self.progress.accept(event)),
            None => Err(GenerateError::Truncated),
        };
        Poll::Ready(event.transpose())
    }
}

impl Stream for Generation {
    type Item = Result<Event, GenerateError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.done {
            return Poll::Ready(None);
        }
        let item = ready!(this.poll_event(cx));
        match &item {
            Some(Ok(_)) => {}
            Some(Err(_)) => this.done = true,
            None => {
                this.done = true;
                this.events.complete();
            }
        }
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests;
