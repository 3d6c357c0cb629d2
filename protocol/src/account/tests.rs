//! Both sides' books agree, whatever was lost on the way.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    block::BlockRange,
    receipt::{
        Work, check_countersignature, countersignature,
        tests::{CHARTER, NOW, key, receipt, stage_receipt},
    },
    route::RouteStage,
    signed::{Domain, Signed},
};

/// Nodes 0 to 3; node 3 belongs to the institution of node 0.
fn institution(node: u8) -> String {
    format!("inst-{}", node % 3)
}

/// One stage of one session as chance has it.
#[derive(Debug, Clone)]
struct Part {
    parameters: u64,
    /// Rows computed by each of its receipts, partial ones first.
    signed: Vec<u64>,
    /// How many of them reached home.
    arrived: usize,
    /// How often home's countersignature comes by itself; 0 if it is lost.
    told: usize,
}

#[derive(Debug, Clone)]
struct Session {
    home: u8,
    /// Whether home lived to close it.
    closed: bool,
    parts: BTreeMap<u8, Part>,
}

fn session() -> impl Strategy<Value = Session> {
    let part = (1..1_000_u64, prop::collection::vec(1..500_u64, 0..3), 0..3_usize, 0..3_usize);
    let part = part.prop_map(|(parameters, rows, arrived, told)| {
        let add = |sum: &mut u64, rows: u64| {
            *sum += rows;
            Some(*sum)
        };
        let signed: Vec<u64> = rows.into_iter().scan(0, add).collect();
        Part { parameters, arrived: arrived.min(signed.len()), signed, told }
    });
    let parts = prop::collection::btree_map(0..4_u8, part, 1..4);
    (0..4_u8, prop::bool::weighted(0.8), parts).prop_map(|(home, closed, parts)| Session {
        home,
        closed,
        parts,
    })
}

/// The receipts each stage signed, in the order of the route.
fn signed(number: u8, session: &Session) -> Vec<(u8, Vec<(StageReceipt, Signed)>)> {
    let mut stages = Vec::new();
    for (stage, (node, part)) in (0..).zip(&session.parts) {
        let receipts = part.signed.iter().map(|computed| {
            let receipt = StageReceipt {
                session: SessionId([number; 16]),
                institution: institution(*node),
                stage,
                home: key(session.home).public(),
                home_institution: institution(session.home),
                computed: *computed,
                parameters: part.parameters,
                ..stage_receipt()
            };
            let signed = key(*node).sign(Domain::STAGE_RECEIPT, &CHARTER, &receipt).unwrap();
            (receipt, signed)
        });
        stages.push((*node, receipts.collect()));
    }
    stages
}

/// Home's receipt over what arrived.
fn closed(number: u8, session: &Session, stages: &[(u8, Vec<(StageReceipt, Signed)>)]) -> Receipt {
    let listed = stages.iter().filter_map(|(node, receipts)| {
        let last = session.parts[node].arrived.checked_sub(1)?;
        Some(&receipts[last])
    });
    let listed: Vec<_> = listed.collect();
    let blocks = BlockRange::new(0, 1).unwrap();
    Receipt {
        session: SessionId([number; 16]),
        institution: institution(session.home),
        stages: stages
            .iter()
            .map(|(node, _)| RouteStage { peer: key(*node).public(), blocks })
            .collect(),
        stage_receipts: listed.iter().map(|(_, signed)| signed.payload_digest()).collect(),
        work: listed.iter().map(|(said, _)| Work::of(said)).collect(),
        ..receipt(&[])
    }
}

type AllBooks = BTreeMap<String, Books>;

