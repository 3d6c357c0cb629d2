//! From a text to a genesis that every founder signed.

use comity_protocol::time::Timestamp;

use super::*;

fn consortium(north: &NodeKey, east: &NodeKey) -> String {
    let key = |seed: u8| NodeKey::from_seed(&[seed; 32]).public();
    format!(
        "name = \"Test\"\ndays = 30\n\
         [[institution]]\nid = \"uni-north\"\nlegal_name = \"Northern University\"\n\
         country = \"NL\"\nroot_key = \"{}\"\nroster_key = \"{}\"\n\
         witness_key = \"{}\"\n[[institution]]\nid = \"clinic-east\"\nlegal_name = \"Eastern Hospital\"\n\
         country = \"DE\"\nparent_country = \"US\"\nroot_key = \"{}\"\nroster_key = \"{}\"\n\
         witness_key = \"{}\"\n[[policy]]\nname = \"eu-only\"\nallowed_jurisdictions = [\"NL\", \"DE\"]\n",
        north.public(),
        key(11),
        key(21),
        east.public(),
        key(12),
        key(22),
    )
}

#[test]
fn text_becomes_a_genesis_in_canonical_order() {
    let keys = [NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32])];
    let now = Timestamp::from_ms(1_000);
    let charter = text::parse("c.toml", &consortium(&keys[0], &keys[1]), now).unwrap();
    let ids: Vec<_> = charter.institutions.iter().map(|member| member.id.as_str()).collect();
    assert_eq!(ids, ["clinic-east", "uni-north"]);
    let parents: Vec<_> =
        charter.institutions.iter().map(|member| member.parent_country.to_string()).collect();
    assert_eq!(parents, ["US", "NL"]);
    let mut signed = charter.sign_all(&keys[..1]).unwrap();
    let decoded = SignedCharter::decode(&signed.encode()).unwrap();
    assert!(matches!(decoded.verify_genesis(), Err(CharterError::Missing { .. })));
    signed.sign(&keys[1]).unwrap();
    assert_eq!(signed.verify_genesis().unwrap(), charter);
}

#[test]
fn mistakes_in_a_text_are_named() {
    let keys = [NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32])];
    let good = consortium(&keys[0], &keys[1]);
    let cases = [
        ("days = 30", "dais = 30", "dais"),
        ("country = \"NL\"", "country = \"nl\"", "country of uni-north"),
        ("\"NL\", \"DE\"", "\"NL\", \"Germany\"", "allowed_jurisdictions of eu-only"),
        (&keys[0].public().to_string()[..8], "zz", "root_key of uni-north"),
    ];
    for (from, to, expected) in cases {
        let text = good.replacen(from, to, 1);
        let error = text::parse("c.toml", &text, Timestamp::from_ms(0)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("c.toml"), "{error}");
    }
}
