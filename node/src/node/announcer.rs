//! Announces what this node serves, before each announcement expires. Not who hears it.

use std::{iter, net::SocketAddr, sync::Arc, time::Duration};

use comity_protocol::{
    announcement::{Announcement, Offer},
    signed::{Domain, Signed, SignedError},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{net::control::Control, sessions::Context};

/// Between two announcements: several fit into the life of one, so that a lost one does no harm.
const INTERVAL: Duration = Duration::from_secs(30);
/// After the first one: by then neighbours have been called, and how far they are is known.
const SECOND: Duration = Duration::from_secs(5);
/// Life of an announcement.
const LIFE: Duration = Duration::from_secs(120);

/// Announces now and then until cancelled.
pub(super) async fn run(
    context: Arc<Context>,
    control: Control,
    addresses: Vec<SocketAddr>,
    cancel: CancellationToken,
) {
    let waits = [Duration::ZERO, SECOND].into_iter().chain(iter::repeat(INTERVAL));
    for wait in waits {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = sleep(wait) => {}
        }
        match announcement(&context, &addresses).await {
            Ok(Some(signed)) => {
                if let Err(error) = context.directory.insert_announcement(signed.clone()).await {
                    warn!(%error, "the own announcement was refused");
                }
                control.announce(signed).await;
            }
            Ok(None) => warn!("this node is on no valid roster and announces nothing"),
            Err(error) => error!(%error, "the announcement could not be signed"),
        }
    }
}

async fn announcement(
    context: &Context,
    addresses: &[SocketAddr],
) -> Result<Option<Signed>, SignedError> {
    let Some(member) = context.directory.member(context.me).await else { return Ok(None) };
    let (now, usage) = (context.clock.now(), context.executor.usage());
    let free = usage.kv_budget.saturating_sub(usage.kv_reserved);
    let offers = context
        .serving
        .iter()
        .map(|serving| Offer {
            manifest: serving.digest,
            blocks: serving.blocks,
            numeric_class: serving.numeric_class.clone(),
            block_time_ns: usage.block_time_ns,
            positions_free: free / usage.kv_bytes_per_position.max(1),
            sessions: usage.sessions,
        })
        .collect();
    let manifests = context.serving.iter().map(|serving| serving.digest).collect();
    let announcement = Announcement {
        institution: member.institution,
        // Wall-clock time keeps rising over restarts, which a counter in memory would not.
        sequence: now.as_ms(),
        issued_at: now,
        expires_at: now + LIFE,
        data_addresses: addresses.to_vec(),
        offers,
        round_trips: context.directory.round_trips(manifests).await,
    };
    context.ledger.key().sign(Domain::ANNOUNCEMENT, &context.charter, &announcement).map(Some)
}
