//! Why work ended badly: one table of causes for streams, connections and APIs.

use std::fmt;

use crate::limits::TEXT_BYTES_MAX;

/// Whose fault a cause is, and so what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A peer broke the protocol: close, score.
    Violation,
    /// Nothing is wrong with anyone: retry or re-route.
    Unavailable,
    /// The request cannot be served as asked.
    Request,
    /// This program is wrong: fail loudly.
    Bug,
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $fault:ident, $text:literal;)*) => {
        /// What went wrong. Numbers are stable: they are close codes and schema values.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Cause {
            $($(#[$doc])* $name = $number,)*
        }

        impl Cause {
            /// Every cause, in order of number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Whose fault it is.
            #[must_use]
            pub const fn fault(self) -> Fault {
                match self { $(Self::$name => Fault::$fault,)* }
            }

            /// The stable name for people and scripts.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

causes! {
    /// Ended because the holder asked.
    Cancelled = 1, Request, "cancelled";
    /// A neighbour vanished.
    PeerLost = 2, Unavailable, "peer_lost";
    /// A neighbour did not answer in time.
    Timeout = 3, Unavailable, "timeout";
    /// No KV cache, slot or queue place is left.
    Overloaded = 4, Unavailable, "overloaded";
    /// The node is stopping.
    Shutdown = 5, Unavailable, "shutdown";
    /// The node holds no such blocks of that model, or not in that numeric class.
    NotServed = 6, Unavailable, "not_served";
    /// A stage of the route is outside the request's policy.
    Policy = 7, Request, "policy";
    /// The peer is on no valid roster, or lacks the role.
    NotAdmitted = 8, Violation, "not_admitted";
    /// Governance data is expired or contradictory.
    Governance = 9, Unavailable, "governance";
    /// A step does not continue the positions held.
    PositionMismatch = 10, Violation, "position_mismatch";
    /// The peer broke the protocol.
    Violation = 11, Violation, "violation";
    /// Values were NaN or infinite.
    NotFinite = 12, Violation, "not_finite";
    /// A bound was passed, or a field of the request is wrong.
    Limit = 13, Request, "limit";
    /// A fault of this program.
    Bug = 14, Bug, "bug";
    /// Storage failed; nothing more is accepted.
    Storage = 15, Unavailable, "storage";
    /// The institution has had the work that the charter grants it for now.
    Quota = 16, Unavailable, "quota";
}

impl Cause {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The cause with this number, if there is one.
    #[must_use]
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| u64::from(cause.code()) == code)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a session ended badly, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What went wrong.
    pub cause: Cause,
    /// Operands for people; never prompt-derived; at most [`TEXT_BYTES_MAX`] bytes.
    pub detail: String,
    /// Stage that raised it, counted from 0; the number of stages if home did.
    pub stage: u32,
}

impl Refusal {
    /// A refusal raised at `stage`; `detail` is cut to [`TEXT_BYTES_MAX`] bytes.
    #[must_use]
    pub fn new(cause: Cause, stage: u32, detail: impl fmt::Display) -> Self {
        let mut detail = detail.to_string();
        let end = detail.floor_char_boundary(TEXT_BYTES_MAX);
        detail.truncate(end);
        Self { cause, detail, stage }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at stage {}", self.cause, self.stage)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}
