//! What a signature covers, and which signatures are refused though they could be computed.

use comity_protocol::{
    id::{Digest, PeerKey},
    signed::{Domain, NodeKey, SignedError, verify},
};

use crate::vectors;

const PAYLOAD: &[u8] = b"what is signed";

fn key() -> NodeKey {
    NodeKey::from_seed(&[7; 32])
}

fn charter() -> Digest {
    Digest::of(b"a charter")
}

#[test]
fn signatures_have_their_golden_bytes() {
    let domains = [
        ("charter", Domain::CHARTER),
        ("roster", Domain::ROSTER),
        ("announcement", Domain::ANNOUNCEMENT),
        ("open", Domain::OPEN),
        ("open_record", Domain::OPEN_RECORD),
        ("stage_receipt", Domain::STAGE_RECEIPT),
        ("receipt", Domain::RECEIPT),
        ("acknowledgement", Domain::ACKNOWLEDGEMENT),
        ("succession", Domain::SUCCESSION),
        ("succession_record", Domain::SUCCESSION_RECORD),
    ];
    for (name, domain) in domains {
        let signature = key().sign_bytes(domain, &charter(), PAYLOAD);
        vectors::check(&format!("signatures/{name}.hex"), &signature);
        assert_eq!(verify(domain, &charter(), PAYLOAD, &key().public(), &signature), Ok(()));
    }
}

#[test]
fn a_signature_holds_for_one_domain_charter_and_payload() {
    let (domain, signer) = (Domain::RECEIPT, key().public());
    let signature = key().sign_bytes(domain, &charter(), PAYLOAD);
    let refused = Err(SignedError::Signature(signer));
    let other = Domain::STAGE_RECEIPT;
    assert_eq!(verify(other, &charter(), PAYLOAD, &signer, &signature), refused);
    assert_eq!(verify(domain, &Digest::ZERO, PAYLOAD, &signer, &signature), refused);
    assert_eq!(verify(domain, &charter(), b"what is Signed", &signer, &signature), refused);
    for index in 0..64 {
        let mut changed = signature;
        changed[index] ^= 1;
        assert_eq!(verify(domain, &charter(), PAYLOAD, &signer, &changed), refused);
    }
    for index in 0..32 {
        let mut other = signer;
        other.0[index] ^= 1;
        assert!(verify(domain, &charter(), PAYLOAD, &other, &signature).is_err());
    }
}

#[test]
fn a_second_form_of_the_same_signature_is_refused() {
    // S + the order of the group: the same equation, another signature. RFC 8032, 5.1.7.
    const ORDER: [u8; 32] = [
        0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let (domain, signer) = (Domain::RECEIPT, key().public());
    let mut signature = key().sign_bytes(domain, &charter(), PAYLOAD);
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    let refused = Err(SignedError::Signature(signer));
    assert_eq!(verify(domain, &charter(), PAYLOAD, &signer, &signature), refused);
}

#[test]
fn a_key_that_signs_everything_is_refused() {
    // The neutral element as key and as R, with S = 0, satisfies the equation for every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let verified = verify(Domain::RECEIPT, &charter(), PAYLOAD, &PeerKey(neutral), &signature);
    assert!(verified.is_err());
}
