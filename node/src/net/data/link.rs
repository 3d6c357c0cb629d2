//! A session's hop between two nodes: framed headers and the tensors behind them.
//!
//! A frame is a little-endian `u32` length, that many bytes of header, and, for a step, raw tensor
//! bytes. How many follow is the receiver's own knowledge of the session, never a number from the
//! peer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use comity_protocol::{
    id::PeerKey,
    limits::{FRAME_HEADER_BYTES_MAX, STEP_BYTES_MAX},
    refusal::Cause,
};
use quinn::{Connection, RecvStream, SendStream};

use super::{
    repeat::Losses,
    stream::{Reader, StreamError, Writer},
};

/// Bytes of a frame that goes before others: one row of the widest models. More is prefill, of which
/// a chunk can wait for the tokens of those who read already.
const SMALL_BYTES_MAX: usize = 128 << 10;

/// A bidirectional stream to one peer.
#[derive(Debug)]
pub struct Link {
    peer: PeerKey,
    sender: FrameSender,
    receiver: FrameReceiver,
}

impl Link {
    pub(super) fn new(peer: PeerKey, gauge: Gauge, streams: (SendStream, RecvStream)) -> Self {
        let (send, receive) = streams;
        let sender = FrameSender { writer: Writer::new(send), gauge };
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

/// The priority of a frame of so many bytes: rows go before chunks, chunks in their order.
pub(super) fn priority(chunks: &AtomicU32, bytes: usize) -> i32 {
    if bytes <= SMALL_BYTES_MAX {
        return 1;
    }
    let turn = chunks.fetch_add(1, Ordering::Relaxed);
    // Begins anew after 2^31 chunks, of which one then overtakes those that wait.
    -i32::try_from(turn & 0x7fff_ffff).unwrap_or(i32::MAX)
}

/// The sending direction of a [`Link`]. Dropped unfinished, it resets the stream with
/// [`Cause::Cancelled`].
#[derive(Debug)]
pub struct FrameSender {
    writer: Writer,
    gauge: Gauge,
}

/// What one link has to know of the others: how their connection fares, and whose turn it is.
#[derive(Debug)]
pub(super) struct Gauge {
    pub(super) connection: Connection,
    pub(super) losses: Arc<Losses>,
    /// Chunks sent by this node so far.
    pub(super) chunks: Arc<AtomicU32>,
}

impl Gauge {
    /// Tells the socket whether the path loses packets.
    fn read(&self) {
        let path = self.connection.stats().path;
        let peer = self.connection.remote_address();
        self.losses.note(Instant::now(), peer, path.sent_packets, path.lost_packets);
    }
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
        self.gauge.read();
        self.writer.prefer(priority(&self.gauge.chunks, header.len() + tensor.len()));
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
