//! Drives one [`Home`] machine: moves frames, asks the executor, streams tokens. Decides nothing.

mod end;

use std::{future::Future, pin::Pin, sync::Arc, time::Instant};

use comity_protocol::{
    receipt::FinishReason,
    refusal::{Cause, Refusal},
    request::{ClientEvent, Started, Token},
    session::{
        Frame,
        home::{Ending, Home, Input, Output},
    },
    signed::Signed,
    tensor::Hidden,
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout_at,
};
use tokio_util::sync::CancellationToken;

pub(super) use self::end::Ended;
use super::{Context, Job, attempt::Attempt, drafter::Drafter, routing::Counted, timing::Timing};
use crate::{
    executor::PassError,
    sessions::{
        EVENT_CAPACITY, Return, SEND_TIMEOUT,
        answer::Answer,
        link::{Link, LinkError, LinkReceiver, LinkSender, Message},
        stage::sleep_until,
    },
};

type Work = Pin<Box<dyn Future<Output = Input> + Send>>;

/// What the links bring.
enum Event {
    First(Result<Message, LinkError>),
    Return(Result<Message, LinkError>),
}

pub(super) struct Driver {
    context: Arc<Context>,
    job: Job,
    /// Until the session is over for its stages.
    counted: Option<Counted>,
    machine: Home,
    outputs: Vec<Output>,
    answer: Answer,
    /// The draft model's side of the session, if there is one. Locked while it drafts.
    drafter: Option<Arc<tokio::sync::Mutex<Drafter>>>,
    open_record: Option<oneshot::Receiver<Signed>>,
    first: Option<LinkSender>,
    back: Option<LinkSender>,
    return_link: Option<oneshot::Receiver<(Link, u32)>>,
    events: mpsc::Receiver<Event>,
    events_sender: mpsc::Sender<Event>,
    readers: JoinSet<()>,
    work: FuturesUnordered<Work>,
    client: mpsc::Sender<ClientEvent>,
    cancel: CancellationToken,
    started: Option<Started>,
    timing: Timing,
}

impl Driver {
    pub(super) fn new(
        context: Arc<Context>,
        attempt: Attempt,
        client: mpsc::Sender<ClientEvent>,
        cancel: CancellationToken,
    ) -> Self {
        let Attempt { job, counted, request, started } = attempt;
        let (events_sender, events) = mpsc::channel(EVENT_CAPACITY);
        let (link, return_link) = oneshot::channel();
        let session = request.open.session;
        if let (Some(last), Ok(mut returns)) = (request.open.stages.last(), context.returns.lock())
        {
            returns.insert(session, Return { peer: last.peer, link });
        }
        let answer = Answer::new(job.asked.model.tokenizer.decoder(), &job.asked.sampling.stop);
        let drafter = Drafter::new(&context, &job, &request).map(tokio::sync::Mutex::new);
        let mut outputs = Vec::new();
        let machine = Home::new(context.clock.now(), request, &mut outputs);
        Self {
            context,
            job,
            counted: Some(counted),
            machine,
            outputs,
            answer,
            drafter: drafter.map(Arc::new),
            open_record: None,
            first: None,
            back: None,
            return_link: Some(return_link),
            events,
            events_sender,
            readers: JoinSet::new(),
            work: FuturesUnordered::new(),
            client,
            cancel,
            started: Some(started),
            timing: Timing::default(),
        }
    }

