//! What does not hold is not countersigned; what does is tested with real nodes.

use super::*;

#[test]
fn bytes_that_are_no_bundle_are_never_signed() {
    let key = NodeKey::from_seed(&[1; 32]);
    for bytes in [&b""[..], b"not a bundle"] {
        let error = countersign(bytes, &Digest::ZERO, &key, Timestamp::from_ms(1)).unwrap_err();
        assert!(matches!(error, CountersignError::Verify(_)), "{error:?}");
    }
}

/// The bundle that the conformance tests keep, and the genesis it verifies under.
fn committed() -> (Vec<u8>, Digest) {
    let read = |text: &str| hex::decode(text.split_whitespace().collect::<String>()).unwrap();
    let bundle = read(include_str!("../../../tests/conformance/vectors/messages/bundle.hex"));
    let genesis = include_str!("../../../tests/conformance/vectors/genesis.hex");
    (bundle, genesis.trim().parse().unwrap())
}

#[test]
fn countersigned_bundle_verifies_and_names_the_client() {
    let (bundle, genesis) = committed();
    let key = NodeKey::from_seed(&[1; 32]);
    let report = verify(&bundle, &genesis).unwrap();
    let now = report.closed_at;
    let countersigned = countersign(&bundle, &genesis, &key, now).unwrap();
    let after = verify(&countersigned, &genesis).unwrap();
    assert_ne!(report.acknowledged_by, Some(key.public()));
    assert_eq!(after.acknowledged_by, Some(key.public()));
    assert_eq!(after.receipt, report.receipt);
}

#[test]
fn bundle_of_another_consortium_is_not_countersigned() {
    let (bundle, _) = committed();
    let key = NodeKey::from_seed(&[1; 32]);
    let other = Digest::of(b"another genesis");
    let error = countersign(&bundle, &other, &key, Timestamp::from_ms(1)).unwrap_err();
    assert!(matches!(error, CountersignError::Verify(_)), "{error:?}");
}
