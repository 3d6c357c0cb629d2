//! A receipt with all it takes to verify it offline, and that verification.
