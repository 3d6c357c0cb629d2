//! What an envelope refuses whatever it says. What is signed byte for byte is in `tests/conformance`.

use super::*;
use crate::limits::{DOMAIN_BYTES_MAX, RECORD_BYTES_MAX};

/// A statement whose encoding is itself.
#[derive(Debug, PartialEq)]
struct Raw(Vec<u8>);

impl Wire for Raw {
    const BYTES_MAX: usize = usize::MAX;

    fn encode(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self(bytes.to_vec()))
    }
}

const CHARTER: Digest = Digest([2; 32]);

fn key() -> NodeKey {
    NodeKey::from_seed(&[1; 32])
}

#[test]
fn a_payload_too_long_for_a_log_is_refused_before_it_is_signed() {
    let sign = |bytes| key().sign(Domain::RECEIPT, &CHARTER, &Raw(vec![0; bytes]));
    assert!(sign(65_535).is_ok());
    assert_eq!(sign(65_536), Err(SignedError::TooLong { bytes: 65_536, max: 65_535 }));
}

#[test]
fn a_record_too_long_for_a_leaf_is_refused_before_it_is_signed() {
    // With the longest domain there may be.
    let domain = Domain("comity/a-record-whose-name-is-as-long-as-any-domain-may-be-../v1");
    assert_eq!(domain.0.len(), DOMAIN_BYTES_MAX);
    let (max, sign) = (RECORD_PAYLOAD_BYTES_MAX, |bytes| {
        key().sign_record(domain, &CHARTER, &Raw(vec![7; bytes]))
    });
    assert!(sign(max).unwrap().encode().len() <= RECORD_BYTES_MAX);
    assert_eq!(sign(max + 1), Err(SignedError::TooLong { bytes: max + 1, max }));
}

#[test]
fn a_signature_has_one_form() {
    // The order of the group, little-endian: added to S it gives another number for the same point.
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut changed = key().sign(Domain::RECEIPT, &CHARTER, &Raw(vec![3])).unwrap();
    assert_eq!(changed.open(Domain::RECEIPT, &CHARTER), Ok(Raw(vec![3])));
    let mut carry = 0;
    for (byte, order) in changed.signature[32..].iter_mut().zip(order.unwrap()) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    let refused = Err(SignedError::Signature(key().public()));
    assert_eq!(changed.open::<Raw>(Domain::RECEIPT, &CHARTER), refused);
}

#[test]
fn no_signature_of_an_envelope_passes_for_one_of_a_text() {
    let signature = key().sign_bytes(Domain::RECEIPT, &CHARTER, b"text\n");
    let message = format!("comity/receipt/v1\0{}text\n", "\u{2}".repeat(32));
    let key = key().public();
    assert_eq!(verify(Domain::RECEIPT, &CHARTER, b"text\n", &key, &signature), Ok(()));
    assert_eq!(verify_bytes(message.as_bytes(), &key, &signature), Ok(()), "the same bytes");
    assert_eq!(verify_text(&message, &key, &signature), Err(SignedError::Signature(key)));
}
