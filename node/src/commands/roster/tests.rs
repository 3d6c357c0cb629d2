//! From a text to a roster.

use super::*;

#[test]
fn nodes_are_put_in_order_and_hold_for_three_days() {
    let key = |seed: u8| NodeKey::from_seed(&[seed; 32]).public();
    let mut peers = [key(1), key(2), key(3)];
    peers.sort_unstable_by(|a, b| b.cmp(a));
    let node =
        |peer| format!("[[node]]\npeer = \"{peer}\"\njurisdiction = \"NL\"\nroles = [\"stage\"]\n");
    let text =
        format!("institution = \"a\"\n{}{}{}", node(peers[0]), node(peers[1]), node(peers[2]));
    let roster = parse("r.toml", &text, Timestamp::from_ms(5)).unwrap();
    peers.reverse();
    assert_eq!(roster.nodes.iter().map(|node| node.peer).collect::<Vec<_>>(), peers);
    assert_eq!(roster.expires_at.since(roster.issued_at), Duration::from_secs(72 * HOUR));
}

#[test]
fn unknown_role_is_refused_with_its_line() {
    let text =
        "institution = \"a\"\n[[node]]\npeer = \"x\"\njurisdiction = \"NL\"\nroles = [\"boss\"]\n";
    let error = parse("r.toml", text, Timestamp::from_ms(5)).unwrap_err().to_string();
    assert!(error.contains("boss") && error.contains("line 5"), "{error}");
}
