//! Home's side of a session: opens the ring, feeds the prompt, samples, closes. Not tokenizing,
//! embedding or the head, which the driver does.

mod answer;
mod feed;
mod receipts;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, time::Duration};

pub use self::receipts::Expected;
use self::{
    feed::{Feed, Window},
    receipts::Receipts,
};
use super::{
    Frame, Open,
    attempts::{Source, Unopened, blame},
};
use crate::{
    commitment::Chain,
    id::{Digest, PrefixTag, SessionId},
    prefix::{self, PrefixKey},
    receipt::{FinishReason, Work},
    refusal::{Cause, Refusal},
    route::RouteStage,
    sampler::Sampler,
    signed::Signed,
    speculation::{Drafts, Guess, Speculator},
    tensor::Hidden,
    time::Timestamp,
};

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
    /// Where guesses at the answer come from. They change its speed alone.
    pub drafts: Drafts,
    /// Names the pages that stages may keep; without it they keep nothing.
    pub prefix_key: Option<PrefixKey>,
    /// Home's institution.
    pub institution: String,
    /// What each stage's receipts must say of it, in stage order.
    pub expected: Vec<Expected>,
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
        /// Position whose hidden state the first row comes from.
        position: u32,
        /// For each row one value per token id.
        result: Result<Vec<Vec<f32>>, Refusal>,
    },
    /// The token of [`Output::Token`] was given out, and the answer may go on.
    Told,
    /// Tokens asked for by [`Output::Draft`].
    Drafted {
        /// Absolute position of the first.
        start: u32,
        /// Token ids; as many as are of use, none if there is no draft.
        tokens: Vec<u32>,
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
    /// Run final norm and head over these rows, then [`Input::Logits`].
    Head {
        /// Absolute position of the first row.
        position: u32,
        /// `[rows, hidden]`; at most [`crate::speculation::DRAFTS_MAX`] and one.
        hidden: Hidden,
    },
    /// Have the draft model guess what follows, then [`Input::Drafted`].
    Draft {
        /// Absolute position of the first token to guess.
        start: u32,
        /// Most tokens.
        most: u32,
        /// Token ids of all positions before `start`.
        tokens: Vec<u32>,
    },
    /// One token of the answer: it is final. Then [`Input::Told`], or [`Input::Finish`].
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
    /// What each of these receipts is for.
    pub work: Vec<Work>,
    /// Stages whose last span no receipt covers, ascending.
    pub unsigned_stages: Vec<u32>,
    /// First positions that the stages had not to compute.
    pub cached: u32,
    /// Pages that every stage was asked to keep, and signed for; none if it ended badly.
    pub kept: Vec<PrefixTag>,
    /// What a stage had against it, if that was before a token or a hidden state left home.
    pub unopened: Option<Unopened>,
}

/// One session at home.
#[derive(Debug)]
pub struct Home {
    request: Request,
    phase: Phase,
    /// First positions that the stages hold from an earlier session.
    cached: u32,
    /// Pages the stages are asked to keep.
    kept: Vec<PrefixTag>,
    /// Token ids of prompt and answer so far.
    tokens: Vec<u32>,
    prompt_tokens: usize,
    receipts: Receipts,
    /// Rows sent, of final tokens and then of drafts that may still come true.
    sent: Chain,
    feed: Feed,
    /// Rows that came back and wait for those before them.
    returned: VecDeque<(Window, Hidden)>,
    /// Rows whose tokens are being drawn.
    judged: Option<Judged>,
    /// Whether a token is being given out: until then the answer may end there.
    telling: bool,
    /// Positions whose row was drawn from: `[0, drawn)`.
    drawn: u32,
    /// Tokens sent or being sent that are not known to be right.
    guesses: VecDeque<Guess>,
    speculator: Speculator,
    due: Timestamp,
}

/// Rows of one step, and the tokens drawn from them one by one.
#[derive(Debug)]
struct Judged {
    window: Window,
    /// Absolute position of the first row.
    start: u32,
    /// Logits of the rows not drawn from yet; none before the head has run.
    logits: VecDeque<Vec<f32>>,
}

