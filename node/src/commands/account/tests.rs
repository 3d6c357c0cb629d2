//! The exported lines.

use comity_protocol::{
    id::{Digest, PeerKey, SessionId},
    time::Timestamp,
};

use super::*;

#[test]
fn an_institutions_name_stays_one_field_and_no_formula() {
    assert_eq!(field("uni-north"), "uni-north");
    assert_eq!(field("a,b"), "\"a,b\"");
    assert_eq!(field("a\"b\nc"), "\"a\"\"b\nc\"");
    assert_eq!(field("=1+1"), "'=1+1");
}

#[test]
fn a_line_has_as_many_fields_as_its_heading() {
    let entry = Entry {
        stage_receipt: Digest::ZERO,
        session: SessionId([0; 16]),
        home: PeerKey([0; 32]),
        giver: "a".into(),
        taker: "b".into(),
        parameters: 3,
        computed: 4,
        at: Timestamp::from_ms(5),
    };
    let line = line(&entry);
    assert_eq!(line.split(',').count(), HEADING.split(',').count());
    assert!(line.ends_with(",a,b,3,4,12,5\n"), "{line}");
}
