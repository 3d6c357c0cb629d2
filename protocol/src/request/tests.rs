//! What a node answers is what a client can read.

use super::*;
use crate::{limits::TEXT_BYTES_MAX, wire::Wire as _};

#[test]
fn a_refusal_of_any_length_can_be_read() {
    for text in ["a".repeat(2 * TEXT_BYTES_MAX), "é".repeat(TEXT_BYTES_MAX), String::new()] {
        let event = ClientEvent::Refused(Refused::new(Cause::Policy, text));
        assert_eq!(ClientEvent::decode(&event.encode()), Ok(event));
    }
}
