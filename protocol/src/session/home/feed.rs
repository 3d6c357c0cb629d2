//! What home sends round the ring: chunks of the prompt, then windows of the token that is known and
//! of guesses at those that follow.

use std::collections::VecDeque;

use super::{Cause, Frame, Hidden, Home, Output, Phase, Refusal, Timestamp, opening};
use crate::{
    limits::{STEP_BYTES_MAX, STEP_POSITIONS_MAX, STEP_TIMEOUT},
    prefix,
    session::Step,
    speculation::{Choice, Guess, WINDOWS_MAX},
};

/// Positions of one prefill chunk: long enough to amortise reading the weights, short enough that
/// the next stage starts early. A function of the model alone, so that every run cuts alike.
const CHUNK_POSITIONS: u32 = 128;
/// Steps embedded or being embedded and not yet written: the rest of the prompt waits as token ids.
const STEPS_UNWRITTEN_MAX: usize = 2;

/// Steps on their way.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// Next position to embed.
    next: u32,
    /// Steps being embedded, oldest first.
    embedding: VecDeque<Window>,
    /// Steps embedded and not yet written.
    unwritten: usize,
    /// Steps of which rows were asked back and have not come, oldest first.
    pub(super) awaited: VecDeque<Window>,
    /// Since when a draft is awaited.
    drafting: Option<Timestamp>,
}

/// One step as home sends it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    start: u32,
    end: u32,
    /// Trailing rows that must come back.
    pub(super) returned: u32,
    /// When it was begun, if its way round tells what a way round costs.
    pub(super) timed: Option<Timestamp>,
    /// Whether a guess before it turned out wrong, so that its rows are worth nothing.
    pub(super) stale: bool,
    /// Whether the stages hold its positions already: home commits to the rows and keeps them.
    cached: bool,
}

impl Window {
    /// Absolute position of the first row that comes back.
    pub(super) const fn first_returned(&self) -> u32 {
        self.end - self.returned
    }
}

impl Home {
    /// The open record is durable.
    pub(super) fn durable(&mut self, now: Timestamp, outputs: &mut Vec<Output>) {
        let Phase::Opening { durable, .. } = &mut self.phase else { return };
        *durable = true;
        if !self.request.open.prefix.is_empty() {
            outputs.push(opening(&self.request));
        }
        self.ready(now, outputs);
    }

    /// The ring is closed, and all stages hold the first `cached` positions.
    pub(super) fn opened(
        &mut self,
        now: Timestamp,
        cached: u32,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let Phase::Opening { opened: opened @ false, .. } = &mut self.phase else {
            return Err(self.last_refuses("opened twice"));
        };
        *opened = true;
        let pages = prefix::whole_pages(cached);
        let named = pages <= self.request.open.prefix.len() && cached < self.known();
        if cached != prefix::positions(pages) || !named {
            return Err(self.last_refuses("holds another prefix than was named"));
        }
        self.cached = cached;
        self.receipts.expect_cached(cached);
        self.ready(now, outputs);
        Ok(())
    }

