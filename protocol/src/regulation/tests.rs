//! What is gathered of a log, and what is not believed. The records here serve both documents' tests.

use bytes::Bytes;

use super::*;
use crate::{
    bundle::Bundle,
    charter::{
        Chain,
        tests::{NOW, consortium, country, roster_key, signed as signed_charter},
    },
    id::{Digest, SessionId},
    log::succession::{Succession, SuccessionReason, SuccessionRecord},
    receipt::{AbortRecord, OpenRecord, Receipt, Record, StageReceipt, tests as receipts},
    roster::{Role, Roster, RosterNode},
    route::RouteStage,
    signed::{Domain, Signed},
    time::Timestamp,
    wire::Wire as _,
};

/// A log of node 0 of inst-0 that is being written.
pub(super) struct Story {
    pub(super) evidence: Evidence,
    sequence: u64,
}

pub(super) fn chain() -> Chain {
    Chain::verify(&[signed_charter()], None).unwrap()
}

pub(super) fn session(number: u8) -> SessionId {
    SessionId([number; 16])
}

pub(super) fn minute(number: u64) -> Timestamp {
    Timestamp::from_ms(NOW.as_ms() + number * 60_000)
}

/// A key that stands for node `number`.
pub(super) fn node(number: u8) -> PeerKey {
    receipts::key(number).public()
}

/// The receipt of a request of minute `number`: two stages, of nodes 0 and 1.
pub(super) fn receipt(number: u8) -> Receipt {
    let blocks = |start, end| crate::block::BlockRange::new(start, end).unwrap();
    Receipt {
        session: session(number),
        opened_at: minute(number.into()),
        closed_at: minute(u64::from(number) + 1),
        retained_until: minute(u64::from(number) + 1) + crate::limits::RETENTION_MIN,
        stages: vec![
            RouteStage { peer: node(0), blocks: blocks(0, 2) },
            RouteStage { peer: node(1), blocks: blocks(2, 4) },
        ],
        charter: chain().hash(),
        ..receipts::receipt(&[])
    }
}

/// A proof of `receipt` that places node 1 with `institution` in `jurisdiction`.
pub(super) fn kept(receipt: &Receipt, institution: &str, jurisdiction: &str) -> Kept {
    let home = ("inst-0".to_owned(), country("FR"));
    let other = (institution.to_owned(), country(jurisdiction));
    Kept {
        receipt: Digest::of(&receipt.encode()),
        nodes: [(node(0), home), (node(1), other)].into(),
        model: Some("tiny".into()),
        text: true,
        held: false,
    }
}

impl Story {
    pub(super) fn new(period: Period) -> Self {
        Self { evidence: Evidence::new(chain(), node(0), period), sequence: 0 }
    }

    pub(super) fn under(chain: Chain) -> Self {
        Self { evidence: Evidence::new(chain, node(0), Period::default()), sequence: 0 }
    }

    pub(super) fn all() -> Self {
        Self::new(Period::default())
    }

    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(super) fn open(&mut self, receipt: &Receipt) {
        let Receipt { session, manifest, charter, opened_at, .. } = *receipt;
        let open = OpenRecord {
            session,
            institution: "inst-0".into(),
            manifest,
            policy: receipt.policy.digest(),
            sequence: self.next(),
            previous: Digest::ZERO,
            opened_at,
            charter,
        };
        self.evidence.record(Digest::ZERO, Record::Open(open));
    }

    /// Opens and closes a request; the receipt as it was recorded.
    pub(super) fn close(&mut self, receipt: Receipt) -> Receipt {
        self.open(&receipt);
        let receipt = Receipt { sequence: self.next(), ..receipt };
        let digest = Digest::of(&receipt.encode());
        self.evidence.record(digest, Record::Close(Box::new(receipt.clone())));
        receipt
    }

    /// [`Self::close`] with a kept proof that places node 1.
    pub(super) fn proved(&mut self, receipt: Receipt, institution: &str, jurisdiction: &str) {
        let receipt = self.close(receipt);
        self.evidence.kept(&receipt.session, kept(&receipt, institution, jurisdiction));
    }

    pub(super) fn abort(&mut self, number: u8) {
        self.open(&receipt(number));
        let abort = AbortRecord {
            session: session(number),
            institution: "inst-0".into(),
            open_record: Digest::ZERO,
            sequence: self.next(),
            previous: Digest::ZERO,
            aborted_at: minute(90),
        };
        self.evidence.record(Digest::ZERO, Record::Abort(abort));
    }

    /// Computes stage 0 of a session for `home`, signing twice.
    pub(super) fn serve(&mut self, number: u8, home: &str) {
        for positions in [256, 300] {
            let receipt = StageReceipt {
                session: session(number),
                institution: "inst-0".into(),
                home_institution: home.into(),
                positions,
                sequence: self.next(),
                started_at: minute(number.into()),
                ..receipts::stage_receipt()
            };
            self.evidence.record(Digest::ZERO, Record::Stage(receipt));
        }
    }
}

/// What is said to be missing of this kind: how often, of how many.
pub(super) fn lacking(missing: &[Missing], what: &str) -> Option<(u64, u64)> {
    let found = missing.iter().find(|missing| missing.what.starts_with(what))?;
    Some((found.lacking?, found.of?))
}

