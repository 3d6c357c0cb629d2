//! Encoding of charters, rosters, announcements and policies.
