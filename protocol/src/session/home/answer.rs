//! What comes back to home: rows, from which tokens are drawn one by one, and at the end receipts.

use super::{
    Cause, FinishReason, Frame, Hidden, Home, Judged, Output, Phase, Refusal, Source, Timestamp,
};
use crate::{
    limits::STEP_TIMEOUT,
    session::{Close, Step},
};

impl Home {
    pub(super) fn returned(
        &mut self,
        now: Timestamp,
        frame: Frame,
        hidden: Option<Hidden>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        match (frame, hidden) {
            (Frame::Refusal(refusal), None) => Err(refusal),
            (Frame::Opened { session, cached }, None)
                if matches!(self.phase, Phase::Opening { opened: false, .. })
                    && session == self.session() =>
            {
                self.opened(now, cached, outputs)
            }
            (Frame::Step(step), Some(hidden)) => self.step(now, step, hidden, outputs),
            (Frame::Close(close), None) => self.closed(close, outputs),
            _ => Err(self.last_refuses("frame out of order")),
        }
    }

    fn step(
        &mut self,
        now: Timestamp,
        step: Step,
        hidden: Hidden,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        for receipt in step.receipts {
            self.receipts.accept(receipt, self.settled())?;
        }
        match self.phase {
            Phase::Running => {}
            // The step crossed our Close.
            Phase::Closing(_) => return Ok(()),
            _ => return Err(self.last_refuses("step before the session was opened")),
        }
        let window = self.feed.awaited.pop_front();
        // Taken, so that a step that comes twice is the last stage's fault and not ours.
        let Some(window) = window.filter(|window| window.first_returned() == step.start) else {
            let detail = format!("step at {} returned, which was not awaited", step.start);
            let last = self.stages().saturating_sub(1);
            return Err(Refusal::new(Cause::PositionMismatch, last, detail));
        };
        if step.positions != window.returned
            || hidden.positions() != window.returned
            || hidden.row_bytes() != self.request.row_bytes
        {
            return Err(self.last_refuses("tensor does not have the step's shape"));
        }
        if !hidden.is_finite() {
            let last = self.stages().saturating_sub(1);
            return Err(Refusal::new(Cause::NotFinite, last, "returned values"));
        }
        self.due = now + STEP_TIMEOUT;
        if !window.stale {
            self.returned.push_back((window, hidden));
            self.run_head(outputs);
        }
        Ok(())
    }

    /// Has the head run over the oldest rows, unless others are being drawn from: a token of theirs
    /// may show that these are worth nothing.
    fn run_head(&mut self, outputs: &mut Vec<Output>) {
        if self.judged.is_some() {
            return;
        }
        let Some((window, hidden)) = self.returned.pop_front() else { return };
        let start = window.first_returned();
        self.judged = Some(Judged { window, start, logits: [].into() });
        outputs.push(Output::Head { position: start, hidden });
    }

    pub(super) fn judge(
        &mut self,
        now: Timestamp,
        position: u32,
        logits: Vec<Vec<f32>>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if !matches!(self.phase, Phase::Running) {
            return Ok(());
        }
        let rows = logits.len();
        let fits = |judged: &&mut Judged| {
            judged.start == position
                && judged.logits.is_empty()
                && judged.window.returned as usize == rows
        };
        let Some(judged) = self.judged.as_mut().filter(fits) else {
            return Err(self.refuse(Cause::Bug, "logits of other positions"));
        };
        judged.logits = logits.into();
        if let Some(begun) = judged.window.timed {
            let guesses = judged.window.returned - 1;
            self.speculator.traversed(guesses, now.since(begun));
        }
        if self.telling { Ok(()) } else { self.draw(now, outputs) }
    }

    /// Draws the next token from the oldest row. Exactly as without guesses: each token is a
    /// function of its row, of the tokens before it and of its position.
    fn draw(&mut self, now: Timestamp, outputs: &mut Vec<Output>) -> Result<(), Refusal> {
        let logits = self.judged.as_mut().and_then(|judged| judged.logits.pop_front());
        let Some(logits) = logits else {
            return Err(self.refuse(Cause::Bug, "no row to draw from"));
        };
        let position = self.known();
        let token = self
            .request
            .sampler
            .sample(&logits, &self.tokens, position)
            .map_err(|error| self.refuse(Cause::NotFinite, error))?;
        self.drawn = position;
        if self.request.ends.contains(&token) {
            self.finish(now, FinishReason::Stop, outputs);
            return Ok(());
        }
        self.speculator.observe(&self.tokens, self.guesses.front(), token);
        let right = self.guesses.pop_front().is_some_and(|guess| guess.token == token);
        if !right {
            self.take_back(position);
        }
        self.tokens.push(token);
        self.speculator.push(&self.tokens);
        let empty = |judged: &mut Judged| judged.logits.is_empty();
        if !right || self.judged.as_mut().is_some_and(empty) {
            self.judged = None;
        }
        self.telling = true;
        outputs.push(Output::Token { id: token, position });
        let full = self.known() >= self.request.open.positions_max;
        if full || self.tokens.len() - self.prompt_tokens >= self.request.max_tokens as usize {
            self.finish(now, FinishReason::Length, outputs);
        }
        Ok(())
    }

    /// Goes on after a token was given out.
    pub(super) fn told(
        &mut self,
        now: Timestamp,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        self.telling = false;
        if !matches!(self.phase, Phase::Running) {
            return Ok(());
        }
        if self.judged.as_ref().is_some_and(|judged| !judged.logits.is_empty()) {
            return self.draw(now, outputs);
        }
        self.feed(now, outputs);
        self.run_head(outputs);
        Ok(())
    }

    pub(super) fn finish(
        &mut self,
        now: Timestamp,
        reason: FinishReason,
        outputs: &mut Vec<Output>,
    ) {
        match self.phase {
            Phase::Running => {
                // A whole answer is signed for up to the row its last token was drawn from, however
                // far guesses had run ahead.
                let positions = if reason.is_whole() { self.drawn } else { self.settled() };
                self.sent.truncate(positions);
                self.receipts.closed(positions);
                self.phase = Phase::Closing(reason);
                self.due = now + STEP_TIMEOUT;
                let key = self.request.prefix_key.as_ref();
                let prefix = key.map(|key| key.tags(&self.tokens[..positions as usize]));
                self.kept = prefix.unwrap_or_default();
                let prefix = self.kept.clone();
                let close = Close { positions, receipts: Vec::new(), prefix };
                outputs.push(Output::First(Frame::Close(close), None));
            }
            Phase::Opening { .. } => {
                let refusal = self.refuse(Cause::Cancelled, "before it was opened");
                self.fail(refusal, Source::Home, outputs);
            }
            Phase::Closing(_) | Phase::Ended => {}
        }
    }

    fn closed(&mut self, close: Close, outputs: &mut Vec<Output>) -> Result<(), Refusal> {
        let Phase::Closing(reason) = self.phase else {
            return Err(self.last_refuses("closed unasked"));
        };
        if close.receipts.len() != self.stages() as usize {
            return Err(self.last_refuses("close lacks a stage's receipt"));
        }
        for receipt in close.receipts {
            self.receipts.accept(receipt, self.settled())?;
        }
        self.receipts.check_chain(&self.sent)?;
        self.end(reason, None, None, outputs);
        Ok(())
    }
}
