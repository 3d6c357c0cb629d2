//! Tells the directory whom the data plane meets and loses. Not what the directory makes of it.

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{directory::Directory, net::data::Contact};

/// Passes contacts on until cancelled.
pub(super) async fn run(
    mut contacts: Receiver<Contact>,
    directory: Directory,
    cancel: CancellationToken,
) {
    while let Some(contact) = cancel.run_until_cancelled(contacts.recv()).await {
        match contact {
            Ok(Contact::Met(peer)) => directory.met(peer).await,
            Ok(Contact::Lost { peer, silent }) => directory.lost(peer, silent).await,
            // Who died unnoticed is found dead by the next session.
            Err(RecvError::Lagged(missed)) => warn!(missed, "contacts missed"),
            Err(RecvError::Closed) => return,
        }
    }
}
