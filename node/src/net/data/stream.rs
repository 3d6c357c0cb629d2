//! One QUIC stream each way: length-prefixed messages and raw bytes. Not what they mean.

use bytes::{Buf as _, Bytes, BytesMut};
use comity_protocol::refusal::Cause;
use quinn::{
    ConnectionError, ReadError, RecvStream, ResetError, SendStream, StoppedError, WriteError,
};

use super::{cause, code};

/// Bytes of a length prefix: little-endian `u32`.
const PREFIX_BYTES: usize = 4;
/// Bytes of a chunk's number: little-endian `u64`.
const NUMBER_BYTES: usize = 8;
/// In place of a length: the frame comes over a stream of its own, and its number follows here.
const ELSEWHERE: [u8; PREFIX_BYTES] = [0xff; PREFIX_BYTES];
/// Bytes set aside before they arrive; past it memory grows only with what was received.
const RESERVE_BYTES_MAX: usize = 64 << 10;

/// Why a stream carries nothing more.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The peer announced an empty or too long message; nothing was allocated for it.
    #[error("peer announced a message of {got} bytes; allowed are 1 to {max}")]
    Length {
        /// Most bytes allowed.
        max: usize,
        /// Bytes announced.
        got: usize,
    },
    /// We tried to send an empty or too long message; nothing was sent.
    #[error("message of {got} bytes; allowed are 1 to {max}")]
    TooLong {
        /// Most bytes allowed.
        max: usize,
        /// Bytes given.
        got: usize,
    },
    /// The peer ended the stream within a message.
    #[error("stream ended within a message: {got} of {expected} bytes")]
    Truncated {
        /// Bytes the message should have.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// The peer named two chunks alike.
    #[error("peer sends two chunks of one number")]
    Number,
    /// What messages may take together is taken.
    #[error("no memory budget is left for a message of {0} bytes")]
    Budget(usize),
    /// The message did not arrive in time.
    #[error("message did not arrive in time")]
    Timeout,
    /// The peer ended the stream or the connection and said why.
    #[error("peer ended it: {0}")]
    Ended(Cause),
    /// This side ended the stream or the connection.
    #[error("ended by this node")]
    Closed,
    /// The connection is lost.
    #[error("connection lost")]
    Lost(#[source] ConnectionError),
}

impl StreamError {
    /// The cause that a session ends with.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::Length { .. } | Self::Truncated { .. } | Self::Number => Cause::Violation,
            Self::TooLong { .. } => Cause::Limit,
            Self::Budget(_) => Cause::Overloaded,
            Self::Timeout => Cause::Timeout,
            Self::Ended(cause) => *cause,
            Self::Closed => Cause::Cancelled,
            Self::Lost(_) => Cause::PeerLost,
        }
    }
}

impl From<ConnectionError> for StreamError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => Self::Ended(cause(close.error_code)),
            ConnectionError::LocallyClosed => Self::Closed,
            other => Self::Lost(other),
        }
    }
}

impl From<ReadError> for StreamError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Self::Ended(cause(code)),
            ReadError::ConnectionLost(error) => error.into(),
            ReadError::ClosedStream | ReadError::ZeroRttRejected => Self::Closed,
            ReadError::IllegalOrderedRead => unreachable!("every read here is ordered"),
        }
    }
}

impl From<WriteError> for StreamError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(code) => Self::Ended(cause(code)),
            WriteError::ConnectionLost(error) => error.into(),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => Self::Closed,
        }
    }
}

/// What a link's stream brings next.
#[derive(Debug)]
pub(super) enum Next {
    /// A message.
    Message(Bytes),
    /// The number of a chunk that comes over a stream of its own.
    Elsewhere(u64),
    /// Nothing: the peer ended the stream well.
    End,
}

/// Reads a stream. Cancel-safe: what arrived of a message waits here for the next call.
#[derive(Debug)]
pub(super) struct Reader {
    stream: RecvStream,
    buffer: BytesMut,
}

impl Reader {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// The length of the next message; `None` if the stream ended well before it.
    pub(super) async fn length(&mut self, max: usize) -> Result<Option<usize>, StreamError> {
        self.fill(PREFIX_BYTES).await?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let Some(&prefix) = self.buffer.first_chunk() else {
            return Err(StreamError::Truncated { expected: PREFIX_BYTES, got: self.buffer.len() });
        };
        let got = usize::try_from(u32::from_le_bytes(prefix)).unwrap_or(usize::MAX);
        if got == 0 || got > max {
            return Err(StreamError::Length { max, got });
        }
        Ok(Some(got))
    }

    /// The next length-prefixed message of at most `max` bytes.
    pub(super) async fn message(&mut self, max: usize) -> Result<Option<Bytes>, StreamError> {
        let Some(length) = self.length(max).await? else { return Ok(None) };
        let mut message = self.exactly(PREFIX_BYTES + length).await?;
        message.advance(PREFIX_BYTES);
        Ok(Some(message))
    }