#[derive(Debug)]
enum Phase {
    Opening { durable: bool, opened: bool },
    Running,
    Closing(FinishReason),
    Ended,
}

impl Home {
    /// Starts a session: the ring opens while the open record is being written, or after it if the
    /// opening names pages of the prompt (promise P2).
    #[must_use]
    pub fn new(now: Timestamp, mut request: Request, outputs: &mut Vec<Output>) -> Self {
        outputs.push(Output::AppendOpen);
        if request.open.prefix.is_empty() {
            outputs.push(opening(&request));
        }
        Self {
            phase: Phase::Opening { durable: false, opened: false },
            cached: 0,
            kept: Vec::new(),
            receipts: Receipts::new(&request),
            sent: Chain::new(request.open.salt.clone()),
            feed: Feed::default(),
            returned: VecDeque::new(),
            judged: None,
            telling: false,
            drawn: 0,
            guesses: VecDeque::new(),
            speculator: Speculator::new(request.drafts, &request.prompt),
            due: now + OPEN_TIMEOUT,
            prompt_tokens: request.prompt.len(),
            tokens: std::mem::take(&mut request.prompt),
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
        let source = Source::of(&input);
        let result = match input {
            Input::OpenDurable(result) => result.map(|()| self.durable(now, outputs)),
            Input::Embedded { start, result } => {
                result.and_then(|hidden| self.embedded(now, start, hidden, outputs))
            }
            Input::Sent => {
                self.written(now, outputs);
                Ok(())
            }
            Input::Logits { position, result } => {
                result.and_then(|logits| self.judge(now, position, logits, outputs))
            }
            Input::Told => self.told(now, outputs),
            Input::Drafted { start, tokens } => {
                self.drafted(now, start, tokens, outputs);
                Ok(())
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
            self.fail(refusal, source, outputs);
        }
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

    fn fail(&mut self, mut refusal: Refusal, source: Source, outputs: &mut Vec<Output>) {
        refusal.stage = source.place(refusal.stage, self.stages());
        self.kept.clear();
        outputs.push(Output::First(Frame::Refusal(refusal.clone()), None));
        outputs.push(Output::Back(Frame::Refusal(refusal.clone())));
        let reason = match refusal.cause {
            Cause::Cancelled => FinishReason::Cancelled,
            _ => FinishReason::Error,
        };
        let unopened = self.unopened(&refusal, source);
        self.end(reason, Some(refusal), unopened, outputs);
    }

    /// That the ring did not open, unless home itself gave it up.
    fn unopened(&self, refusal: &Refusal, source: Source) -> Option<Unopened> {
        let Phase::Opening { .. } = self.phase else { return None };
        let (by, accused) = blame(refusal, source, self.stages())?;
        let peer = |stage: u32| Some(self.request.open.stages.get(stage as usize)?.peer);
        let (reporter, accused) = (peer(by)?, peer(accused)?);
        Some(Unopened { refusal: refusal.clone(), reporter, accused })
    }

    fn end(
        &mut self,
        reason: FinishReason,
        refusal: Option<Refusal>,
        unopened: Option<Unopened>,
        outputs: &mut Vec<Output>,
    ) {
        self.phase = Phase::Ended;
        let unsigned_stages = self.receipts.unsigned_stages(self.settled());
        let output = self.tokens.split_off(self.prompt_tokens);
        let (work, receipts) = self.receipts.take();
        outputs.push(Output::Ended(Box::new(Ending {
            reason,
            refusal,
            prompt: std::mem::take(&mut self.tokens),
            output,
            receipts,
            work,
            unsigned_stages,
            cached: self.cached,
            kept: std::mem::take(&mut self.kept),
            unopened,
        })));
    }

    /// Positions whose token is known: prompt and answer so far.
    fn known(&self) -> u32 {
        u32::try_from(self.tokens.len()).unwrap_or(u32::MAX)
    }

    /// Positions sent whose token is final: those the stages sign for if the session ends now.
    fn settled(&self) -> u32 {
        self.sent.positions().min(self.known())
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

/// The ring's first frame.
fn opening(request: &Request) -> Output {
    let cached = prefix::positions(request.open.prefix.len());
    Output::First(Frame::Open { signed: request.signed.clone(), cached }, None)
}
