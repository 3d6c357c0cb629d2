//! The links of a session: to another node over QUIC, or to a stage of this node in memory. Not the
//! connections beneath.

use bytes::Bytes;
use comity_protocol::{
    id::PeerKey,
    limits::{STEP_BYTES_MAX, STEP_POSITIONS_MAX},
    session::Frame,
    tensor::Hidden,
    wire::Wire as _,
};
use tokio::sync::mpsc;

use crate::net::data::{FrameReceiver, FrameSender, Link as RemoteLink, StreamError};

/// A frame and, for a step, its tensor.
pub(crate) type Message = (Frame, Option<Hidden>);

/// Messages a link in memory holds: as small as keeps both sides busy.
const LOCAL_CAPACITY: usize = 2;

/// One hop of a session, both directions.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) peer: PeerKey,
    pub(crate) sender: LinkSender,
    pub(crate) receiver: LinkReceiver,
}

/// The sending side.
#[derive(Debug)]
pub(crate) enum LinkSender {
    Remote(FrameSender),
    Local(mpsc::Sender<Message>),
}

/// The receiving side.
#[derive(Debug)]
pub(crate) enum LinkReceiver {
    Remote(FrameReceiver),
    Local(mpsc::Receiver<Message>),
}

/// Why a link gives no more messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    /// The peer closed or reset it, or its connection is gone.
    #[error("the link is gone")]
    Lost,
    /// The peer sent what no session has.
    #[error("{0}")]
    Violation(String),
}

impl From<StreamError> for LinkError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Length { .. } | StreamError::Truncated { .. } => {
                Self::Violation(error.to_string())
            }
            _ => Self::Lost,
        }
    }
}

impl Link {
    /// Two ends of a link in memory; `peer` is this node itself.
    pub(crate) fn local(peer: PeerKey) -> (Self, Self) {
        let (to_right, from_left) = mpsc::channel(LOCAL_CAPACITY);
        let (to_left, from_right) = mpsc::channel(LOCAL_CAPACITY);
        let end = |sender, receiver| Self {
            peer,
            sender: LinkSender::Local(sender),
            receiver: LinkReceiver::Local(receiver),
        };
        (end(to_right, from_right), end(to_left, from_left))
    }

    /// A link over QUIC.
    pub(crate) fn remote(link: RemoteLink) -> Self {
        let peer = link.peer();
        let (sender, receiver) = link.split();
        Self { peer, sender: LinkSender::Remote(sender), receiver: LinkReceiver::Remote(receiver) }
    }
}

impl LinkSender {
    /// Sends one message. Not cancel-safe: drop the link if it is cancelled.
    pub(crate) async fn send(
        &mut self,
        frame: Frame,
        hidden: Option<Hidden>,
    ) -> Result<(), LinkError> {
        match self {
            Self::Remote(sender) => {
                let tensor = hidden.map_or_else(Bytes::new, |hidden| hidden.bytes().clone());
                sender.send(&frame.encode(), &tensor).await.map_err(|_| LinkError::Lost)
            }
            Self::Local(sender) => sender.send((frame, hidden)).await.map_err(|_| LinkError::Lost),
        }
    }

    /// Says that nothing follows; what was sent still arrives.
    pub(crate) fn finish(&mut self) {
        if let Self::Remote(sender) = self {
            sender.finish();
        }
    }
}

impl LinkReceiver {
    /// The next message. `row_bytes` is the session's: the shape never comes from the peer. Not
    /// cancel-safe.
    pub(crate) async fn receive(&mut self, row_bytes: usize) -> Result<Message, LinkError> {
        match self {
            Self::Remote(receiver) => receive_remote(receiver, row_bytes).await,
            Self::Local(receiver) => receiver.recv().await.ok_or(LinkError::Lost),
        }
    }
}

async fn receive_remote(
    receiver: &mut FrameReceiver,
    row_bytes: usize,
) -> Result<Message, LinkError> {
    let header = receiver.receive_header().await?.ok_or(LinkError::Lost)?;
    let frame = Frame::decode(&header).map_err(|error| violation(&error))?;
    let Frame::Step(step) = &frame else { return Ok((frame, None)) };
    let bytes = (step.positions as usize).saturating_mul(row_bytes);
    if row_bytes == 0 || step.positions > STEP_POSITIONS_MAX || bytes > STEP_BYTES_MAX {
        return Err(LinkError::Violation("step past the limits of a frame".into()));
    }
    let tensor = receiver.receive_tensor(bytes).await?;
    let hidden = Hidden::new(tensor, row_bytes).map_err(|error| violation(&error))?;
    Ok((frame, Some(hidden)))
}

fn violation(error: &dyn std::fmt::Display) -> LinkError {
    LinkError::Violation(error.to_string())
}
