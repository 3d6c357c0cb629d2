//! Which successions are believed.

use super::*;
use crate::{
    charter::tests::{NOW, root, roster_key, signed, witness_key},
    limits::SUCCESSION_NOTE_BYTES_MAX,
    log::checkpoint::origin,
    receipt::tests::key,
    signed::NodeKey,
    wire::{DecodeError, Wire as _},
};

fn chain() -> Chain {
    Chain::verify(&[signed()], None).unwrap()
}

/// A checkpoint of the log of `node`.
fn checkpoint(node: &NodeKey) -> String {
    let origin = origin(&chain().genesis(), &node.public());
    let checkpoint = Checkpoint { origin, size: 7, root: Digest([3; 32]) };
    checkpoint.sign(node).unwrap().to_string()
}

fn said() -> Succession {
    Succession {
        institution: "inst-1".into(),
        from: key(1).public(),
        to: key(2).public(),
        reason: SuccessionReason::Restored,
        records: 5,
        last: Digest([4; 32]),
        checkpoint: checkpoint(&key(1)),
        seen: 9,
        at: NOW,
    }
}

fn record(by: &NodeKey, said: &Succession) -> SuccessionRecord {
    let succession = by.sign(Domain::SUCCESSION, &chain().genesis(), said).unwrap();
    SuccessionRecord { sequence: 1, previous: Digest::ZERO, succession }
}

fn check(record: &SuccessionRecord) -> Result<Succession, SuccessionError> {
    record.check(&chain(), &key(2).public())
}

#[test]
fn the_institutions_word_opens_the_log_of_the_node_it_names() {
    let good = record(&roster_key(1), &said());
    assert_eq!(check(&good), Ok(said()));
    let without = Succession { checkpoint: String::new(), ..said() };
    assert_eq!(check(&record(&roster_key(1), &without)), Ok(without));
    assert_eq!(SuccessionRecord::decode(&good.encode()), Ok(good));
}

#[test]
fn nobody_else_gives_it() {
    for other in [roster_key(2), root(1), witness_key(1), key(1), key(2)] {
        let error = check(&record(&other, &said())).unwrap_err();
        assert!(matches!(error, SuccessionError::Key { .. }), "{error}");
    }
    let foreign = Succession { institution: "inst-9".into(), ..said() };
    let error = check(&record(&roster_key(1), &foreign)).unwrap_err();
    assert!(matches!(error, SuccessionError::Key { .. }), "{error}");
    let mut forged = record(&roster_key(1), &said());
    forged.succession.signature[0] ^= 1;
    assert!(matches!(check(&forged), Err(SuccessionError::Signed(_))));
    let roster = roster_key(1).sign(Domain::ROSTER, &chain().genesis(), &said()).unwrap();
    let wrong = SuccessionRecord { succession: roster, ..forged };
    let error = check(&wrong).unwrap_err();
    assert!(matches!(error, SuccessionError::Signed(SignedError::Domain { .. })), "{error}");
}

#[test]
fn it_opens_no_other_log_and_nothing_but_its_beginning() {
    let good = record(&roster_key(1), &said());
    let error = good.check(&chain(), &key(3).public()).unwrap_err();
    assert!(matches!(error, SuccessionError::Node { .. }), "{error}");
    for (sequence, previous) in [(2, Digest::ZERO), (1, Digest([1; 32]))] {
        let late = SuccessionRecord { sequence, previous, ..good.clone() };
        assert_eq!(check(&late), Err(SuccessionError::NotFirst(sequence)));
    }
    let itself = Succession { from: key(2).public(), checkpoint: String::new(), ..said() };
    let error = check(&record(&roster_key(1), &itself)).unwrap_err();
    assert_eq!(error, SuccessionError::Itself(key(2).public()));
}

#[test]
fn its_checkpoint_is_one_of_the_log_before() {
    for wrong in [checkpoint(&key(2)), "no note".into()] {
        let error = check(&record(&roster_key(1), &Succession { checkpoint: wrong, ..said() }));
        assert!(matches!(error, Err(SuccessionError::Checkpoint { .. })));
    }
    assert!(said().checkpoint.len() < SUCCESSION_NOTE_BYTES_MAX, "there is room for every size");
    let long = "x".repeat(SUCCESSION_NOTE_BYTES_MAX + 1);
    let bytes = Succession { checkpoint: long, ..said() }.encode();
    let error = Succession::decode(&bytes).unwrap_err();
    assert!(matches!(error, DecodeError::Field { field: "succession.checkpoint", .. }), "{error}");
}
