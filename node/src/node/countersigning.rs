//! Brings both sides' books together: stages ask homes to countersign what they computed. Not the
//! signatures (`ledger`).
//!
//! A stage asks again until it has home's word, so that nothing is lost with a session that broke or
//! a home that was away; a home that gave up the request never gives it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use comity_protocol::{
    control::{ControlReply, ControlRequest},
    id::Digest,
    receipt::StageReceipt,
    signed::Signed,
    wire::Wire as _,
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    ledger::Ledger,
    net::control::{Control, Countersign},
    store::Store,
};

/// How often the node looks for receipts without a countersignature.
const INTERVAL: Duration = Duration::from_secs(5);
/// Receipts asked for at one look; the others come next time.
const ASKED_MAX: usize = 64;
/// First pause before a home that did not answer is asked again about a receipt.
const PAUSE: Duration = Duration::from_secs(10);
/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// Stage receipts that may wait to be countersigned; more are dropped, and asked for again.
pub(super) const WAITING_MAX: usize = 64;

/// What both sides need.
#[derive(Clone)]
pub(super) struct Books {
    pub(super) ledger: Ledger,
    pub(super) store: Arc<Store>,
}

/// When to ask again for each countersignature that did not come, and how long to wait after that.
type Pauses = BTreeMap<Digest, (Instant, Duration)>;

impl Books {
    /// As home: answers stages, until cancelled.
    pub(super) async fn give(
        self,
        mut asked: mpsc::Receiver<Countersign>,
        cancel: CancellationToken,
    ) {
        while let Some(Some(Countersign { receipt, reply })) =
            cancel.run_until_cancelled(asked.recv()).await
        {
            let given = self.ledger.countersign(&self.store, &receipt).await;
            let given = given.inspect_err(|error| debug!(%error, "not countersigned")).ok();
            // Whoever asked may be gone.
            let _ = reply.send(given);
        }
    }

    /// As stage: asks homes, until cancelled.
    pub(super) async fn ask(self, control: Control, cancel: CancellationToken) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pauses = Pauses::new();
        while cancel.run_until_cancelled(ticks.tick()).await.is_some() {
            for receipt in self.due(&mut pauses).await {
                let asking = self.ask_one(&control, &receipt);
                if cancel.run_until_cancelled(asking).await == Some(false) {
                    let now = Instant::now();
                    let pause = pauses.entry(receipt.payload_digest()).or_insert((now, PAUSE));
                    *pause = (now + pause.1, (pause.1 * 2).min(PAUSE_MAX));
                }
            }
        }
    }

    /// Receipts to ask for now.
    async fn due(&self, pauses: &mut Pauses) -> Vec<Signed> {
        let store = self.store.clone();
        let look = move || store.catch_up().and_then(|_| store.uncountersigned());
        let waiting = match tokio::task::spawn_blocking(look).await {
            Ok(Ok(waiting)) => waiting,
            Ok(Err(error)) => {
                warn!(%error, "the index does not say what is not countersigned");
                return Vec::new();
            }
            // The node is stopping.
            Err(_) => return Vec::new(),
        };
        let known: BTreeSet<_> = waiting.iter().map(Signed::payload_digest).collect();
        pauses.retain(|digest, _| known.contains(digest));
        let now = Instant::now();
        let due = |receipt: &Signed| {
            pauses.get(&receipt.payload_digest()).is_none_or(|(at, _)| *at <= now)
        };
        waiting.into_iter().filter(due).take(ASKED_MAX).collect()
    }

    /// Asks for one countersignature and records it; whether it came.
    async fn ask_one(&self, control: &Control, receipt: &Signed) -> bool {
        let Ok(StageReceipt { home, .. }) = StageReceipt::decode(&receipt.payload) else {
            return false;
        };
        let reply = control.ask(home, ControlRequest::Countersign(receipt.clone())).await;
        let Some(ControlReply::Countersign(Some(given))) = reply else { return false };
        match self.ledger.countersigned(&self.store, given).await {
            Ok(_) => true,
            Err(error) => {
                warn!(home = %home.short(), %error, "countersignature not taken");
                false
            }
        }
    }
}
