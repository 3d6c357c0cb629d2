//! What a relay did, counted. Not how it did it.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};

/// Lateness from which a packet counts as late: a tenth of what a bench should throw a run away for.
pub(super) const LATE: Duration = Duration::from_micros(200);

/// One direction of a link.
///
/// `received` = `delivered` + `lost` + `dropped_queue` + `dropped_memory` + `dropped_flows` +
/// `refused` + `under_way`. Bytes are those of payloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WayStatistics {
    /// Packets that came.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Packets handed on.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Lost, as the scenario wants.
    pub lost: u64,
    /// Dropped because the queue was full, as the scenario wants.
    pub dropped_queue: u64,
    /// Dropped because the relay holds no more: its own limit, not the scenario's.
    pub dropped_memory: u64,
    /// Dropped because no further client may come, or the system gives no socket for it.
    pub dropped_flows: u64,
    /// Sending failed.
    pub refused: u64,
    /// Neither arrived nor lost when the relay stopped.
    pub under_way: u64,
    /// Dropped by the system before the relay saw them; beside `received`. The run is void.
    pub overflowed: u64,
    /// Delivered more than 0.2 ms after they were due.
    pub late: u64,
    /// Greatest lateness, microseconds.
    pub late_max_us: u64,
}

impl WayStatistics {
    /// Counts a packet that came.
    pub(super) fn received(&mut self, payload: usize) {
        self.received += 1;
        self.received_bytes += payload as u64;
    }

    /// Counts a packet that was due `late` ago, and was sent or not.
    pub(super) fn sent(&mut self, payload: usize, late: Duration, sent: bool) {
        if !sent {
            self.refused += 1;
            return;
        }
        self.delivered += 1;
        self.delivered_bytes += payload as u64;
        self.late += u64::from(late > LATE);
        self.late_max_us =
            self.late_max_us.max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
    }
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkStatistics {
    /// Its name in the scenario.
    pub name: String,
    /// Where it listened.
    pub listen: SocketAddr,
    /// Where it led.
    pub target: SocketAddr,
    /// Clients that ever came; one that was forgotten and came again counts twice.
    pub clients: u32,
    /// From clients to the target.
    pub forward: WayStatistics,
    /// From the target to clients.
    pub back: WayStatistics,
}

/// A relay, from its start to its stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// In the order of the scenario.
    pub links: Vec<LinkStatistics>,
    /// How long it ran.
    pub wall: Duration,
    /// Processor time of its thread.
    pub cpu: Duration,
}

impl Statistics {
    /// Share of one core that the relay took.
    #[must_use]
    pub fn cpu_share(&self) -> f64 {
        self.cpu.as_secs_f64() / self.wall.as_secs_f64().max(1e-9)
    }

    /// One object for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "seconds": self.wall.as_secs_f64(),
            "cpu_share": self.cpu_share(),
            "links": self.links,
        })
    }

    /// A table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |cells: [&str; 10]| {
            let [name, rest @ ..] = cells;
            let rest = rest.map(|cell| format!("{cell:>12}")).concat();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<24}{rest}");
        };
        line([
            "link",
            "received",
            "delivered",
            "bytes",
            "lost",
            "queue full",
            "other drops",
            "under way",
            "overflowed",
            "late",
        ]);
        for link in &self.links {
            for (name, way) in [("forward", &link.forward), ("back", &link.back)] {
                let others = way.dropped_memory + way.dropped_flows + way.refused;
                let counts = [
                    way.received,
                    way.delivered,
                    way.delivered_bytes,
                    way.lost,
                    way.dropped_queue,
                    others,
                    way.under_way,
                    way.overflowed,
                    way.late,
                ];
                let [a, b, c, d, e, f, g, h, i] = counts.map(|count| count.to_string());
                let name = format!("{} {name}", link.name);
                line([&name, &a, &b, &c, &d, &e, &f, &g, &h, &i]);
            }
        }
        let late = self.links.iter().flat_map(|link| [link.forward, link.back]);
        let late = late.map(|way| way.late_max_us).max().unwrap_or(0);
        let _ = writeln!(
            text,
            "{:.1} s, {:.1} % of one core, latest packet {:.2} ms late",
            self.wall.as_secs_f64(),
            self.cpu_share() * 100.0,
            Duration::from_micros(late).as_secs_f64() * 1_000.0,
        );
        text
    }
}
