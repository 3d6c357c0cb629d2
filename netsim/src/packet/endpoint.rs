//! One end of one QUIC connection. Not what it sends.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use quinn_proto::{
    AckFrequencyConfig, ClientConfig, Connection, ConnectionHandle, ConnectionId,
    ConnectionIdGenerator, DatagramEvent, Endpoint, EndpointConfig, ServerConfig, Transmit,
    TransportConfig, VarInt, congestion::CubicConfig,
};

use super::crypto::Null;
use crate::fabric::Quic;

/// Datagrams that quinn hands to the system at once.
const BURST: usize = 10;
/// Where the other end is: only one exists.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4701);

/// An endpoint with its one connection.
pub(super) struct End {
    endpoint: Endpoint,
    connection: Option<(ConnectionHandle, Connection)>,
    timer: Option<Instant>,
    buffer: Vec<u8>,
}

impl End {
    /// The end that dials.
    pub(super) fn client(now: Instant, quic: &Quic, seed: u64) -> Self {
        let mut endpoint = Endpoint::new(endpoint_config(seed), None, true, None);
        let mut config = ClientConfig::new(Arc::new(Null));
        config
            .transport_config(Arc::new(transport(quic)))
            .initial_dst_cid_provider(Arc::new(|| ConnectionId::new(&[7; 20])));
        let connection =
            endpoint.connect(now, config, PEER, "peer").expect("the address and name are valid");
        Self { endpoint, connection: Some(connection), timer: None, buffer: Vec::new() }
    }

    /// The end that listens.
    pub(super) fn server(quic: &Quic, seed: u64) -> Self {
        let mut config = ServerConfig::new(Arc::new(Null), Arc::new(Null));
        config.transport_config(Arc::new(transport(quic)));
        let endpoint = Endpoint::new(endpoint_config(seed), Some(Arc::new(config)), true, None);
        Self { endpoint, connection: None, timer: None, buffer: Vec::new() }
    }

    pub(super) fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut().map(|(_, connection)| connection)
    }

    /// Congestion window in bytes, and smoothed round trip.
    pub(super) fn path(&self) -> (u64, Duration) {
        let stats = self.connection.as_ref().map(|(_, connection)| connection.stats().path);
        stats.map_or((0, Duration::ZERO), |path| (path.cwnd, path.rtt))
    }

    pub(super) fn receive(&mut self, now: Instant, datagram: &[u8]) {
        let data = BytesMut::from(datagram);
        self.buffer.clear();
        match self.endpoint.handle(now, PEER, None, None, data, &mut self.buffer) {
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                if let Some((_, connection)) = &mut self.connection {
                    connection.handle_event(event);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                let accepted = self.endpoint.accept(incoming, now, &mut self.buffer, None);
                if let Ok(accepted) = accepted {
                    self.connection = Some(accepted);
                }
            }
            // A reset for what is over: nobody waits for it.
            Some(DatagramEvent::Response(_)) | None => {}
        }
    }

    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let due = self.timer.is_some_and(|timer| timer <= now);
        if due {
            self.timer = None;
            if let Some((_, connection)) = &mut self.connection {
                connection.handle_timeout(now);
            }
        }
        due
    }

    /// Passes events between the endpoint and its connection.
    pub(super) fn pump(&mut self) {
        let Some((handle, connection)) = &mut self.connection else { return };
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }
        // Streams are looked at after every datagram, whatever the events say.
        while connection.poll().is_some() {}
    }

    /// Appends all datagrams that may go now.
    pub(super) fn transmit(&mut self, now: Instant, datagrams: &mut Vec<Vec<u8>>) {
        let Some((_, connection)) = &mut self.connection else { return };
        loop {
            self.buffer.clear();
            let Some(sent) = connection.poll_transmit(now, BURST, &mut self.buffer) else { return };
            let Transmit { size, segment_size, .. } = sent;
            let segments = self.buffer[..size].chunks(segment_size.unwrap_or(size));
            datagrams.extend(segments.map(<[u8]>::to_vec));
        }
    }

    /// The next timer, if it changed.
    pub(super) fn timer(&mut self) -> Option<Instant> {
        let (_, connection) = self.connection.as_mut()?;
        let timer = connection.poll_timeout();
        let changed = timer != self.timer;
        self.timer = timer;
        timer.filter(|_| changed)
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End").field("timer", &self.timer).finish_non_exhaustive()
    }
}

/// Connection ids in sequence.
#[derive(Debug)]
struct Sequence(u64);

impl ConnectionIdGenerator for Sequence {
    fn generate_cid(&mut self) -> ConnectionId {
        self.0 += 1;
        ConnectionId::new(&self.0.to_be_bytes())
    }

    fn cid_len(&self) -> usize {
        size_of::<u64>()
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

fn endpoint_config(seed: u64) -> Arc<EndpointConfig> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut config = EndpointConfig::new(Arc::new(Null));
    config
        .rng_seed(Some(bytes))
        .grease_quic_bit(false)
        .cid_generator(|| Box::new(Sequence(0)) as Box<dyn ConnectionIdGenerator>);
    Arc::new(config)
}

fn transport(quic: &Quic) -> TransportConfig {
    let window = |bytes| VarInt::from_u64(bytes).unwrap_or(VarInt::MAX);
    let mut cubic = CubicConfig::default();
    cubic.initial_window(quic.initial_window);
    let mut transport = TransportConfig::default();
    transport
        .congestion_controller_factory(Arc::new(cubic))
        .stream_receive_window(window(quic.stream_window))
        .receive_window(window(quic.connection_window))
        .send_window(quic.send_window)
        .max_idle_timeout(None);
    if quic.ack_delay != Quic::QUINN.ack_delay {
        let mut acknowledging = AckFrequencyConfig::default();
        acknowledging.max_ack_delay(Some(quic.ack_delay));
        transport.ack_frequency_config(Some(acknowledging));
    }
    transport
}
