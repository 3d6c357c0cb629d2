//! Home's side of a session: opens the ring, feeds the prompt, samples, closes. Not tokenizing,
//! embedding or the head, which the driver does.

mod receipts;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::receipts::Receipts;
use super::{Frame, Open, Step};
use crate::{
    commitment::Chain,
    id::{Digest, SessionId},
    limits::{STEP_BYTES_MAX, STEP_POSITIONS_MAX, STEP_TIMEOUT},
    receipt::FinishReason,
    refusal::{Cause, Refusal},
    route::RouteStage,
    sampler::Sampler,
    signed::Signed,
    tensor::Hidden,
    time::Timestamp,
};

/// Positions of one prefill chunk: long enough to amortise reading the weights, short enough that
/// the next stage starts early. A function of the model alone, so that every run cuts alike.
const CHUNK_POSITIONS: u32 = 128;
/// Prefill chunks embedded and not yet written: the rest of the prompt waits as token ids.
const CHUNKS_IN_FLIGHT: u32 = 2;
/// Longest wait for the ring to close: dialling and KV reservation on every hop.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// What home starts a session with.
#[derive(Debug)]
pub struct Request {
    /// The opening.
    pub open: Open,
    /// The same, signed by home.
    pub signed: Signed,
    /// Genesis hash of the charter.
    pub charter: Digest,
    /// Token ids of the prompt; at least one.
    pub prompt: Vec<u32>,
    /// Draws the answer.
    pub sampler: Sampler,
    /// Most tokens of the answer; at least one.
    pub max_tokens: u32,
    /// Token ids that end the answer; they are not part of it.
    pub ends: Vec<u32>,
    /// Bytes of one row of hidden states.
    pub row_bytes: usize,
}

/// What happened at home.
#[derive(Debug)]
pub enum Input {
    /// The open record is durable, or storage failed.
    OpenDurable(Result<(), Refusal>),
    /// The embedding of the chunk at `start`, asked for by [`Output::Embed`].
    Embedded {
        /// Absolute position of the first row.
        start: u32,
        /// Its rows.
        result: Result<Hidden, Refusal>,
    },
    /// The oldest step handed to [`Output::First`] was written.
    Sent,
    /// Logits asked for by [`Output::Head`].
    Logits {
        /// Position whose hidden state they come from.
        position: u32,
        /// One value per token id.
        result: Result<Vec<f32>, Refusal>,
    },
    /// A frame from the last stage.
    Return(Frame, Option<Hidden>),
    /// A frame back from the first stage.
    First(Frame),
    /// The link to the first stage is gone, or could not be had.
    FirstLost,
    /// The link from the last stage is gone.
    ReturnLost,
    /// The answer is to end here: a stop string was met, or the holder cancelled.
    Finish(FinishReason),
    /// The node gives the session up.
    End(Refusal),
    /// The time [`Home::poll_timeout`] named has come.
    Timeout,
}

/// What the driver must do.
#[derive(Debug)]
pub enum Output {
    /// Make the open record durable, then [`Input::OpenDurable`].
    AppendOpen,
    /// Send to the first stage, in order; after a step, [`Input::Sent`].
    First(Frame, Option<Hidden>),
    /// Send back to the last stage.
    Back(Frame),
    /// Embed these tokens, then [`Input::Embedded`].
    Embed {
        /// Absolute position of the first token.
        start: u32,
        /// Token ids.
        tokens: Vec<u32>,
    },
    /// Run final norm and head over one row, then [`Input::Logits`].
    Head {
        /// Absolute position of the row.
        position: u32,
        /// `[1, hidden]`.
        hidden: Hidden,
    },
    /// One accepted token: it is final.
    Token {
        /// Token id.
        id: u32,
        /// Absolute position it takes.
        position: u32,
    },
    /// The session is over; nothing follows.
    Ended(Box<Ending>),
}

