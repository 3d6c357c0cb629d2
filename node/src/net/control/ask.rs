//! Questions to neighbours and their answers: versions of the charter, cosignatures. Not hellos.

use comity_protocol::{
    charter::{Chain, CharterError},
    control::{ControlReply, ControlRequest, Hello},
    directory::Change,
    id::PeerKey,
    log::witness::{WitnessRefusal, WitnessReply},
    refusal::Cause,
};
use libp2p::{
    PeerId,
    futures::FutureExt as _,
    request_response::{self, ResponseChannel},
};
use tokio::sync::oneshot;
use tracing::{debug, warn};

use super::{
    Countersign,
    actor::{Actor, Outcome, WORK_MAX},
    tls,
};
use crate::directory::InsertError;

/// First version after the genesis.
const SECOND: u32 = 2;

/// The first version of the charter that the sender of `hello` should be asked for, if it knows a
/// later one, or another one of the newest number.
pub(super) fn later_charter(chain: &Chain, hello: &Hello) -> Option<u32> {
    let mine = chain.current().version;
    let other = hello.charter_version == mine && hello.charter != chain.hash();
    // From our own on, so that it is seen if theirs is another.
    (hello.charter_version > mine || other).then_some(mine.max(SECOND))
}

impl Actor {
    /// Asks `peer`, whose hello is to be heard again afterwards, for charters.
    pub(super) fn ask(&mut self, peer: PeerId, hello: Hello, from: u32) {
        self.unheard.insert(peer, hello);
        self.swarm.behaviour_mut().ask.send_request(&peer, ControlRequest::Charters { from });
    }

    /// Asks `peer` for the node; `reply` is dropped if it cannot answer.
    pub(super) fn put(
        &mut self,
        peer: &PeerKey,
        request: ControlRequest,
        reply: oneshot::Sender<ControlReply>,
    ) {
        let Ok(peer) = tls::peer_id(peer) else { return };
        if self.swarm.is_connected(&peer) {
            let id = self.swarm.behaviour_mut().ask.send_request(&peer, request);
            self.asked.insert(id, reply);
        }
    }

    pub(super) fn on_ask_event(
        &mut self,
        event: request_response::Event<ControlRequest, ControlReply>,
    ) {
        use request_response::{Event, Message};
        match event {
            Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                if self.work.len() < WORK_MAX {
                    self.answer(peer, request, channel);
                }
            }
            Event::Message {
                peer, message: Message::Response { request_id, response }, ..
            } => {
                match self.asked.remove(&request_id) {
                    // Whoever asked may be gone.
                    Some(reply) => drop(reply.send(response)),
                    None => self.on_reply(peer, response),
                }
            }
            Event::OutboundFailure { peer, request_id, error, .. } => {
                self.asked.remove(&request_id);
                debug!(%peer, %error, "no answer");
            }
            Event::InboundFailure { peer, error, .. } => debug!(%peer, %error, "bad question"),
            Event::ResponseSent { .. } => {}
        }
    }

    fn answer(
        &self,
        peer: PeerId,
        request: ControlRequest,
        channel: ResponseChannel<ControlReply>,
    ) {
        let admitted = tls::peer_of(&peer).filter(|_| self.admits(&peer));
        match (request, admitted) {
            // Whom we called was told at once what we know; nobody else is before he proved that
            // he is a member.
            (ControlRequest::Charters { from }, _)
                if admitted.is_some() || self.called.contains(&peer) =>
            {
                let directory = self.directory.clone();
                let answering = async move {
                    let reply = ControlReply::Charters(directory.charters(from).await);
                    Outcome::Answer { channel, reply }
                };
                self.work.push(answering.boxed());
            }
            (ControlRequest::Witness(request), Some(peer)) => {
                let witness = self.witness.clone();
                let answering = async move {
                    let reply = match witness {
                        Some(witness) => witness.cosign(peer, request).await,
                        None => WitnessReply::Refused(WitnessRefusal::new(
                            Cause::NotServed,
                            "this node is no witness",
                        )),
                    };
                    Outcome::Answer { channel, reply: ControlReply::Witness(reply) }
                };
                self.work.push(answering.boxed());
            }
            (ControlRequest::Countersign(receipt), Some(_)) => {
                let (reply, given) = oneshot::channel();
                // If too many wait, the one who asks asks again.
                let waits = self.countersign.try_send(Countersign { receipt, reply });
                if waits.is_ok() {
                    let answering = async move {
                        let reply = ControlReply::Countersign(given.await.unwrap_or_default());
                        Outcome::Answer { channel, reply }
                    };
                    self.work.push(answering.boxed());
                }
            }
            _ => {}
        }
    }

    fn on_reply(&mut self, peer: PeerId, reply: ControlReply) {
        let ControlReply::Charters(chain) = reply else {
            self.unheard.remove(&peer);
            return;
        };
        // Nothing is taken that was not asked for, and nothing that says nothing.
        if !self.unheard.contains_key(&peer) || chain.charters.is_empty() {
            self.unheard.remove(&peer);
            return;
        }
        let directory = self.directory.clone();
        let inserting = async move {
            let from = directory.chain().current().version;
            let inserted = directory.insert_charters(chain.charters).await;
            Outcome::Charters { peer, inserted, from }
        };
        self.work.push(inserting.boxed());
    }

    /// Hears the hello again under the charters that came, or asks for more of them.
    pub(super) fn on_inserted(
        &mut self,
        peer: PeerId,
        inserted: &Result<Change, InsertError<CharterError>>,
        from: u32,
    ) {
        let Some(hello) = self.unheard.remove(&peer) else { return };
        match inserted {
            Ok(Change::Updated) => self.on_hello(peer, hello, None),
            Ok(Change::Unchanged) => {}
            // Its charters part from ours before our newest: all of them may show where.
            Err(InsertError::Refused(CharterError::Previous { .. })) if from > SECOND => {
                self.ask(peer, hello, SECOND);
            }
            Err(error) => {
                warn!(%peer, %error, "charter refused");
                if !self.admits(&peer) {
                    self.refuse(peer, "its charter is not believed");
                }
            }
        }
    }
}
