//! A scenario's workloads in real time: the same draws as in its simulation. Not who answers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use comity_client::{Client, Event};
use comity_netsim::{
    workload::Source,
    world::{Arrival, World},
};
use comity_protocol::{
    receipt::Sampling,
    request::{Generate, Prompt},
};
use futures::future::join_all;
use tokio::time::{Instant, sleep_until};

use crate::{found::MODEL, prompts::Prompts};

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    /// Seconds from the start when it was asked.
    pub(crate) asked: f64,
    /// When its tokens came.
    pub(crate) tokens: Vec<f64>,
    /// Tokens that were asked for.
    pub(crate) wanted: u32,
}

/// One workload at work.
pub(crate) struct Workload {
    client: Client,
    arrival: Arrival,
    source: Mutex<Source>,
    prompts: Arc<Mutex<Prompts>>,
    begun: Instant,
    until: Instant,
}

impl Workload {
    /// Workload `index` of a scenario, asked through `client` until `until`.
    pub(crate) fn new(
        world: &World,
        index: usize,
        client: Client,
        prompts: Arc<Mutex<Prompts>>,
        (begun, until): (Instant, Instant),
    ) -> Self {
        let workload = &world.workloads[index];
        let source = Mutex::new(Source::new(workload, index, world.seed));
        Self { client, arrival: workload.arrival.clone(), source, prompts, begun, until }
    }

    /// Asks until the time is over, and waits for the last answers.
    pub(crate) async fn run(&self) -> Vec<Answered> {
        match self.arrival {
            Arrival::Closed(users, _) => {
                let users = join_all((0..users).map(|_| self.user())).await;
                users.into_iter().flatten().collect()
            }
            Arrival::Backlog(_) => panic!("a backlog cannot be asked in real time"),
            _ => self.arrivals().await,
        }
    }

    /// Somebody who asks again once they have thought about the answer.
    async fn user(&self) -> Vec<Answered> {
        let mut answers = Vec::new();
        loop {
            let think = self.with_source(Source::thinks).unwrap_or(0.0);
            sleep_until(Instant::now() + Duration::from_secs_f64(think)).await;
            if Instant::now() >= self.until {
                return answers;
            }
            answers.push(self.ask().await);
        }
    }

    /// Requests that come by the clock.
    async fn arrivals(&self) -> Vec<Answered> {
        let (mut at, mut asked) = (0.0, Vec::new());
        while let Some(next) = self.with_source(|source| source.next(at)) {
            let due = self.begun + Duration::from_secs_f64(next);
            if due >= self.until {
                break;
            }
            at = next;
            asked.push(async move {
                sleep_until(due).await;
                self.ask().await
            });
        }
        join_all(asked).await
    }

    fn with_source<T>(&self, of: impl FnOnce(&mut Source) -> T) -> T {
        of(&mut self.source.lock().expect("nothing panics with it"))
    }

    async fn ask(&self) -> Answered {
        let (prompt, wanted) = self.with_source(Source::length);
        let text = self.prompts.lock().expect("nothing panics with it").next(prompt);
        let request = Generate {
            model: MODEL.to_owned(),
            prompt: Prompt::Raw(text),
            sampling: Sampling { max_tokens: wanted, ..Sampling::default() },
            policy: String::new(),
            nonce: bytes::Bytes::new(),
            stages_min: 0,
            rules: None,
        };
        let since = || self.begun.elapsed().as_secs_f64();
        let (asked, mut tokens) = (since(), Vec::new());
        let mut generation = self.client.generate(request).await.expect("it is taken");
        while let Some(event) = generation.next().await {
            if let Event::Token(_) = event.expect("the answer goes on") {
                tokens.push(since());
            }
        }
        generation.finish().await.expect("the answer ends");
        Answered { asked, tokens, wanted }
    }
}
