//! Drives one [`Stage`] machine: moves frames, asks the executor, signs. Decides nothing.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use comity_protocol::{
    id::{Digest, PrefixTag, SessionId},
    prefix::Scope,
    refusal::{Cause, Refusal},
    session::{
        Frame,
        stage::{Admission, Input, Output, PENDING_STEPS_MAX, Stage},
    },
    signed::Signed,
    tensor::Hidden,
};
use futures::{
    StreamExt as _,
    stream::{FuturesOrdered, FuturesUnordered},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time::timeout_at,
};
use tracing::{debug, info};

use super::{
    Context, EVENT_CAPACITY, OpenLinkError,
    link::{Link, LinkError, LinkSender, Message},
    outbox::{Outbox, Places},
};
use crate::executor::{Opening, PassError, Prefix};

type Work = Pin<Box<dyn Future<Output = Input> + Send>>;
type Pass = Pin<Box<dyn Future<Output = Result<Hidden, PassError>> + Send>>;

/// What the links bring.
enum Event {
    /// With the place that a step has on its way through this stage.
    Upstream(Result<Message, LinkError>, OwnedSemaphorePermit),
    Downstream(Result<Message, LinkError>),
}

/// Serves one session whose opening came on `upstream`, from a node that holds its first `cached`
/// positions, until it ends.
pub(super) async fn serve(context: Arc<Context>, upstream: Link, signed: Signed, cached: u32) {
    let members: HashMap<_, _> = context.directory.members().await.into_iter().collect();
    let mut outputs = Vec::new();
    let chain = context.directory.chain();
    let admitted = {
        let admission = Admission {
            charter: context.charter,
            me: context.me,
            from: upstream.peer,
            member: &|peer| members.get(peer).cloned(),
            policy: &|name| chain.current().policy(name),
            serving: &context.serving,
        };
        Stage::admit(context.clock.now(), signed, cached, &admission, &mut outputs)
    };
    let claimed = admitted.and_then(|machine| {
        let (session, index) = (machine.session(), machine.index());
        let claim = Claim::new(context.clone(), session).ok_or_else(|| {
            Refusal::new(Cause::Violation, index, "open: the session is being served already")
        })?;
        let home = members.get(&machine.home()).map(|member| member.institution.clone());
        let home = home.unwrap_or_default();
        context.check_quota(&home).map_err(|it| Refusal::new(Cause::Quota, index, it))?;
        Ok((machine, claim, home))
    });
    match claimed {
        Ok((machine, claim, institution)) => {
            Driver::new(context, machine, institution, upstream).run(outputs).await;
            drop(claim);
        }
        Err(refusal) => {
            info!(peer = %upstream.peer.short(), %refusal, "refused a session");
            refuse(&context, upstream, refusal).await;
        }
    }
}

/// Sends a refusal back on a link that carries no session yet.
pub(super) async fn refuse(context: &Context, mut link: Link, refusal: Refusal) {
    let deadline = context.clock.instant(context.clock.now() + super::SEND_TIMEOUT);
    // A peer that does not even take its refusal learns from the closed stream.
    let _ = timeout_at(deadline, link.sender.send(Frame::Refusal(refusal), None)).await;
    link.sender.finish();
}

/// A session's place among those this node is a stage of; free again when dropped.
struct Claim {
    context: Arc<Context>,
    session: SessionId,
}

impl Claim {
    /// `None` if the session is being served already.
    fn new(context: Arc<Context>, session: SessionId) -> Option<Self> {
        let new = context.stages.lock().ok()?.insert(session);
        new.then_some(Self { context, session })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Ok(mut stages) = self.context.stages.lock() {
            stages.remove(&self.session);
        }
        if let Ok(mut quotas) = self.context.quotas.lock() {
            quotas.close(&self.session);
        }
    }
}

struct Driver {
    context: Arc<Context>,
    machine: Stage,
    model: Digest,
    /// Home's.
    institution: String,
    upstream: LinkSender,
    downstream: Option<Outbox>,
    places: Places,
    events: mpsc::Receiver<Event>,
    events_sender: mpsc::Sender<Event>,
    /// One permit per step the machine can still take; the upstream reader spends them.
    permits: Arc<Semaphore>,
    readers: JoinSet<()>,
    passes: FuturesOrdered<Pass>,
    work: FuturesUnordered<Work>,
}

