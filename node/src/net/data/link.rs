//! A session's hop between two nodes: framed headers and the tensors behind them.
//!
//! A frame is a little-endian `u32` length, that many bytes of header, and, for a step, raw tensor
//! bytes. How many follow is the receiver's own knowledge of the session, never a number from the
//! peer. A chunk of prefill goes over a stream of its own, in the lane for such: in its place among the
//! frames stands its number.

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
use futures::FutureExt as _;
use quinn::{Connection, RecvStream, SendStream};

use super::{
    Shared,
    arrivals::Ticket,
    dial,
    lane::Lane,
    stream::{Next, Reader, StreamError, Writer},
};

/// Bytes of a frame that goes before others: one row of the widest models. More is prefill, of which
/// a chunk can wait for the tokens of those who read already.
const SMALL_BYTES_MAX: usize = 128 << 10;

/// The priority of a frame that goes before others; theirs is 0 and less.
const ROW_PRIORITY: i32 = 1;

/// A bidirectional stream to one peer.
#[derive(Debug)]
pub struct Link {
    peer: PeerKey,
    sender: FrameSender,
    receiver: FrameReceiver,
}

impl Link {
    pub(super) fn new(
        shared: &Arc<Shared>,
        peer: PeerKey,
        connection: Connection,
        (send, receive): (SendStream, RecvStream),
    ) -> Self {
        let hop = Hop { shared: Arc::clone(shared), peer, connection };
        let sender = FrameSender { writer: Writer::new(send), hop: hop.clone() };
        let reader = Reader::new(receive);
        let receiver = FrameReceiver { reader, hop, chunk: None, begun: false };
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
pub(super) fn priority(turns: &AtomicU32, bytes: usize) -> i32 {
    if bytes <= SMALL_BYTES_MAX {
        return ROW_PRIORITY;
    }
    let turn = turns.fetch_add(1, Ordering::Relaxed);
    // Begins anew after 2^31 chunks, of which one then overtakes those that wait.
    -i32::try_from(turn & 0x7fff_ffff).unwrap_or(i32::MAX)
}

/// What a link has to know of the others with this peer.
#[derive(Debug, Clone)]
struct Hop {
    shared: Arc<Shared>,
    peer: PeerKey,
    connection: Connection,
}

impl Hop {
    /// Tells the socket whether the path loses packets.
    fn gauge(&self) {
        let path = self.connection.stats().path;
        let peer = self.connection.remote_address();
        self.shared.losses.note(Instant::now(), peer, path.sent_packets, path.lost_packets);
    }

    /// A stream for a chunk, if there is a connection that takes one now; a first chunk finds none, and
    /// makes that the next ones do.
    fn stream(&self) -> Option<Writer> {
        match self.shared.neighbours.live(self.peer, Lane::Bulk) {
            Some(connection) => connection.open_uni().now_or_never()?.ok().map(Writer::new),
            None => {
                let address = self.connection.remote_address();
                dial::dial_for_chunks(&self.shared, self.peer, address);
                None
            }
        }
    }
}

/// The sending direction of a [`Link`]. Dropped unfinished, it resets the stream with
/// [`Cause::Cancelled`].
#[derive(Debug)]
pub struct FrameSender {
    writer: Writer,
    hop: Hop,
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
        for (got, max) in [(tensor.len(), STEP_BYTES_MAX), (header.len(), FRAME_HEADER_BYTES_MAX)] {
            if got > max {
                return Err(StreamError::TooLong { max, got });
            }
        }
        self.hop.gauge();
        let priority = priority(&self.hop.shared.turns, header.len() + tensor.len());
        let chunk = if priority > 0 { None } else { self.hop.stream() };
        let Some(mut chunk) = chunk else {
            self.writer.prefer(priority);
            return self.writer.message(header, FRAME_HEADER_BYTES_MAX, tensor.clone()).await;
        };
        let number = self.hop.shared.number();
        self.writer.prefer(ROW_PRIORITY);
        self.writer.elsewhere(number).await?;
        chunk.prefer(priority);
        chunk.number(number).await?;
        chunk.message(header, FRAME_HEADER_BYTES_MAX, tensor.clone()).await?;
        chunk.finish();
        Ok(())
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
    hop: Hop,
    /// The chunk that comes next, or was the last.
    chunk: Option<Chunk>,
    /// Whether the chunk's header was handed out: what comes next is behind it.
    begun: bool,
}

/// A frame with a stream of its own.
#[derive(Debug)]
enum Chunk {
    Awaited(Ticket<Reader>),
    Here(Reader),
}

impl FrameReceiver {
    /// The next frame's header; `None` if the peer ended the stream well.
    ///
    /// Cancel-safe: what arrived of a header is kept for the next call.
    ///
    /// # Errors
    /// [`StreamError`]; [`StreamError::Length`] before memory is taken for the header.
    pub async fn receive_header(&mut self) -> Result<Option<Bytes>, StreamError> {
        if std::mem::take(&mut self.begun) {
            self.chunk = None;
        }
        loop {
            match &mut self.chunk {
                None => match self.reader.next(FRAME_HEADER_BYTES_MAX).await? {
                    Next::Message(header) => return Ok(Some(header)),
                    Next::End => return Ok(None),
                    Next::Elsewhere(number) => {
                        let ticket = self.hop.shared.arrivals.expect((self.hop.peer, number));
                        self.chunk = Some(Chunk::Awaited(ticket.ok_or(StreamError::Number)?));
                    }
                },
                Some(Chunk::Awaited(ticket)) => {
                    let reader = tokio::select! { biased;
                        reader = ticket.stream() => reader,
                        error = self.reader.lost() => return Err(error),
                        error = self.hop.connection.closed() => return Err(error.into()),
                    };
                    self.chunk = Some(Chunk::Here(reader));
                }
                Some(Chunk::Here(reader)) => {
                    let header = reader.message(FRAME_HEADER_BYTES_MAX).await?;
                    let cut = StreamError::Truncated { expected: 1, got: 0 };
                    self.begun = true;
                    return Ok(Some(header.ok_or(cut)?));
                }
            }
        }
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
        let reader = match &mut self.chunk {
            Some(Chunk::Here(reader)) => reader,
            _ => &mut self.reader,
        };
        reader.exactly(length).await
    }

    /// Tells the peer to stop sending, and why.
    pub fn stop(&mut self, cause: Cause) {
        self.reader.stop(cause);
        if let Some(Chunk::Here(reader)) = &mut self.chunk {
            reader.stop(cause);
        }
    }
}
