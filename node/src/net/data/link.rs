//! A session's hop between two nodes: framed headers and the tensors behind them.
//!
//! A frame is a little-endian `u32` length, that many bytes of header, and, for a step, raw tensor
//! bytes. How many follow is the receiver's own knowledge of the session, never a number from the
//! peer.

use bytes::Bytes;
use comity_protocol::{
    id::PeerKey,
    limits::{FRAME_HEADER_BYTES_MAX, STEP_BYTES_MAX},
    refusal::Cause,
};
use quinn::{RecvStream, SendStream};

use super::stream::{Reader, StreamError, Writer};

/// A bidirectional stream to one peer.
#[derive(Debug)]
pub struct Link {
    peer: PeerKey,
    sender: FrameSender,
    receiver: FrameReceiver,
}

impl Link {
    pub(super) fn new(peer: PeerKey, (send, receive): (SendStream, RecvStream)) -> Self {
        let sender = FrameSender { writer: Writer::new(send) };
        let receiver = FrameReceiver { reader: Reader::new(receive) };
        Self { peer, sender, receiver }
    }

    /// Who is at the other end, as proved in the handshake.
    #[must_use]
    pub fn peer(&self) -> PeerKey {
        self.peer
    }

    /// The two directions, to be used by two tasks.
    #[must_use]
    pub fn split(self) -> (FrameSender, FrameReceiver) {
        (self.sender, self.receiver)
    }

    /// Ends both directions at once, and says why.
    pub fn refuse(mut self, cause: Cause) {
        self.sender.reset(cause);
        self.receiver.stop(cause);
    }
}

/// The sending direction of a [`Link`]. Dropped unfinished, it resets the stream with
/// [`Cause::Cancelled`].
#[derive(Debug)]
pub struct FrameSender {
    writer: Writer,
}

impl FrameSender {
    /// Sends one frame; `tensor` is empty unless the header is a step's. Waits while the peer's
    /// window is full.
    ///
    /// Not cancel-safe: a frame sent in part ends the stream.
    ///
    /// # Errors
    /// [`StreamError`]; [`StreamError::TooLong`] before anything is sent.
    pub async fn send(&mut self, header: &[u8], tensor: &Bytes) -> Result<(), StreamError> {
        if tensor.len() > STEP_BYTES_MAX {
            return Err(StreamError::TooLong { max: STEP_BYTES_MAX, got: tensor.len() });
        }
        self.writer.message(header, FRAME_HEADER_BYTES_MAX, tensor.clone()).await
    }

    /// Ends the direction well; what was sent still arrives.
    pub fn finish(&mut self) {
        self.writer.finish();
    }

    /// Ends the direction at once; what was sent may be lost.
    pub fn reset(&mut self, cause: Cause) {
        self.writer.reset(cause);
    }
}

/// The receiving direction of a [`Link`]. Dropped, it tells the peer to stop sending.
#[derive(Debug)]
pub struct FrameReceiver {
    reader: Reader,
}

impl FrameReceiver {
    /// The next frame's header; `None` if the peer ended the stream well.
    ///
    /// Cancel-safe: what arrived of a header is kept for the next call.
    ///
    /// # Errors
    /// [`StreamError`]; [`StreamError::Length`] before memory is taken for the header.
    pub async fn receive_header(&mut self) -> Result<Option<Bytes>, StreamError> {
        self.reader.message(FRAME_HEADER_BYTES_MAX).await
    }

    /// The tensor behind the header received last: `length` bytes, as the session's own shape
    /// demands. Memory grows with what arrives, not with `length`.
    ///
    /// Cancel-safe, if called again with the same `length`.
    ///
    /// # Errors
    /// [`StreamError`]; [`StreamError::Length`] if `length` passes the limit of a step.
    pub async fn receive_tensor(&mut self, length: usize) -> Result<Bytes, StreamError> {
        if length > STEP_BYTES_MAX {
            return Err(StreamError::Length { max: STEP_BYTES_MAX, got: length });
        }
        self.reader.exactly(length).await
    }

    /// Tells the peer to stop sending, and why.
    pub fn stop(&mut self, cause: Cause) {
        self.reader.stop(cause);
    }
}
