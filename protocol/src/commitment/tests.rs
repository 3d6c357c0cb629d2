//! What commitments bind, and where chains agree.

use super::*;

fn chain(salt: u8) -> Chain {
    Chain::new(Salt::new([salt; 32]))
}

fn rows(count: u8) -> Vec<u8> {
    (0..count).flat_map(|row| [row; 8]).collect()
}

#[test]
fn a_commitment_is_the_hmac_of_label_and_bytes() {
    // HMAC-SHA-256 of "row\0" ‖ 00000000 ‖ 0102 under 32 bytes of 0x07, from another implementation.
    let salt = Salt::new([7; 32]);
    let expected = "4c848c12922171d111bbd6d560ecf1e9ca0344ee6a731c603adae90a29791556";
    assert_eq!(salt.commit("row", &[0, 0, 0, 0, 1, 2]).to_string(), expected);
}

#[test]
fn salt_label_and_bytes_each_change_a_commitment() {
    let base = Salt::new([1; 32]).commit("prompt", b"text");
    assert_eq!(base, Salt::new([1; 32]).commit("prompt", b"text"));
    assert_ne!(base, Salt::new([2; 32]).commit("prompt", b"text"));
    assert_ne!(base, Salt::new([1; 32]).commit("output", b"text"));
    assert_ne!(base, Salt::new([1; 32]).commit("prompt", b"texu"));
    // The zero ends the label: what moves across it changes the commitment.
    let salt = Salt::new([1; 32]);
    assert_ne!(salt.commit("ab", b"c"), salt.commit("a", b"bc"));
}

#[test]
fn a_salt_is_never_printed() {
    assert_eq!(format!("{:?}", Salt::new([0xAB; 32])), "Salt(..)");
    assert!(!format!("{:?}", chain(0xAB)).contains("171"));
}

#[test]
fn salts_compare_by_all_their_bytes() {
    for index in 0..32 {
        let mut bytes = [3; 32];
        bytes[index] = 4;
        assert_ne!(Salt::new(bytes), Salt::new([3; 32]));
    }
    assert_eq!(Salt::new([3; 32]), Salt::new([3; 32]));
}

#[test]
fn a_head_is_the_documented_hash_of_head_and_link() {
    let mut chain = chain(7);
    assert_eq!((chain.positions(), chain.head()), (0, Digest::ZERO));
    chain.append(0, &[1, 2], 2);
    let row = Digest::of(&[1, 2]);
    let link = Salt::new([7; 32]).commit("row", &[&[0; 4], &row.0[..]].concat());
    assert_eq!(chain.head(), Digest::of_parts(&[&[0; 32], &link.0]));
    assert_eq!(chain.rows(), [row]);
}

#[test]
fn rows_are_committed_to_by_their_digests_as_by_themselves() {
    let mut seen = chain(1);
    seen.append(0, &rows(5), 8);
    let mut told = chain(2);
    told.extend(seen.rows()[..3].iter().copied());
    told.append(3, &rows(5)[24..], 8);
    let mut other = chain(2);
    other.append(0, &rows(5), 8);
    assert_eq!((told.head(), told.rows()), (other.head(), seen.rows()));
    told.truncate(2);
    assert_eq!((told.positions(), told.rows()), (2, &seen.rows()[..2]));
}

#[test]
fn how_rows_are_cut_into_steps_does_not_matter() {
    let rows = rows(6);
    let mut whole = chain(1);
    whole.append(0, &rows, 8);
    for cut in 1..6 {
        let mut parts = chain(1);
        parts.append(0, &rows[..cut * 8], 8);
        parts.append(u32::try_from(cut).unwrap(), &rows[cut * 8..], 8);
        assert_eq!(parts.head(), whole.head());
        assert_eq!(parts.head_at(3), whole.head_at(3));
    }
}

#[test]
fn any_changed_row_order_or_salt_changes_the_head() {
    let rows = rows(3);
    let mut base = chain(1);
    base.append(0, &rows, 8);
    for index in 0..rows.len() {
        let mut changed = rows.clone();
        changed[index] ^= 1;
        let mut other = chain(1);
        other.append(0, &changed, 8);
        assert_ne!(other.head(), base.head());
    }
    let mut other = chain(2);
    other.append(0, &rows, 8);
    assert_ne!(other.head(), base.head());
    let mut wider = chain(1);
    wider.append(0, &rows, 12);
    assert_ne!(wider.head(), base.head());
}

#[test]
fn a_chain_cut_back_goes_on_as_if_nothing_had_followed() {
    let mut straight = chain(1);
    straight.append(0, &rows(5), 8);
    let mut cut = chain(1);
    cut.append(0, &rows(3), 8);
    cut.append(3, &[99; 32], 8);
    cut.truncate(100);
    assert_eq!(cut.positions(), 7);
    // Cut by hand, and by appending at a position already held.
    cut.truncate(4);
    assert_eq!(cut.positions(), 4);
    cut.append(3, &rows(5)[24..], 8);
    assert_eq!((cut.positions(), cut.head()), (5, straight.head()));
    cut.truncate(0);
    assert_eq!((cut.positions(), cut.head()), (0, Digest::ZERO));
}
