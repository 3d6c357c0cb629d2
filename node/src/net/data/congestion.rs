//! Congestion control between nodes: CUBIC, which does not take a loss beside an unused window for
//! congestion. Not pacing, which QUIC does.
//!
//! Decoding sends a few packets per round trip. CUBIC shrinks its window by a third at each lost one
//! and never grows it back while it is not filled, until a frame takes several round trips. What
//! fills less than half of the window is not what overfills the path, so such a loss is repaired and
//! otherwise passed over. Source: RFC 9002, §7.8, and RFC 7661 on windows that are not used; differs
//! in that an unused window is kept for as long as the connection lives.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant},
};

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, Cubic, CubicConfig};
// The one type of the trait's methods that quinn does not hand on.
use quinn_proto::RttEstimator;

/// Makes a [`Congestion`] for each connection.
#[derive(Debug)]
pub(super) struct CongestionConfig {
    cubic: Arc<CubicConfig>,
}

impl CongestionConfig {
    /// With a window of `initial_window` bytes at first.
    pub(super) fn new(initial_window: u64) -> Self {
        let mut cubic = CubicConfig::default();
        cubic.initial_window(initial_window);
        Self { cubic: Arc::new(cubic) }
    }
}

impl ControllerFactory for CongestionConfig {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Congestion::new(Cubic::new(Arc::clone(&self.cubic), now, current_mtu)))
    }
}

/// How much of the window of one connection is used, and CUBIC for when it matters.
#[derive(Debug, Clone)]
struct Congestion<C> {
    cubic: C,
    /// Bytes under way, as far as is known: exact whenever an acknowledgement was taken in.
    in_flight: u64,
    /// Bytes acknowledged since.
    acked: u64,
    round_trip: Duration,
    /// When the present of the two periods below began. Each lasts a round trip.
    began: Option<Instant>,
    /// Most bytes under way in the period before and in the present one.
    most: [u64; 2],
}

impl<C: Controller> Congestion<C> {
    const fn new(cubic: C) -> Self {
        let (began, round_trip) = (None, Duration::ZERO);
        Self { cubic, in_flight: 0, acked: 0, round_trip, began, most: [0; 2] }
    }

    fn note(&mut self, now: Instant, in_flight: u64) {
        let began = *self.began.get_or_insert(now);
        let over = now.saturating_duration_since(began);
        if over >= self.round_trip {
            let long = over >= self.round_trip * 2;
            self.most = [if long { 0 } else { self.most[1] }, 0];
            self.began = Some(now);
        }
        self.most[1] = self.most[1].max(in_flight);
    }

    /// Whether so much was under way of late that it may have overfilled the path.
    fn is_used(&self) -> bool {
        self.most.into_iter().max() >= Some(self.cubic.window() / 2)
    }
}

impl<C: Controller + Clone + 'static> Controller for Congestion<C> {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.in_flight = self.in_flight.saturating_add(bytes);
        self.note(now, self.in_flight);
        self.cubic.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.round_trip = rtt.get();
        self.acked = self.acked.saturating_add(bytes);
        self.cubic.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.note(now, in_flight.saturating_add(self.acked));
        (self.in_flight, self.acked) = (in_flight, 0);
        self.cubic.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.note(now, self.in_flight);
        // No bytes lost is what a router marks: that is congestion, whoever fills it.
        if lost_bytes == 0 || is_persistent_congestion || self.is_used() {
            self.cubic.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.cubic.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.cubic.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.cubic.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.cubic.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests;
