//! What is kept of sessions, and what is left of it once it is erased.

use std::os::unix::fs::PermissionsExt as _;

use comity_protocol::{bundle::verify, id::Digest};

use super::*;

/// The bundle that the conformance tests commit, and the hash of its genesis.
fn bundle() -> (Vec<u8>, Digest) {
    let read = |text: &str| hex::decode(text.split_whitespace().collect::<String>()).unwrap();
    let bundle = include_str!("../../../tests/conformance/vectors/messages/bundle.hex");
    let genesis = include_str!("../../../tests/conformance/vectors/genesis.hex");
    (read(bundle), Digest::try_from(&read(genesis)[..]).unwrap())
}

fn receipt() -> Receipt {
    Receipt::decode(&Bundle::decode(&bundle().0).unwrap().receipt.payload).unwrap()
}

/// A folder in which that session is kept.
fn kept() -> (tempfile::TempDir, Bodies, SessionId) {
    let folder = tempfile::tempdir().unwrap();
    let (bodies, session) = (Bodies::new(folder.path()), receipt().session);
    bodies.keep(&session, &bundle().0).unwrap();
    (folder, bodies, session)
}

#[test]
fn a_kept_bundle_is_the_owners_alone_and_comes_back_as_it_was() {
    let (_folder, bodies, session) = kept();
    assert_eq!(bodies.load(&session).unwrap().encode(), bundle().0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bodies.path(&session, BUNDLE_SUFFIX)), 0o600);
    assert_eq!(mode(&bodies.folder), 0o700);
    let other = SessionId([3; 16]);
    assert!(matches!(bodies.load(&other), Err(BodyError::Unknown(id)) if id == other));
}

#[test]
fn an_erased_session_has_no_opening_and_verifies_still() {
    let (_folder, bodies, session) = kept();
    let opening = bodies.load(&session).unwrap().opening.unwrap();
    assert!(bodies.erase(&session).unwrap());
    let bytes = fs::read(bodies.path(&session, BUNDLE_SUFFIX)).unwrap();
    let report = verify(&bytes, &bundle().1).unwrap();
    assert!(!report.opened);
    // Neither answer nor salt is in the file any more.
    for gone in [opening.text.as_bytes(), &opening.salt.expose()[..]] {
        assert!(!bytes.windows(gone.len()).any(|window| window == gone));
    }
    assert!(!bodies.erase(&session).unwrap(), "erased twice");
}

#[test]
fn a_legal_hold_refuses_erasure_until_it_is_released() {
    let (_folder, bodies, session) = kept();
    bodies.hold(&session, true).unwrap();
    bodies.hold(&session, true).unwrap();
    assert!(matches!(bodies.erase(&session), Err(EraseError::Held(id)) if id == session));
    let over = receipt().retained_until;
    assert_eq!(bodies.sweep(over).unwrap(), Swept { erased: 0, held: 1 });
    assert!(bodies.load(&session).unwrap().opening.is_some());
    bodies.hold(&session, false).unwrap();
    bodies.hold(&session, false).unwrap();
    assert!(bodies.erase(&session).unwrap());
    let unknown = bodies.hold(&SessionId([3; 16]), true);
    assert!(matches!(unknown, Err(BodyError::Unknown(_))));
}

#[test]
fn a_sweep_erases_what_is_over_and_nothing_else() {
    let (folder, bodies, session) = kept();
    assert_eq!(
        Bodies::new(&folder.path().join("none")).sweep(receipt().closed_at).unwrap(),
        Swept::default()
    );
    let over = receipt().retained_until;
    let before = Timestamp::from_ms(over.as_ms() - 1);
    assert_eq!(bodies.sweep(before).unwrap(), Swept::default());
    assert!(bodies.load(&session).unwrap().opening.is_some());
    assert_eq!(bodies.sweep(over).unwrap(), Swept { erased: 1, held: 0 });
    assert!(bodies.load(&session).unwrap().opening.is_none());
    assert_eq!(bodies.sweep(over).unwrap(), Swept::default());
}

#[test]
fn one_damaged_file_does_not_keep_the_others_from_being_erased() {
    let (_folder, bodies, session) = kept();
    for other in [[0; 16], [255; 16]] {
        fs::write(bodies.path(&SessionId(other), BUNDLE_SUFFIX), b"damaged").unwrap();
    }
    let swept = bodies.sweep(receipt().retained_until);
    assert!(matches!(swept, Err(EraseError::Body(BodyError::Decode { .. }))));
    assert!(bodies.load(&session).unwrap().opening.is_none());
}