impl Driver {
    fn new(context: Arc<Context>, machine: Stage, institution: String, upstream: Link) -> Self {
        let (events_sender, events) = mpsc::channel(EVENT_CAPACITY);
        let permits = Arc::new(Semaphore::new(PENDING_STEPS_MAX));
        let mut readers = JoinSet::new();
        let Link { sender, mut receiver, .. } = upstream;
        let (sink, spent, row_bytes) =
            (events_sender.clone(), permits.clone(), machine.row_bytes());
        let places = Places::new();
        let free = places.free();
        readers.spawn(async move {
            while let Ok(permit) = spent.acquire().await {
                permit.forget();
                let Ok(place) = free.clone().acquire_owned().await else { break };
                let message = receiver.receive(row_bytes).await;
                let over = message.is_err();
                if sink.send(Event::Upstream(message, place)).await.is_err() || over {
                    break;
                }
            }
        });
        Self {
            model: machine.model(),
            context,
            machine,
            institution,
            upstream: sender,
            downstream: None,
            places,
            events,
            events_sender,
            permits,
            readers,
            passes: FuturesOrdered::new(),
            work: FuturesUnordered::new(),
        }
    }

    fn session(&self) -> SessionId {
        self.machine.session()
    }

    async fn run(mut self, mut outputs: Vec<Output>) {
        let stop = self.context.cancel.clone();
        debug!(session = %self.session().short(), "serving a session");
        let refusal = loop {
            match self.perform(&mut outputs).await {
                Performed::Ended(refusal) => break refusal,
                Performed::Input(input) => {
                    self.machine.handle(self.context.clock.now(), input, &mut outputs);
                    continue;
                }
                Performed::Idle => {}
            }
            let due = self.machine.poll_timeout().map(|time| self.context.clock.instant(time));
            let input = tokio::select! {
                biased;
                () = stop.cancelled() => Input::End(self.refusal(Cause::Shutdown, "the node stops")),
                Some(result) = self.passes.next() => {
                    self.permits.add_permits(1);
                    self.places.computed();
                    Input::Computed(result.map_err(|error| self.pass_refusal(&error)))
                }
                lost = flush(&mut self.downstream) => match lost {
                    Ok(()) => continue,
                    Err(_) => Input::DownstreamLost,
                },
                Some(input) = self.work.next() => input,
                Some(event) = self.events.recv() => self.event(event),
                () = sleep_until(due) => Input::Timeout,
            };
            self.machine.handle(self.context.clock.now(), input, &mut outputs);
        };
        match refusal {
            Some(refusal) => info!(session = %self.session().short(), %refusal, "session refused"),
            None => debug!(session = %self.session().short(), "session served"),
        }
        self.context.executor.close(self.model, self.session()).await;
        self.upstream.finish();
        if let Some(downstream) = self.downstream {
            downstream.finish(super::SEND_TIMEOUT).await;
        }
        self.readers.shutdown().await;
    }

    fn event(&mut self, event: Event) -> Input {
        match event {
            Event::Upstream(Ok((frame, hidden)), place) => {
                if matches!(frame, Frame::Step(_)) {
                    self.places.enter(place);
                } else {
                    self.permits.add_permits(1);
                }
                Input::Upstream(frame, hidden)
            }
            Event::Downstream(Ok((frame, _))) => Input::Downstream(frame),
            Event::Upstream(Err(LinkError::Lost), _) => Input::UpstreamLost,
            Event::Downstream(Err(LinkError::Lost)) => Input::DownstreamLost,
            Event::Upstream(Err(LinkError::Violation(detail)), _)
            | Event::Downstream(Err(LinkError::Violation(detail))) => {
                Input::End(self.refusal(Cause::Violation, &detail))
            }
        }
    }

    /// Performs outputs in order, up to the first that yields an input at once.
    async fn perform(&mut self, outputs: &mut Vec<Output>) -> Performed {
        while !outputs.is_empty() {
            let done = match outputs.remove(0) {
                Output::OpenShard { scope, positions_max, prefix } => {
                    self.open_shard(scope, positions_max, prefix);
                    Ok(())
                }
                Output::Keep { scope, prefix, rows } => {
                    let prefix = Prefix { scope, tags: prefix, now: self.context.clock.now() };
                    let (executor, session) = (&self.context.executor, self.session());
                    executor.keep(self.model, session, prefix, rows).await;
                    Ok(())
                }
                Output::Downstream(frame, hidden) => self.send_downstream(frame, hidden).await,
                Output::Upstream(frame) => {
                    // An upstream that is gone needs no refusal.
                    let deadline = self.send_deadline();
                    let _ = timeout_at(deadline, self.upstream.send(frame, None)).await;
                    Ok(())
                }
                Output::Compute { start, hidden } => self.compute(start, hidden).await,
                Output::Sign { draft, last } => {
                    let (ledger, index) = (self.context.ledger.clone(), self.machine.index());
                    let work = u128::from(draft.parameters) * u128::from(draft.computed);
                    self.context.count(&self.institution, draft.session, work);
                    self.work.push(Box::pin(async move {
                        let receipt = ledger
                            .sign_stage_receipt(*draft)
                            .await
                            .map_err(|error| Refusal::new(Cause::Storage, index, error));
                        Input::Signed { receipt, last }
                    }));
                    Ok(())
                }
                Output::Ended(refusal) => return Performed::Ended(refusal),
            };
            if let Err(input) = done {
                return Performed::Input(input);
            }
        }
        Performed::Idle
    }