/// How a session ended.
#[derive(Debug)]
pub struct Ending {
    /// Why.
    pub reason: FinishReason,
    /// What went wrong, if the reason is error.
    pub refusal: Option<Refusal>,
    /// Token ids of the prompt.
    pub prompt: Vec<u32>,
    /// Token ids of the answer.
    pub output: Vec<u32>,
    /// The latest valid receipt of each stage that signed one, in stage order.
    pub receipts: Vec<Signed>,
    /// Stages whose last span no receipt covers, ascending.
    pub unsigned_stages: Vec<u32>,
}

/// One session at home.
#[derive(Debug)]
pub struct Home {
    request: Request,
    phase: Phase,
    output: Vec<u32>,
    receipts: Receipts,
    sent: Chain,
    /// Next position to embed.
    next: u32,
    /// Chunks embedded or being embedded and not yet written.
    in_flight: u32,
    /// Position whose hidden state was asked back and has not come.
    awaited: Option<u32>,
    due: Timestamp,
}

#[derive(Debug)]
enum Phase {
    Opening { durable: bool, opened: bool },
    Running,
    Closing(FinishReason),
    Ended,
}

impl Home {
    /// Starts a session: the ring opens while the open record is being written.
    #[must_use]
    pub fn new(now: Timestamp, request: Request, outputs: &mut Vec<Output>) -> Self {
        outputs.push(Output::AppendOpen);
        outputs.push(Output::First(Frame::Open(request.signed.clone()), None));
        Self {
            phase: Phase::Opening { durable: false, opened: false },
            output: Vec::new(),
            receipts: Receipts::new(&request),
            sent: Chain::new(request.open.salt.clone()),
            next: 0,
            in_flight: 0,
            awaited: None,
            due: now + OPEN_TIMEOUT,
            request,
        }
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.request.open.session
    }

    /// Bytes of one row of this session's hidden states.
    #[must_use]
    pub const fn row_bytes(&self) -> usize {
        self.request.row_bytes
    }