/// The stage brings its last receipt, and enters what home countersigns.
fn settle(books: &mut AllBooks, home: u8, receipt: &Receipt, signed: &[(StageReceipt, Signed)]) {
    let Some((_, brought)) = signed.last() else { return };
    let home = key(home);
    let given = countersignature(NOW, &CHARTER, &home.public(), brought, receipt);
    let Ok(given) = given else { return };
    let given = home.sign(Domain::COUNTERSIGNATURE, &CHARTER, &given).unwrap();
    let checked =
        signed.iter().find_map(|(_, ours)| check_countersignature(&CHARTER, ours, &given).ok());
    let (ours, theirs) = checked.expect("home lists what this stage signed");
    books.get_mut(&ours.institution).unwrap().record(Entry::due(&ours, &theirs));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn books_of_every_pair_agree_once_nothing_is_outstanding(
        sessions in prop::collection::vec(session(), 1..8),
    ) {
        let mut books: AllBooks = (0..3).map(|node| (institution(node), Books::default())).collect();
        let mut owed = 0;
        for (number, session) in (0_u8..).zip(&sessions) {
            let stages = signed(number, session);
            if !session.closed {
                continue;
            }
            let receipt = closed(number, session, &stages);
            for entry in Entry::owed(&receipt, key(session.home).public()) {
                owed += if entry.is_internal() { 0 } else { entry.units() };
                // Seen again, as when a log is read twice.
                let book = books.get_mut(&entry.taker).unwrap();
                prop_assert!(book.record(entry.clone()) && !book.record(entry));
            }
            for (node, receipts) in &stages {
                for _ in 0..session.parts[node].told {
                    settle(&mut books, session.home, &receipt, receipts);
                }
            }
        }
        // What is outstanding is asked for, in another order.
        let numbered: Vec<_> = (0_u8..).zip(&sessions).filter(|(_, it)| it.closed).collect();
        for (number, session) in numbered.into_iter().rev() {
            let stages = signed(number, session);
            let receipt = closed(number, session, &stages);
            for (_, receipts) in &stages {
                settle(&mut books, session.home, &receipt, receipts);
            }
        }
        let mut given = 0;
        for first in books.keys() {
            for second in books.keys() {
                let (ours, theirs) =
                    (books[first].balance(first, second), books[second].balance(second, first));
                prop_assert_eq!((ours.given, ours.taken), (theirs.taken, theirs.given));
                given += ours.given;
            }
        }
        prop_assert_eq!(given, owed, "nothing is lost and nothing counts twice");
    }
}

/// An entry for `rows` rows that `giver` ran for `taker`.
fn entry(number: u8, giver: &str, taker: &str, rows: u64) -> Entry {
    Entry {
        stage_receipt: Digest([number; 32]),
        session: SessionId([number; 16]),
        home: key(0).public(),
        giver: giver.into(),
        taker: taker.into(),
        parameters: 10,
        computed: rows,
        at: NOW,
    }
}

#[test]
fn balances_add_up_both_ways_and_leave_out_what_stays_within() {
    let mut books = Books::default();
    let all =
        [(1, "a", "b", 3), (2, "b", "a", 5), (3, "a", "a", 7), (4, "a", "c", 9), (1, "a", "b", 3)];
    let new: Vec<bool> =
        all.map(|(n, giver, taker, rows)| books.record(entry(n, giver, taker, rows))).into();
    assert_eq!(new, [true, true, true, true, false]);
    assert_eq!(books.balance("a", "b"), Balance { given: 30, taken: 50 });
    assert_eq!(books.balance("b", "a"), Balance { given: 50, taken: 30 });
    assert_eq!(books.balance("a", "a"), Balance::default());
    assert_eq!(books.pairs(), [("a", "b"), ("a", "c")].into());
    assert_eq!(books.entries().count(), 4);
}

#[test]
fn the_most_that_can_be_signed_does_not_overflow() {
    use crate::limits::{COMPUTED_MAX, PARAMETERS_MAX};
    let mut books = Books::default();
    for number in 0..=u8::MAX {
        let most = entry(number, "a", "b", COMPUTED_MAX);
        books.record(Entry { parameters: PARAMETERS_MAX, ..most });
    }
    assert_eq!(books.balance("a", "b").given, 1_u128 << (50 + 33 + 8));
}
