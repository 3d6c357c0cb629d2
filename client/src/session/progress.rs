//! The order of one request's events. Not their transport (`stream`).

use std::time::Duration;

use comity_protocol::{
    limits::REQUEST_BYTES_MAX,
    request::{self, ClientEvent, Started, Token},
};

use super::{Event, Finished, GenerateError};

/// Bytes of an answer's text: as long as the longest prompt, far beyond what positions allow.
const TEXT_BYTES_MAX: usize = REQUEST_BYTES_MAX;

/// What came so far.
#[derive(Debug)]
pub(super) struct Progress {
    max_tokens: u32,
    started: Option<Started>,
    text: String,
    token_ids: Vec<u32>,
    finished: Option<Finished>,
}

impl Progress {
    pub(super) const fn new(max_tokens: u32) -> Self {
        Self {
            max_tokens,
            started: None,
            text: String::new(),
            token_ids: Vec::new(),
            finished: None,
        }
    }

    /// Takes one event in; `None` if it was the end.
    pub(super) fn accept(&mut self, event: ClientEvent) -> Result<Option<Event>, GenerateError> {
        match event {
            ClientEvent::Started(started) => self.start(started).map(Some),
            ClientEvent::Token(token) => self.token(token).map(Some),
            ClientEvent::Finished(finished) => self.finish(finished).map(|()| None),
            ClientEvent::Refused(refused) => Err(GenerateError::Refused(refused)),
            ClientEvent::Status(_) => Err(GenerateError::Violation("a status amid an answer")),
        }
    }

    /// The end, once it came.
    pub(super) const fn take_finished(&mut self) -> Option<Finished> {
        self.finished.take()
    }

    fn start(&mut self, started: Started) -> Result<Event, GenerateError> {
        if self.started.is_some() {
            return Err(GenerateError::Violation("the request started twice"));
        }
        self.started = Some(started.clone());
        Ok(Event::Started(started))
    }

    fn token(&mut self, token: Token) -> Result<Event, GenerateError> {
        let Some(started) = &self.started else {
            return Err(GenerateError::Violation("a token before the start"));
        };
        if self.token_ids.len() >= self.max_tokens as usize {
            return Err(GenerateError::Violation("more tokens than were asked for"));
        }
        // At most max_tokens, a u32, are counted here.
        let count = u32::try_from(self.token_ids.len()).unwrap_or(u32::MAX);
        if Some(token.position) != started.prompt_tokens.checked_add(count) {
            return Err(GenerateError::Violation("a position is lost or repeated"));
        }
        self.push(&token.text)?;
        self.token_ids.push(token.id);
        Ok(Event::Token(token))
    }

    fn finish(&mut self, finished: request::Finished) -> Result<(), GenerateError> {
        self.push(&finished.text)?;
        self.finished = Some(Finished {
            reason: finished.reason,
            cause: finished.cause,
            text: std::mem::take(&mut self.text),
            tail: finished.text,
            token_ids: std::mem::take(&mut self.token_ids),
            started: self.started.take(),
            bundle: finished.bundle,
            first_token: Duration::from_nanos(finished.first_token_ns),
            decode: Duration::from_nanos(finished.decode_ns),
            cached_tokens: finished.cached_tokens,
        });
        Ok(())
    }

    fn push(&mut self, text: &str) -> Result<(), GenerateError> {
        if self.text.len() + text.len() > TEXT_BYTES_MAX {
            return Err(GenerateError::Violation("the answer is longer than the limit"));
        }
        self.text.push_str(text);
        Ok(())
    }
}
