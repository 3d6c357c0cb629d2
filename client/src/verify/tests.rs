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
