//! Both ends of one QUIC connection and the messages on it. Not the links between them.

use std::{collections::VecDeque, time::Duration, time::Instant};

use bytes::Bytes;
use quinn_proto::{Dir, StreamId, VarInt};

use super::endpoint::End;
use crate::fabric::Quic;

/// Bytes handed to the stream at once.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A connection whose messages follow one another on one stream.
#[derive(Debug)]
pub(super) struct Connection {
    ends: [End; 2],
    stream: Option<StreamId>,
    /// Bytes that the stream has not taken yet.
    waiting: u64,
    received: u64,
    /// Where in the stream each message ends that was not delivered yet.
    ends_at: VecDeque<u64>,
    queued: u64,
    delivered: usize,
}

impl Connection {
    pub(super) fn new(now: Instant, quic: &Quic, seed: u64) -> Self {
        Self {
            ends: [End::client(now, quic, seed), End::server(quic, !seed)],
            stream: None,
            waiting: 0,
            received: 0,
            ends_at: VecDeque::new(),
            queued: 0,
            delivered: 0,
        }
    }

    /// Whether all messages arrived.
    pub(super) fn is_done(&self) -> bool {
        self.ends_at.is_empty()
    }

    pub(super) fn path(&self) -> (u64, Duration) {
        self.ends[0].path()
    }

    /// Takes in a datagram.
    pub(super) fn receive(&mut self, now: Instant, side: usize, datagram: &[u8]) {
        self.ends[side].receive(now, datagram);
    }

    /// Runs the timers that are due, and says whether any was.
    pub(super) fn expire(&mut self, now: Instant, side: usize) -> bool {
        self.ends[side].expire(now)
    }

    /// Adds a message.
    pub(super) fn queue(&mut self, bytes: u64) {
        self.queued += bytes;
        self.waiting += bytes;
        self.ends_at.push_back(self.queued);
    }

    /// Numbers of the messages that arrived since the last call.
    pub(super) fn arrived(&mut self) -> Vec<usize> {
        let first = self.delivered;
        while self.ends_at.front().is_some_and(|end| *end <= self.received) {
            self.ends_at.pop_front();
            self.delivered += 1;
        }
        (first..self.delivered).collect()
    }

    /// Collects what `side` sends; returns its next timer if it is another than before.
    pub(super) fn drive(
        &mut self,
        now: Instant,
        side: usize,
        datagrams: &mut Vec<Vec<u8>>,
    ) -> Option<Instant> {
        self.ends[side].pump();
        if side == 0 {
            self.write();
        } else {
            self.read();
        }
        self.ends[side].transmit(now, datagrams);
        self.ends[side].timer()
    }

    fn write(&mut self) {
        let Some(connection) = self.ends[0].connection() else { return };
        if self.stream.is_none() && self.waiting > 0 {
            self.stream = connection.streams().open(Dir::Uni);
        }
        let Some(stream) = self.stream else { return };
        while self.waiting > 0 {
            let most = usize::try_from(self.waiting).unwrap_or(usize::MAX).min(ZEROS.len());
            let mut chunk = [Bytes::from_static(&ZEROS[..most])];
            let Ok(written) = connection.send_stream(stream).write_chunks(&mut chunk) else {
                return;
            };
            self.waiting -= written.bytes as u64;
        }
    }

    fn read(&mut self) {
        // The one stream of the other side.
        let stream = StreamId::from(VarInt::from_u32(2));
        let Some(connection) = self.ends[1].connection() else { return };
        let _ = connection.streams().accept(Dir::Uni);
        let mut receiver = connection.recv_stream(stream);
        let Ok(mut chunks) = receiver.read(true) else { return };
        while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
            self.received += chunk.bytes.len() as u64;
        }
        // What it makes due is sent by the pass that follows.
        let _ = chunks.finalize();
    }
}
