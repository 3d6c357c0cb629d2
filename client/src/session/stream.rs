//! Events off a QUIC stream, and the reset that cancels them. Not their order (`progress`).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use comity_protocol::{
    limits::EVENT_BYTES_MAX, refusal::Cause, request::ClientEvent, wire::Wire as _,
};
use futures::{Stream, StreamExt as _};
use quinn::{ConnectionError, ReadError, VarInt, WriteError};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

use super::GenerateError;

/// Bytes that precede each message: its length, little-endian.
const LENGTH_BYTES: usize = 4;

/// Both halves of one request's stream. Dropped before [`Events::complete`], it cancels.
#[derive(Debug)]
pub(crate) struct Events {
    connection: quinn::Connection,
    send: quinn::SendStream,
    recv: FramedRead<quinn::RecvStream, LengthDelimitedCodec>,
    complete: bool,
}

impl Events {
    pub(crate) fn new(
        connection: quinn::Connection,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
    ) -> Self {
        // Checks the length against the bound before it makes room.
        let recv = LengthDelimitedCodec::builder()
            .little_endian()
            .length_field_length(LENGTH_BYTES)
            .max_frame_length(EVENT_BYTES_MAX)
            .new_read(recv);
        Self { connection, send, recv, complete: false }
    }

    /// Writes a part of the request.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), GenerateError> {
        self.send.write_all(bytes).await.map_err(|error| match error {
            WriteError::Stopped(code) => closed(code),
            WriteError::ConnectionLost(error) => GenerateError::from_connection(error),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => GenerateError::Truncated,
        })
    }

    /// The answer to a request that has only one.
    pub(crate) async fn only(mut self) -> Result<ClientEvent, GenerateError> {
        let event = self.next().await.ok_or(GenerateError::Truncated)??;
        self.complete();
        Ok(event)
    }

    /// The request has its end: dropping this cancels nothing any more.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
        // An error says that the node has closed its side already.
        let _ = self.send.finish();
    }

    fn failed(&self, error: &io::Error) -> GenerateError {
        if error.kind() == io::ErrorKind::InvalidData {
            return GenerateError::Violation("an event is longer than the limit");
        }
        match error.get_ref().and_then(|error| error.downcast_ref::<ReadError>()) {
            Some(ReadError::Reset(code)) => closed(*code),
            Some(ReadError::ConnectionLost(error)) => GenerateError::from_connection(error.clone()),
            _ => self
                .connection
                .close_reason()
                .map_or(GenerateError::Truncated, GenerateError::from_connection),
        }
    }
}

impl Stream for Events {
    type Item = Result<ClientEvent, GenerateError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(ready!(self.recv.poll_next_unpin(cx)).map(|frame| match frame {
            Ok(bytes) => ClientEvent::decode(&bytes).map_err(GenerateError::Decode),
            Err(error) => Err(self.failed(&error)),
        }))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if !self.complete {
            // Errors say that the stream has ended already, which is what is wanted.
            let cancelled = VarInt::from_u32(Cause::Cancelled.code().into());
            let _ = self.send.reset(cancelled);
            let _ = self.recv.get_mut().stop(cancelled);
        }
    }
}

impl GenerateError {
    /// Reads the node's cause out of the close, where there is one.
    pub(crate) fn from_connection(error: ConnectionError) -> Self {
        if let ConnectionError::ApplicationClosed(close) = &error
            && let Some(cause) = Cause::from_code(close.error_code.into_inner())
        {
            let detail = String::from_utf8_lossy(&close.reason).into_owned();
            return Self::Closed { cause, detail };
        }
        Self::Lost(error)
    }
}

fn closed(code: VarInt) -> GenerateError {
    Cause::from_code(code.into_inner())
        .map_or(GenerateError::Violation("the stream was reset without a known cause"), |cause| {
            GenerateError::Closed { cause, detail: String::new() }
        })
}