    /// As [`Self::message`], if it is not elsewhere.
    pub(super) async fn next(&mut self, max: usize) -> Result<Next, StreamError> {
        self.fill(PREFIX_BYTES).await?;
        if self.buffer.first_chunk() != Some(&ELSEWHERE) {
            return Ok(self.message(max).await?.map_or(Next::End, Next::Message));
        }
        let mut word = self.exactly(PREFIX_BYTES + NUMBER_BYTES).await?;
        word.advance(PREFIX_BYTES);
        Ok(Next::Elsewhere(word.get_u64_le()))
    }

    /// The number that a chunk begins with.
    pub(super) async fn number(&mut self) -> Result<u64, StreamError> {
        Ok(self.exactly(NUMBER_BYTES).await?.get_u64_le())
    }

    /// Why the stream is lost, once it is. One that the peer ended well is not. Cancel-safe.
    pub(super) async fn lost(&mut self) -> StreamError {
        match self.stream.received_reset().await {
            Ok(Some(code)) => StreamError::Ended(cause(code)),
            Err(ResetError::ConnectionLost(error)) => error.into(),
            Ok(None) | Err(ResetError::ZeroRttRejected) => std::future::pending().await,
        }
    }

    /// The next `length` bytes. The caller has checked `length` against its limit.
    pub(super) async fn exactly(&mut self, length: usize) -> Result<Bytes, StreamError> {
        self.fill(length).await?;
        if self.buffer.len() < length {
            return Err(StreamError::Truncated { expected: length, got: self.buffer.len() });
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    pub(super) fn stop(&mut self, cause: Cause) {
        // Fails only if the stream is over, which is what was wanted.
        let _ = self.stream.stop(code(cause));
    }

    /// Reads until `length` bytes wait or the stream ends.
    async fn fill(&mut self, length: usize) -> Result<(), StreamError> {
        let missing = length.saturating_sub(self.buffer.len());
        self.buffer.reserve(missing.min(RESERVE_BYTES_MAX));
        while self.buffer.len() < length {
            let missing = length - self.buffer.len();
            let Some(chunk) = self.stream.read_chunk(missing, true).await? else { break };
            self.buffer.extend_from_slice(&chunk.bytes);
        }
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop(Cause::Cancelled);
    }
}

/// Writes a stream. Dropped unfinished, it resets the stream: the peer never takes a part for the
/// whole.
#[derive(Debug)]
pub(super) struct Writer {
    stream: SendStream,
    finished: bool,
}

impl Writer {
    pub(super) fn new(stream: SendStream) -> Self {
        Self { stream, finished: false }
    }

    /// Sends one length-prefixed message of at most `max` bytes, and `raw` behind it.
    pub(super) async fn message(
        &mut self,
        message: &[u8],
        max: usize,
        raw: Bytes,
    ) -> Result<(), StreamError> {
        let got = message.len();
        let prefix = match u32::try_from(got) {
            Ok(prefix) if got != 0 && got <= max => prefix,
            _ => return Err(StreamError::TooLong { max, got }),
        };
        let head = Bytes::from([&prefix.to_le_bytes(), message].concat());
        self.stream.write_all_chunks(&mut [head, raw]).await?;
        Ok(())
    }

    /// Says that the next message is the chunk `number` and comes over a stream of its own.
    pub(super) async fn elsewhere(&mut self, number: u64) -> Result<(), StreamError> {
        let word = [&ELSEWHERE[..], &number.to_le_bytes()].concat();
        Ok(self.stream.write_chunk(word.into()).await?)
    }

    /// Begins a chunk's stream.
    pub(super) async fn number(&mut self, number: u64) -> Result<(), StreamError> {
        Ok(self.stream.write_all(&number.to_le_bytes()).await?)
    }

    /// What is sent from now on goes before streams of the connection with a lower `priority`.
    pub(super) fn prefer(&self, priority: i32) {
        // Fails only if the stream is over already.
        let _ = self.stream.set_priority(priority);
    }

    /// Resolves when the peer stops the stream, took it whole after [`Self::finish`], or is gone.
    pub(super) async fn stopped(&self) -> StreamError {
        match self.stream.stopped().await {
            Ok(Some(code)) => StreamError::Ended(cause(code)),
            Ok(None) | Err(StoppedError::ZeroRttRejected) => StreamError::Closed,
            Err(StoppedError::ConnectionLost(error)) => error.into(),
        }
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
        // Fails only if the stream is over already.
        let _ = self.stream.finish();
    }

    pub(super) fn reset(&mut self, cause: Cause) {
        self.finished = true;
        let _ = self.stream.reset(code(cause));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            self.reset(Cause::Cancelled);
        }
    }
}
