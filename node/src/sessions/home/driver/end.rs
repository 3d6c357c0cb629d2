//! What a session leaves behind at home, however it ended: its records, and its proof.

use bytes::Bytes;
use comity_protocol::{
    id::SessionId,
    request::Finished,
    session::{attempts::Unopened, home::Ending},
    telemetry,
};
use futures::StreamExt as _;
use tracing::{debug, error, info};

use super::Driver;
use crate::sessions::bundle::Said;

/// A session that is over and closed in the log.
pub(in crate::sessions::home) struct Ended {
    pub(in crate::sessions::home) session: SessionId,
    /// What the client is told, if it is the last one of its request.
    pub(in crate::sessions::home) finished: Finished,
    /// What telemetry is told then.
    pub(in crate::sessions::home) told: telemetry::Request,
    /// Why it did not open, if it did not.
    pub(in crate::sessions::home) unopened: Option<Unopened>,
    /// The prompt's tokens, if it did not open.
    pub(in crate::sessions::home) prompt: Vec<u32>,
}

impl Driver {
    pub(super) async fn end(mut self, mut ending: Ending) -> Ended {
        if let Ok(mut returns) = self.context.returns.lock() {
            returns.remove(&self.machine.session());
        }
        for link in [&mut self.first, &mut self.back].into_iter().flatten() {
            link.finish();
        }
        // Its stages let go of it now, whoever still reads the answer.
        drop(self.counted.take());
        match &ending.refusal {
            Some(refusal) => info!(%refusal, "session ended badly"),
            None => debug!(tokens = ending.output.len(), "session ended"),
        }
        let text = self.answer.finish();
        let first_token_ns = self.timing.first_token_ns(self.job.asked.arrived);
        let decode_ns = self.timing.decode_ns();
        let told = self.timing.request(&self.job, &ending);
        let (reason, cause, cached_tokens) = (ending.reason, ending.refusal.clone(), ending.cached);
        self.context.learn(&self.job, &ending);
        let unopened = ending.unopened.take();
        let prompt = unopened.as_ref().map_or_else(Vec::new, |_| ending.prompt.clone());
        let bundle = self.bundle(ending).await;
        // Nothing drafts any more: work under way held the lock.
        self.work.clear();
        if let Some(drafter) = self.drafter.take() {
            drafter.lock().await.close().await;
        }
        self.readers.shutdown().await;
        let finished =
            Finished { reason, cause, text, bundle, first_token_ns, decode_ns, cached_tokens };
        Ended { session: self.machine.session(), finished, told, unopened, prompt }
    }

    /// The bundle's bytes; none if the record of the opening never became durable or the log takes
    /// nothing more.
    async fn bundle(&mut self, ending: Ending) -> Bytes {
        let Some(mut open_record) = self.open_record.take() else { return Bytes::new() };
        let open_record = loop {
            tokio::select! { biased;
                signed = &mut open_record => break signed,
                // The record may still be being written, which nothing else drives any more.
                Some(_) = self.work.next() => {}
            }
        };
        let Ok(open_record) = open_record else { return Bytes::new() };
        let text = self.answer.text().to_owned();
        let said = Said { text, first_token_at: self.timing.first_token_at };
        match self.context.bundle(&self.job, ending, said, open_record).await {
            Ok(bundle) => bundle,
            Err(error) => {
                error!(%error, "no receipt for this session");
                Bytes::new()
            }
        }
    }
}
