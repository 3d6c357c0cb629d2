//! Microbatches: budget, order, the wait of decode steps, shares.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn session(id: u8) -> SessionId {
    SessionId([id; 16])
}

fn positions(pieces: &[Piece]) -> u32 {
    pieces.iter().map(|piece| piece.positions).sum()
}

fn tickets(pieces: &[Piece]) -> Vec<Ticket> {
    pieces.iter().map(|piece| piece.ticket).collect()
}

#[test]
fn decode_steps_of_several_sessions_run_together() {
    let mut batcher = Microbatcher::default();
    let first: Vec<_> = (0..5).map(|id| batcher.push("north", session(id), 1)).collect();
    let second = batcher.push("north", session(0), 1);
    let pieces = batcher.take();
    assert_eq!(tickets(&pieces).into_iter().collect::<BTreeSet<_>>(), first.into_iter().collect());
    assert!(pieces.iter().all(|piece| piece.last));
    assert_eq!(tickets(&batcher.take()), [second]);
    assert_eq!(batcher.take(), []);
}

#[test]
fn a_decode_step_waits_for_one_microbatch_of_a_long_prefill() {
    let mut batcher = Microbatcher::default();
    let prefill = batcher.push("north", session(1), 500);
    assert_eq!(positions(&batcher.take()), MICROBATCH_POSITIONS_MAX);
    let decode = batcher.push("north", session(2), 1);
    let pieces = batcher.take();
    assert_eq!(tickets(&pieces), [decode, prefill]);
    let left = MICROBATCH_POSITIONS_MAX;
    assert_eq!(pieces[1], Piece { ticket: prefill, from: left, positions: left - 1, last: false });
}

#[test]
fn prefill_goes_on_under_any_number_of_decode_steps() {
    let mut batcher = Microbatcher::default();
    let prefill = batcher.push("north", session(255), 160);
    for round in 0..10 {
        for id in 0..100 {
            batcher.push("north", session(id), 1);
        }
        let pieces = batcher.take();
        let piece = pieces.iter().find(|piece| piece.ticket == prefill).unwrap();
        assert_eq!((piece.from, piece.positions), (16 * round, PREFILL_POSITIONS_MIN));
        assert_eq!(piece.last, round == 9);
    }
}

#[test]
fn an_institution_with_many_sessions_does_not_crowd_out_one_with_few() {
    let mut batcher = Microbatcher::default();
    for round in 0..50 {
        for id in 0..200 {
            batcher.push("crowd", session(id), 1);
        }
        let few = batcher.push("few", session(250), 1);
        assert!(tickets(&batcher.take()).contains(&few), "round {round}");
    }
}

#[test]
fn institutions_that_prefill_at_once_get_equal_shares() {
    let mut batcher = Microbatcher::default();
    let mut owner = BTreeMap::new();
    for id in 0..30 {
        let institution = if id < 29 { "crowd" } else { "few" };
        owner.insert(batcher.push(institution, session(id), 512), institution);
    }
    let mut had: BTreeMap<_, u32> = BTreeMap::new();
    for _ in 0..14 {
        for piece in batcher.take() {
            *had.entry(owner[&piece.ticket]).or_default() += piece.positions;
        }
    }
    assert_eq!((had["crowd"], had["few"]), (7 * 64, 7 * 64));
}

#[test]
fn prompts_of_one_institution_end_one_after_another() {
    let mut batcher = Microbatcher::default();
    let prompts: Vec<_> = (0..4).map(|id| batcher.push("north", session(id), 128)).collect();
    let ended: Vec<_> =
        (0..8).map(|_| batcher.take().iter().filter(|piece| piece.last).count()).collect();
    assert_eq!(ended, [0, 1, 0, 1, 0, 1, 0, 1], "{prompts:?}");
}