    fn open_shard(&mut self, scope: Scope, positions_max: u32, prefix: Vec<PrefixTag>) {
        let (executor, model) = (self.context.executor.clone(), self.model);
        let (session, institution) = (self.session(), self.institution.clone());
        let (index, now) = (self.machine.index(), self.context.clock.now());
        let (blocks, tags) = (scope.blocks, prefix);
        let share = self.context.share(&institution);
        let prefix = (!tags.is_empty()).then_some(Prefix { scope, tags, now });
        self.work.push(Box::pin(async move {
            let opening = Opening { session, institution, share, blocks, positions_max, prefix };
            let result = executor.open(model, opening).await;
            Input::ShardOpened(
                result.map_err(|error| Refusal::new(error.cause, index, error.detail)),
            )
        }));
    }

    async fn compute(&mut self, start: u32, hidden: Hidden) -> Result<(), Input> {
        let pass = self.context.executor.forward(self.model, self.session(), start, hidden).await;
        match pass {
            Ok(pass) => {
                self.passes.push_back(Box::pin(pass));
                Ok(())
            }
            Err(error) => Err(Input::End(self.pass_refusal(&error))),
        }
    }

    async fn send_downstream(&mut self, frame: Frame, hidden: Option<Hidden>) -> Result<(), Input> {
        if self.downstream.is_none() {
            if matches!(frame, Frame::Refusal(_)) {
                return Ok(());
            }
            let deadline = self.send_deadline();
            self.connect(deadline).await.map_err(|error| self.unreachable(&error))?;
        }
        let place = if matches!(frame, Frame::Step(_)) { self.places.leave() } else { None };
        let Some(outbox) = &mut self.downstream else { return Ok(()) };
        outbox.send(frame, hidden, place).map_err(|_| Input::DownstreamLost)
    }

    async fn connect(&mut self, deadline: tokio::time::Instant) -> Result<(), OpenLinkError> {
        let peer = self.machine.downstream();
        let link = timeout_at(deadline, self.context.open_link(peer))
            .await
            .map_err(|_| OpenLinkError::Timeout(peer))??;
        let Link { sender, mut receiver, .. } = link;
        self.downstream = Some(Outbox::new(sender));
        let sink = self.events_sender.clone();
        self.readers.spawn(async move {
            loop {
                // Only refusals flow against the direction, and they carry no tensor.
                let message = receiver.receive(0).await;
                let over = message.is_err();
                if sink.send(Event::Downstream(message)).await.is_err() || over {
                    break;
                }
            }
        });
        Ok(())
    }

    fn unreachable(&self, error: &OpenLinkError) -> Input {
        Input::End(self.refusal(Cause::PeerLost, &error.to_string()))
    }

    fn pass_refusal(&self, error: &PassError) -> Refusal {
        self.refusal(error.cause, &error.detail)
    }

    fn refusal(&self, cause: Cause, detail: &str) -> Refusal {
        Refusal::new(cause, self.machine.index(), detail)
    }

    fn send_deadline(&self) -> tokio::time::Instant {
        self.context.clock.instant(self.context.clock.now() + super::SEND_TIMEOUT)
    }
}

enum Performed {
    Idle,
    Input(Input),
    Ended(Option<Refusal>),
}

/// Sends what waits; for ever if nothing does. Cancel-safe.
async fn flush(outbox: &mut Option<Outbox>) -> Result<(), LinkError> {
    match outbox {
        Some(outbox) if outbox.is_busy() => outbox.flush().await,
        _ => std::future::pending().await,
    }
}

/// Sleeps until `due`; for ever without one.
pub(super) async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