    /// When to deliver [`Input::Timeout`] next; re-read after every `handle`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        (!matches!(self.phase, Phase::Ended)).then(|| self.due.min(self.request.open.deadline))
    }

    /// Advances on one input and appends what the driver must do. Never blocks, never fails.
    pub fn handle(&mut self, now: Timestamp, input: Input, outputs: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        let result = match input {
            Input::OpenDurable(result) => result.map(|()| self.ready(now, true, false, outputs)),
            Input::Embedded { start, result } => {
                result.and_then(|hidden| self.embedded(now, start, hidden, outputs))
            }
            Input::Sent => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.embed(outputs);
                Ok(())
            }
            Input::Logits { position, result } => {
                result.and_then(|logits| self.sample(now, position, &logits, outputs))
            }
            Input::Return(frame, hidden) => self.returned(now, frame, hidden, outputs),
            Input::First(Frame::Refusal(refusal)) => Err(refusal),
            Input::First(_) => Err(self.refuse(Cause::Violation, "frame against the flow")),
            // The first stage leaves once it has passed Close on.
            Input::FirstLost if matches!(self.phase, Phase::Closing(_)) => Ok(()),
            Input::FirstLost => Err(self.lost(0)),
            Input::ReturnLost => Err(self.lost(self.stages().saturating_sub(1))),
            Input::Finish(reason) => {
                self.finish(now, reason, outputs);
                Ok(())
            }
            Input::End(refusal) => Err(refusal),
            Input::Timeout => self.timeout(now),
        };
        if let Err(refusal) = result {
            self.fail(refusal, outputs);
        }
    }

    /// Starts feeding once the record is durable (promise P2) and the ring is closed.
    fn ready(&mut self, now: Timestamp, durable: bool, opened: bool, outputs: &mut Vec<Output>) {
        let Phase::Opening { durable: was_durable, opened: was_opened } = &mut self.phase else {
            return;
        };
        *was_durable |= durable;
        *was_opened |= opened;
        if *was_durable && *was_opened {
            self.phase = Phase::Running;
            self.due = now + STEP_TIMEOUT;
            self.embed(outputs);
        }
    }

    /// Asks for embeddings of the next chunks, as far as the window allows.
    fn embed(&mut self, outputs: &mut Vec<Output>) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        while self.in_flight < CHUNKS_IN_FLIGHT && self.next < self.known() {
            let end = self.known().min(self.next + self.chunk());
            let tokens = (self.next..end).map(|position| self.token(position)).collect();
            outputs.push(Output::Embed { start: self.next, tokens });
            self.next = end;
            self.in_flight += 1;
        }
    }

    fn embedded(
        &mut self,
        now: Timestamp,
        start: u32,
        hidden: Hidden,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if !matches!(self.phase, Phase::Running) {
            return Ok(());
        }
        if start != self.sent.positions() || hidden.row_bytes() != self.request.row_bytes {
            return Err(self.refuse(Cause::Bug, "embedded another position or shape"));
        }
        self.sent.append(start, hidden.bytes(), self.request.row_bytes);
        let positions = hidden.positions();
        // Only the last known token's hidden state is worth a trip home.
        let returned = u32::from(start + positions == self.known());
        self.due = now + STEP_TIMEOUT;
        if returned == 1 {
            self.awaited = Some(start + positions - 1);
        }
        let step = Step { start, positions, returned, receipts: Vec::new() };
        outputs.push(Output::First(Frame::Step(step), Some(hidden)));
        Ok(())
    }

    fn returned(
        &mut self,
        now: Timestamp,
        frame: Frame,
        hidden: Option<Hidden>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        match (frame, hidden) {
            (Frame::Refusal(refusal), None) => Err(refusal),
            (Frame::Opened(session), None)
                if matches!(self.phase, Phase::Opening { opened: false, .. })
                    && session == self.session() =>
            {
                self.ready(now, false, true, outputs);
                Ok(())
            }
            (Frame::Step(step), Some(hidden)) => self.step(now, step, hidden, outputs),
            (Frame::Close(receipts), None) => self.closed(receipts, outputs),
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
            self.receipts.accept(receipt)?;
        }
        match self.phase {
            Phase::Running => {}
            // The step crossed our Close.
            Phase::Closing(_) => return Ok(()),
            _ => return Err(self.last_refuses("step before the session was opened")),
        }
        // Taken, so that a step that comes twice is the last stage's fault and not ours.
        let Some(position) = self.awaited.take().filter(|position| *position == step.start) else {
            let detail = format!("step at {} returned, which was not awaited", step.start);
            let last = self.stages().saturating_sub(1);
            return Err(Refusal::new(Cause::PositionMismatch, last, detail));
        };
        if step.positions != 1
            || hidden.positions() != 1
            || hidden.row_bytes() != self.request.row_bytes
        {
            return Err(self.last_refuses("tensor does not have the step's shape"));
        }
        if !hidden.is_finite() {
            let last = self.stages().saturating_sub(1);
            return Err(Refusal::new(Cause::NotFinite, last, "returned values"));
        }
        self.due = now + STEP_TIMEOUT;
        outputs.push(Output::Head { position, hidden });
        Ok(())
    }

    fn sample(
        &mut self,
        now: Timestamp,
        position: u32,
        logits: &[f32],
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if !matches!(self.phase, Phase::Running) {
            return Ok(());
        }
        if position + 1 != self.known() {
            return Err(self.refuse(Cause::Bug, "logits of another position"));
        }
        let position = self.known();
        let seen: Vec<u32> = self.request.prompt.iter().chain(&self.output).copied().collect();
        let token = self
            .request
            .sampler
            .sample(logits, &seen, position)
            .map_err(|error| self.refuse(Cause::NotFinite, error))?;
        if self.request.ends.contains(&token) {
            self.finish(now, FinishReason::Stop, outputs);
            return Ok(());
        }
        self.output.push(token);
        outputs.push(Output::Token { id: token, position });
        let full = self.known() >= self.request.open.positions_max;
        if full || self.output.len() >= self.request.max_tokens as usize {
            self.finish(now, FinishReason::Length, outputs);
            return Ok(());
        }
        self.embed(outputs);
        Ok(())
    }

    fn finish(&mut self, now: Timestamp, reason: FinishReason, outputs: &mut Vec<Output>) {
        match self.phase {
            Phase::Running => {
                self.phase = Phase::Closing(reason);
                self.due = now + STEP_TIMEOUT;
                outputs.push(Output::First(Frame::Close(Vec::new()), None));
            }
            Phase::Opening { .. } => {
                self.fail(self.refuse(Cause::Cancelled, "before it was opened"), outputs);
            }
            Phase::Closing(_) | Phase::Ended => {}
        }
    }

    fn closed(&mut self, receipts: Vec<Signed>, outputs: &mut Vec<Output>) -> Result<(), Refusal> {
        let Phase::Closing(reason) = self.phase else {
            return Err(self.last_refuses("closed unasked"));
        };
        if receipts.len() != self.stages() as usize {
            return Err(self.last_refuses("close lacks a stage's receipt"));
        }
        for receipt in receipts {
            self.receipts.accept(receipt)?;
        }
        self.receipts.check_chain(&self.sent)?;
        self.end(reason, None, outputs);
        Ok(())
    }

    fn timeout(&self, now: Timestamp) -> Result<(), Refusal> {
        if now >= self.request.open.deadline {
            return Err(self.refuse(Cause::Timeout, "the session's deadline passed"));
        }
        if now >= self.due {
            let waiting = match self.phase {
                Phase::Opening { durable: false, .. } => "the open record to be durable",
                Phase::Opening { .. } => "the ring to open",
                Phase::Running => "the next position to return",
                Phase::Closing(_) | Phase::Ended => "the receipts",
            };
            return Err(self.refuse(Cause::Timeout, format!("waited too long for {waiting}")));
        }
        Ok(())
    }

    fn fail(&mut self, refusal: Refusal, outputs: &mut Vec<Output>) {
        outputs.push(Output::First(Frame::Refusal(refusal.clone()), None));
        outputs.push(Output::Back(Frame::Refusal(refusal.clone())));
        let reason = match refusal.cause {
            Cause::Cancelled => FinishReason::Cancelled,
            _ => FinishReason::Error,
        };
        self.end(reason, Some(refusal), outputs);
    }

    fn end(&mut self, reason: FinishReason, refusal: Option<Refusal>, outputs: &mut Vec<Output>) {
        self.phase = Phase::Ended;
        let unsigned_stages = self.receipts.unsigned_stages(self.sent.positions());
        outputs.push(Output::Ended(Box::new(Ending {
            reason,
            refusal,
            prompt: std::mem::take(&mut self.request.prompt),
            output: std::mem::take(&mut self.output),
            receipts: self.receipts.take(),
            unsigned_stages,
        })));
    }

    /// Positions whose token is known: prompt and answer so far.
    fn known(&self) -> u32 {
        u32::try_from(self.request.prompt.len() + self.output.len()).unwrap_or(u32::MAX)
    }

    fn token(&self, position: u32) -> u32 {
        let (position, prompt) = (position as usize, &self.request.prompt);
        prompt.get(position).copied().unwrap_or_else(|| self.output[position - prompt.len()])
    }

    fn chunk(&self) -> u32 {
        let fits = STEP_BYTES_MAX / self.request.row_bytes.max(1);
        u32::try_from(fits).unwrap_or(u32::MAX).clamp(1, CHUNK_POSITIONS.min(STEP_POSITIONS_MAX))
    }

    fn stages(&self) -> u32 {
        u32::try_from(self.request.open.stages.len()).unwrap_or(u32::MAX)
    }

    fn refuse(&self, cause: Cause, detail: impl std::fmt::Display) -> Refusal {
        Refusal::new(cause, self.stages(), detail)
    }

    fn lost(&self, stage: u32) -> Refusal {
        let detail = match self.request.open.stages.get(stage as usize) {
            Some(RouteStage { peer, .. }) => format!("the link with {peer} is gone"),
            None => "the link is gone".to_owned(),
        };
        Refusal::new(Cause::PeerLost, stage, detail)
    }

    fn last_refuses(&self, detail: &str) -> Refusal {
        Refusal::new(Cause::Violation, self.stages().saturating_sub(1), detail)
    }
}