#[test]
fn waiting_for_nothing_earns_no_claim() {
    let mut batcher = Microbatcher::default();
    batcher.push("late", session(200), 1);
    batcher.take();
    for _ in 0..20 {
        batcher.push("early", session(1), 512);
        while batcher.waiting() > 0 {
            batcher.take();
        }
    }
    batcher.push("early", session(1), 512);
    let late = batcher.push("late", session(200), 512);
    let first: Vec<_> = (0..8).flat_map(|_| tickets(&batcher.take())).collect();
    let late = first.iter().filter(|&&ticket| ticket == late).count();
    assert!((3..=5).contains(&late), "{first:?}");
}

#[test]
fn a_closed_session_and_a_cancelled_step_run_no_more() {
    let mut batcher = Microbatcher::default();
    let closed = [batcher.push("a", session(1), 100), batcher.push("a", session(1), 1)];
    let cancelled = batcher.push("a", session(2), 100);
    let stays = batcher.push("a", session(3), 1);
    batcher.take();
    assert_eq!(batcher.close(&session(1)), closed);
    batcher.cancel(cancelled);
    assert_eq!(batcher.take(), []);
    assert_eq!(batcher.waiting(), 0, "{stays:?} was in the first microbatch");
}

proptest! {
    #[test]
    fn every_position_runs_once_and_in_order(
        steps in prop::collection::vec((0_u8..3, 0_u8..12, 1_u32..200), 1..60),
        rounds in prop::collection::vec(0_usize..6, 1..60),
    ) {
        let mut batcher = Microbatcher::default();
        let mut pushed = steps.iter();
        let mut lengths = BTreeMap::new();
        let mut order: BTreeMap<u8, Vec<Ticket>> = BTreeMap::new();
        let mut ran: BTreeMap<Ticket, u32> = BTreeMap::new();
        let mut finished = Vec::new();
        let rounds = rounds.into_iter().chain(std::iter::repeat(60));
        for arrivals in rounds {
            for &(institution, id, length) in pushed.by_ref().take(arrivals) {
                // A session belongs to one institution.
                let (id, name) = (id * 3 + institution, ["a", "b", "c"][institution as usize]);
                let ticket = batcher.push(name, session(id), length);
                lengths.insert(ticket, (id, length));
                order.entry(id).or_default().push(ticket);
            }
            let pieces = batcher.take();
            prop_assert!(positions(&pieces) <= MICROBATCH_POSITIONS_MAX);
            prop_assert!(!pieces.is_empty() || batcher.waiting() == 0, "work waits, none is given");
            let mut sessions = BTreeSet::new();
            for piece in pieces {
                let (id, length) = lengths[&piece.ticket];
                prop_assert!(sessions.insert(id), "two pieces of one session");
                let done = ran.entry(piece.ticket).or_default();
                prop_assert_eq!(piece.from, *done);
                *done += piece.positions;
                prop_assert_eq!(piece.last, *done == length);
                if piece.last {
                    finished.push((id, piece.ticket));
                }
            }
            if pushed.len() == 0 && batcher.waiting() == 0 {
                break;
            }
        }
        prop_assert_eq!(finished.len(), steps.len());
        for (id, tickets) in order {
            let done: Vec<_> =
                finished.iter().filter(|(of, _)| *of == id).map(|(_, ticket)| *ticket).collect();
            prop_assert_eq!(done, tickets);
        }
    }
}

#[test]
fn an_institution_of_twice_the_weight_gets_twice_as_much() {
    let mut batcher = Microbatcher::default();
    batcher.set_share("north", 2);
    let mut had = BTreeMap::from([("north", 0), ("south", 0)]);
    let mut owner = BTreeMap::new();
    for (id, institution) in [(1, "north"), (2, "south")] {
        for _ in 0..40 {
            owner.insert(batcher.push(institution, session(id), 200), institution);
        }
    }
    for _ in 0..60 {
        for piece in batcher.take() {
            *had.get_mut(owner[&piece.ticket]).unwrap() += piece.positions;
        }
    }
    let ratio = f64::from(had["north"]) / f64::from(had["south"]);
    assert!((1.8..2.2).contains(&ratio), "{had:?}");
}
