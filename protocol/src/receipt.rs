//! What was computed, by whom, on which weights, where. Not its verification.