    pub(super) async fn run(mut self) -> Ended {
        let stop = self.context.cancel.clone();
        let cancel = self.cancel.clone();
        let mut cancelled = false;
        let ending = loop {
            match self.perform().await {
                Performed::Ended(ending) => break ending,
                Performed::Input(input) => {
                    self.handle(input);
                    continue;
                }
                Performed::Idle => {}
            }
            let due = self.machine.poll_timeout().map(|time| self.context.clock.instant(time));
            let input = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    Input::End(self.refusal(Cause::Shutdown, "the node stops"))
                }
                () = cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    Input::Finish(FinishReason::Cancelled)
                }
                Some(input) = self.work.next() => input,
                link = wait(&mut self.return_link) => {
                    self.return_link = None;
                    let Some((link, cached)) = link else { continue };
                    self.attach_return(link);
                    Input::Return(Frame::Opened { session: self.machine.session(), cached }, None)
                }
                Some(event) = self.events.recv() => self.event(event),
                () = sleep_until(due) => Input::Timeout,
            };
            self.handle(input);
        };
        self.end(*ending).await
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(self.context.clock.now(), input, &mut self.outputs);
    }

    fn event(&self, event: Event) -> Input {
        match event {
            Event::First(Ok((frame, _))) => Input::First(frame),
            Event::Return(Ok((frame, hidden))) => Input::Return(frame, hidden),
            Event::First(Err(LinkError::Lost)) => Input::FirstLost,
            Event::Return(Err(LinkError::Lost)) => Input::ReturnLost,
            Event::First(Err(LinkError::Violation(detail)))
            | Event::Return(Err(LinkError::Violation(detail))) => {
                Input::End(self.refusal(Cause::Violation, &detail))
            }
        }
    }

    /// Performs outputs in order, up to the first that yields an input at once.
    async fn perform(&mut self) -> Performed {
        while !self.outputs.is_empty() {
            let input = match self.outputs.remove(0) {
                Output::AppendOpen => {
                    self.append_open();
                    None
                }
                Output::First(frame, hidden) => self.send_first(frame, hidden).await,
                Output::Back(frame) => {
                    let deadline = self.deadline();
                    if let Some(back) = &mut self.back {
                        // A last stage that is gone needs no refusal.
                        let _ = timeout_at(deadline, back.send(frame, None)).await;
                    }
                    None
                }
                Output::Embed { start, tokens } => self.embed(start, tokens).await,
                Output::Head { position, hidden } => {
                    self.timing.steps += 1;
                    let (executor, model) = (self.context.executor.clone(), self.job.asked.digest);
                    let stage = self.stages();
                    self.work.push(Box::pin(async move {
                        let result = executor.head(model, hidden).await;
                        Input::Logits { position, result: refused(result, stage) }
                    }));
                    None
                }
                Output::Draft { start, most, tokens } => self.draft(start, most, tokens),
                Output::Token { id, position } => self.token(id, position).await,
                Output::Ended(ending) => return Performed::Ended(ending),
            };
            if let Some(input) = input {
                return Performed::Input(input);
            }
        }
        Performed::Idle
    }

    fn append_open(&mut self) {
        let (ledger, record) = (self.context.ledger.clone(), self.job.open_record.clone());
        let stage = self.stages();
        let (give, signed) = oneshot::channel();
        self.open_record = Some(signed);
        self.work.push(Box::pin(async move {
            Input::OpenDurable(match ledger.open(record).await {
                Ok(signed) => {
                    let _ = give.send(signed);
                    Ok(())
                }
                Err(error) => Err(Refusal::new(Cause::Storage, stage, error)),
            })
        }));
    }

    async fn embed(&mut self, start: u32, tokens: Vec<u32>) -> Option<Input> {
        if let Some(started) = self.started.take() {
            self.tell(ClientEvent::Started(started)).await;
        }
        let values = self.job.asked.model.home.embed(&tokens).map_err(|error| error.to_string());
        let result = values.and_then(|values| {
            let hidden = Hidden::from_values(&values, values.len() / tokens.len().max(1));
            hidden.map_err(|error| error.to_string())
        });
        let result = result.map_err(|error| self.refusal(Cause::Bug, &error));
        Some(Input::Embedded { start, result })
    }

    fn draft(&self, start: u32, most: u32, tokens: Vec<u32>) -> Option<Input> {
        let Some(drafter) = self.drafter.clone() else {
            return Some(Input::Drafted { start, tokens: Vec::new() });
        };
        self.work.push(Box::pin(async move {
            let tokens = drafter.lock().await.draft(tokens, most).await;
            Input::Drafted { start, tokens }
        }));
        None
    }

    async fn send_first(&mut self, frame: Frame, hidden: Option<Hidden>) -> Option<Input> {
        let deadline = self.deadline();
        let is_step = matches!(frame, Frame::Step(_));
        if is_step {
            self.timing.left.get_or_insert_with(Instant::now);
        }
        if self.first.is_none() {
            if !matches!(frame, Frame::Open { .. }) {
                return None;
            }
            let first = self.job.route.stages().first()?.peer;
            let link = match timeout_at(deadline, self.context.open_link(first)).await {
                Ok(Ok(link)) => link,
                Ok(Err(error)) => {
                    let refusal = Refusal::new(Cause::PeerLost, 0, error);
                    return Some(Input::End(refusal));
                }
                Err(_) => return Some(Input::FirstLost),
            };
            let Link { sender, receiver, .. } = link;
            self.read(receiver, 0, Event::First);
            self.first = Some(sender);
        }
        let sender = self.first.as_mut()?;
        match timeout_at(deadline, sender.send(frame, hidden)).await {
            Ok(Ok(())) => is_step.then_some(Input::Sent),
            Ok(Err(_)) | Err(_) => Some(Input::FirstLost),
        }
    }

    fn attach_return(&mut self, link: Link) {
        let Link { sender, receiver, .. } = link;
        self.back = Some(sender);
        self.read(receiver, self.machine.row_bytes(), Event::Return);
    }

    fn read(
        &mut self,
        mut receiver: LinkReceiver,
        row_bytes: usize,
        event: fn(Result<Message, LinkError>) -> Event,
    ) {
        let sink = self.events_sender.clone();
        self.readers.spawn(async move {
            loop {
                let message = receiver.receive(row_bytes).await;
                let over = message.is_err();
                if sink.send(event(message)).await.is_err() || over {
                    break;
                }
            }
        });
    }

    async fn token(&mut self, id: u32, position: u32) -> Option<Input> {
        self.timing.token(self.context.clock);
        let text = self.answer.push(id);
        self.tell(ClientEvent::Token(Token { id, text, position })).await;
        let stopped = self.answer.stopped();
        Some(if stopped { Input::Finish(FinishReason::Stop) } else { Input::Told })
    }

    /// Tells the client. One that does not read slows only this session down; one that is gone
    /// ends it.
    async fn tell(&mut self, event: ClientEvent) {
        let deadline = self.deadline();
        if !matches!(timeout_at(deadline, self.client.send(event)).await, Ok(Ok(()))) {
            self.cancel.cancel();
        }
    }

    fn refusal(&self, cause: Cause, detail: &str) -> Refusal {
        Refusal::new(cause, self.stages(), detail)
    }

    fn stages(&self) -> u32 {
        u32::try_from(self.job.route.stages().len()).unwrap_or(u32::MAX)
    }

    fn deadline(&self) -> tokio::time::Instant {
        self.context.clock.instant(self.context.clock.now() + SEND_TIMEOUT)
    }
}

enum Performed {
    Idle,
    Input(Input),
    Ended(Box<Ending>),
}

fn refused<T>(result: Result<T, PassError>, stage: u32) -> Result<T, Refusal> {
    result.map_err(|error| Refusal::new(error.cause, stage, error.detail))
}

/// Waits for the last stage's link; for ever once it has come.
async fn wait(link: &mut Option<oneshot::Receiver<(Link, u32)>>) -> Option<(Link, u32)> {
    match link {
        Some(receiver) => receiver.await.ok(),
        None => std::future::pending().await,
    }
}
