//! What a request is told that its policy leaves without a route.

use super::*;
use crate::limits::TEXT_BYTES_MAX;

fn refused(policy: &Policy, candidates: &[Candidate]) -> Uncovered {
    match plan(&request(policy), candidates, near) {
        Err(RouteError::Policy(uncovered)) => uncovered,
        other => panic!("{other:?}"),
    }
}

fn abroad(number: u8, start: u32, end: u32) -> Candidate {
    let mut candidate = candidate(number, start, end);
    candidate.member.jurisdiction = country("US");
    candidate
}

#[test]
fn home_outside_the_policy_takes_no_prompt() {
    let policy =
        Policy { forbidden_jurisdictions: [country("FR")].into(), ..Policy::open("no-fr") };
    let mut elsewhere = candidate(2, 0, 30);
    (elsewhere.member.jurisdiction, elsewhere.member.parent_country) =
        (country("DE"), country("DE"));
    let error = plan(&request(&policy), &[elsewhere], near).unwrap_err();
    let expected = "policy no-fr keeps home itself out: forbidden_jurisdictions has FR, where a \
        node of inst-1 stands";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_refusal_names_policy_blocks_nodes_and_every_predicate() {
    let policy = Policy {
        allowed_jurisdictions: [country("FR")].into(),
        pinned_last: 2,
        ..Policy::open("fr")
    };
    // The second node is kept out of more blocks, but by two predicates; the third fits.
    let candidates =
        [candidate(1, 0, 20), abroad(2, 20, 30), abroad(3, 20, 27), candidate(4, 27, 28)];
    let uncovered = refused(&policy, &candidates);
    assert_eq!(uncovered.blocks, [range(20, 27), range(28, 30)]);
    let expected = "policy fr: no node may serve blocks [20, 27), [28, 30): allowed_jurisdictions \
        lacks US, where a node of inst-3 stands (node 03030303); allowed_jurisdictions lacks US, \
        where a node of inst-2 stands, also pinned_last (node 02020202)";
    assert_eq!(uncovered.to_string(), expected);
}

/// One predicate and many blocks come first; nodes of one kind are one entry.
#[test]
fn a_refusal_fits_its_bound_and_counts_the_rest() {
    let policy = Policy { allowed_jurisdictions: [country("FR")].into(), ..Policy::open("fr") };
    let mut candidates: Vec<_> = (2..=40).map(|number| abroad(number, 10, 30)).collect();
    for candidate in &mut candidates[..6] {
        candidate.member.institution = "many".into();
    }
    candidates[38].blocks = range(0, 30);
    let text = refused(&policy, &candidates).to_string();
    assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes", text.len());
    let largest = text.find("inst-40").unwrap();
    assert!(largest < text.find("inst-10").unwrap(), "{text}");
    candidates[0].blocks = range(0, 30);
    let all = refused(&policy, &candidates[..6]).to_string();
    assert!(all.ends_with("(nodes 02020202, 03030303, 04040404, 3 more)"), "{all}");
    let rest: usize =
        text.rsplit_once("; ").unwrap().1.strip_suffix(" more nodes").unwrap().parse().unwrap();
    let named = text.matches("(node ").count() + 6 * text.matches("(nodes ").count();
    assert_eq!(named + rest, 39, "{text}");
}

#[test]
fn many_gaps_are_counted() {
    let policy = Policy::open("open");
    let candidates: Vec<_> = (0..15).map(|block| candidate(2, 2 * block, 2 * block + 1)).collect();
    let text = plan(&request(&policy), &candidates, near).unwrap_err().to_string();
    assert!(text.ends_with("[15, 16), 7 more ranges"), "{text}");
}

/// Whatever a search finds is asked for once more.
#[test]
fn a_stage_outside_the_policy_is_no_route() {
    let policy = Policy { allowed_jurisdictions: [country("FR")].into(), ..Policy::open("fr") };
    let request = request(&policy);
    let candidates = [candidate(1, 0, 30), abroad(2, 0, 30)];
    assert!(permitted(&request, &candidates, vec![stage(1, 0, 30)]).is_ok());
    for outside in [vec![stage(2, 0, 30)], vec![stage(1, 0, 10), stage(2, 10, 30)]] {
        let error = permitted(&request, &candidates, outside);
        assert!(matches!(error, Err(RouteError::Policy(_))), "{error:?}");
    }
    let unknown = permitted(&request, &candidates, vec![stage(3, 0, 30)]);
    assert!(matches!(unknown, Err(RouteError::Policy(_))), "{unknown:?}");
}