    /// Starts feeding once the record is durable (promise P2) and the ring is closed.
    fn ready(&mut self, now: Timestamp, outputs: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Opening { durable: true, opened: true }) {
            self.phase = Phase::Running;
            self.due = now + STEP_TIMEOUT;
            self.feed(now, outputs);
        }
    }

    /// Has the next steps embedded, as far as the bounds allow.
    pub(super) fn feed(&mut self, now: Timestamp, outputs: &mut Vec<Output>) {
        while matches!(self.phase, Phase::Running)
            && self.feed.drafting.is_none()
            && self.feed.embedding.len() + self.feed.unwritten < STEPS_UNWRITTEN_MAX
            && self.feed_one(now, outputs)
        {}
    }

    /// One step more, or the question for its guesses; whether there was anything to send.
    fn feed_one(&mut self, now: Timestamp, outputs: &mut Vec<Output>) -> bool {
        let (next, known) = (self.feed.next, self.known());
        if self.drawn == 0 {
            let known = if next < self.cached { self.cached } else { known };
            let end = known.min(next + self.chunk());
            // Only the last known token's hidden state is worth a trip home.
            let returned = u32::from(end == self.known());
            if next < known {
                self.send(end, returned, None, outputs);
            }
            return next < known;
        }
        let room = self.room();
        if next < known {
            match self.speculator.draft(&self.tokens, room) {
                Choice::Guesses(guesses) => self.send_window(now, guesses, outputs),
                Choice::Ask(most) => {
                    self.feed.drafting = Some(now);
                    let tokens = self.tokens.clone();
                    outputs.push(Output::Draft { start: known, most, tokens });
                }
            }
            true
        } else {
            let windows = self.feed.awaited.len() + self.feed.embedding.len();
            if self.guesses.is_empty() || windows + self.returned.len() >= WINDOWS_MAX {
                return false;
            }
            let further = self.speculator.further(&self.tokens, &self.guesses, room);
            let any = !further.is_empty();
            if any {
                self.send_window(now, further, outputs);
            }
            any
        }
    }

    /// Takes the draft model's guesses at what follows the known tokens.
    pub(super) fn drafted(
        &mut self,
        now: Timestamp,
        start: u32,
        tokens: Vec<u32>,
        outputs: &mut Vec<Output>,
    ) {
        let Some(asked) = self.feed.drafting.take() else { return };
        if start == self.known() && matches!(self.phase, Phase::Running) {
            let took = now.since(asked);
            let guesses = self.speculator.drafted(tokens, self.room(), took);
            self.send_window(now, guesses, outputs);
            self.feed(now, outputs);
        }
    }

    /// Sends what is known and not sent, and `guesses` after it. All rows come back.
    fn send_window(&mut self, now: Timestamp, guesses: Vec<Guess>, outputs: &mut Vec<Output>) {
        self.guesses.extend(guesses);
        let end = self.known() + u32::try_from(self.guesses.len()).unwrap_or(u32::MAX);
        let alone = self.feed.awaited.is_empty()
            && self.feed.embedding.is_empty()
            && self.returned.is_empty()
            && self.judged.is_none();
        self.send(end, end - self.feed.next, alone.then_some(now), outputs);
    }

    fn send(
        &mut self,
        end: u32,
        returned: u32,
        timed: Option<Timestamp>,
        outputs: &mut Vec<Output>,
    ) {
        let start = self.feed.next;
        let known = self.tokens.iter().copied();
        let all = known.chain(self.guesses.iter().map(|guess| guess.token));
        let tokens = all.skip(start as usize).take((end - start) as usize).collect();
        outputs.push(Output::Embed { start, tokens });
        self.feed.next = end;
        let cached = end <= self.cached;
        self.feed.embedding.push_back(Window { start, end, returned, timed, stale: false, cached });
    }

    pub(super) fn embedded(
        &mut self,
        now: Timestamp,
        start: u32,
        hidden: Hidden,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if !matches!(self.phase, Phase::Running) {
            return Ok(());
        }
        let window = self.feed.embedding.pop_front();
        let fits = |window: &Window| {
            window.start == start
                && window.end - start == hidden.positions()
                && hidden.row_bytes() == self.request.row_bytes
        };
        let Some(window) = window.filter(fits) else {
            return Err(self.refuse(Cause::Bug, "embedded another position or shape"));
        };
        if window.stale {
            self.feed(now, outputs);
            return Ok(());
        }
        if start != self.sent.positions() {
            return Err(self.refuse(Cause::Bug, "embedded out of order"));
        }
        self.sent.append(start, hidden.bytes(), self.request.row_bytes);
        self.due = now + STEP_TIMEOUT;
        let Window { end, returned, cached, .. } = window;
        if cached {
            self.feed(now, outputs);
            return Ok(());
        }
        if returned > 0 {
            self.feed.awaited.push_back(window);
        }
        self.feed.unwritten += 1;
        let (positions, accepted) = (end - start, end.min(self.known()));
        self.receipts.sent(positions, accepted);
        let step = Step { start, positions, returned, accepted, receipts: Vec::new() };
        outputs.push(Output::First(Frame::Step(step), Some(hidden)));
        Ok(())
    }

    /// The oldest step was written.
    pub(super) fn written(&mut self, now: Timestamp, outputs: &mut Vec<Output>) {
        self.feed.unwritten = self.feed.unwritten.saturating_sub(1);
        self.feed(now, outputs);
    }

    /// Takes back every guess: the token at `position` is another.
    pub(super) fn take_back(&mut self, position: u32) {
        self.guesses.clear();
        self.returned.clear();
        let Feed { next, embedding, awaited, .. } = &mut self.feed;
        embedding.iter_mut().chain(awaited).for_each(|window| window.stale = true);
        *next = position;
        self.sent.truncate(position);
    }

    /// Guesses that may be added: no more than the answer has tokens left, and than a step holds.
    fn room(&self) -> u32 {
        let guessed = self.known() + u32::try_from(self.guesses.len()).unwrap_or(u32::MAX);
        let prompt = u32::try_from(self.prompt_tokens).unwrap_or(u32::MAX);
        // The last token is drawn from the position before it, and not sent.
        let end = prompt.saturating_add(self.request.max_tokens);
        let end = end.min(self.request.open.positions_max).saturating_sub(1);
        end.saturating_sub(guessed).min(self.chunk() - 1)
    }

    fn chunk(&self) -> u32 {
        let fits = STEP_BYTES_MAX / self.request.row_bytes.max(1);
        u32::try_from(fits).unwrap_or(u32::MAX).clamp(1, CHUNK_POSITIONS.min(STEP_POSITIONS_MAX))
    }
}