#[test]
fn only_what_began_in_the_period_is_listed() {
    let (from, to) = (minute(2), Some(minute(4)));
    let mut story = Story::new(Period { from, to });
    for number in 1..=4 {
        story.close(receipt(number));
        story.serve(10 + number, "inst-1");
    }
    story.serve(3, "inst-1");
    let listed: Vec<_> = story.evidence.closed().collect();
    assert_eq!(listed, [session(2), session(3)]);
    let scope = story.evidence.scope();
    assert_eq!((scope.requests, scope.served), (2, 1));
    assert_eq!(scope.records["close"], 4, "all were read");
}

#[test]
fn a_record_that_is_not_there_is_said_to_be_missing() {
    let mut story = Story::all();
    story.close(receipt(1));
    assert!(story.evidence.scope().gapless);
    story.sequence += 1;
    story.close(receipt(2));
    assert!(!story.evidence.scope().gapless);
}

#[test]
fn a_proof_of_another_receipt_says_nothing() {
    let mut story = Story::all();
    let receipt = story.close(receipt(1));
    let other = Receipt { software: "another".into(), ..receipt };
    story.evidence.kept(&session(1), kept(&other, "inst-1", "DE"));
    assert_eq!(story.evidence.texts().without_proof, 1);
    assert!(story.evidence.requests()[0].places()[1].jurisdiction.is_none());
}

/// A roster of inst-1 that lists node 1 in `jurisdiction`, signed by the roster key of `by`.
fn roster(by: u8, jurisdiction: &str) -> Signed {
    let entry = RosterNode {
        peer: node(1),
        jurisdiction: country(jurisdiction),
        roles: [Role::Stage].into(),
        control_addresses: Vec::new(),
    };
    let roster = Roster {
        institution: "inst-1".into(),
        sequence: 1,
        issued_at: NOW,
        expires_at: minute(60),
        nodes: vec![entry],
    };
    roster_key(by).sign(Domain::ROSTER, &chain().genesis(), &roster).unwrap()
}

#[test]
fn a_stage_stands_where_its_own_institution_signs_that_it_does() {
    let receipt = receipt(1);
    let signed = |domain| receipts::key(0).sign(domain, &chain().genesis(), &receipt).unwrap();
    let bundle = |rosters| Bundle {
        charters: vec![signed_charter()],
        rosters,
        manifest: Bytes::new(),
        open_record: signed(Domain::OPEN_RECORD),
        receipt: signed(Domain::RECEIPT),
        stage_receipts: Vec::new(),
        opening: None,
        acknowledgement: None,
        proof: None,
    };
    let good = Kept::of(&bundle(vec![roster(1, "DE"), roster(2, "US")]), true, &chain());
    assert_eq!(good.nodes[&node(1)], ("inst-1".into(), country("DE")));
    assert_eq!((good.text, good.held, good.model), (false, true, None));
    let mut forged = roster(1, "DE");
    forged.signature[0] ^= 1;
    assert!(Kept::of(&bundle(vec![forged]), false, &chain()).nodes.is_empty());
}

#[test]
fn the_area_is_the_unions_27_and_three_more() {
    assert!(EEA.is_sorted() && EEA.len() == 27 + 3);
    for inside in ["GR", "HR", "NO", "LI"] {
        assert!(!is_third_country(country(inside)), "{inside}");
    }
    for outside in ["GB", "CH", "US", "EL", "TR"] {
        assert!(is_third_country(country(outside)), "{outside}");
    }
}

#[test]
fn an_institution_no_charter_has_is_named_without_particulars() {
    let chain = chain();
    let party = Party::new("", "inst-9", chain.last_known("inst-9"));
    assert_eq!((party.legal_name, party.institution.as_str()), (None, "inst-9"));
    let known = Party::new("", "inst-2", chain.last_known("inst-2"));
    assert_eq!(known.legal_name, Some(consortium().institutions[2].legal_name.clone()));
    assert_eq!(known.parent_country.as_deref(), Some("US"));
    assert_eq!(known.data_protection_officer, None, "an empty text is none");
}

#[test]
fn the_records_of_a_log_before_are_said_to_be_elsewhere() {
    let said = Succession {
        institution: "inst-0".into(),
        from: node(7),
        to: node(0),
        reason: SuccessionReason::Restored,
        records: 5,
        last: Digest::ZERO,
        checkpoint: String::new(),
        seen: 9,
        at: NOW,
    };
    let succession = roster_key(0).sign(Domain::SUCCESSION, &chain().genesis(), &said).unwrap();
    let mut story = Story::all();
    let (sequence, previous) = (story.next(), Digest::ZERO);
    let record = SuccessionRecord { sequence, previous, succession };
    story.evidence.record(Digest::ZERO, Record::Succession(record));
    assert_eq!(story.evidence.scope().succeeds, Some(node(7).to_string()));
    for missing in [ai_act(&story.evidence).missing, ropa(&story.evidence).missing] {
        assert_eq!(lacking(&missing, "the log of node"), Some((9, 9)));
    }
    assert_eq!(story.evidence.institution.as_deref(), Some("inst-0"));
}
