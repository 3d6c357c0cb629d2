//! Policies over real nodes: what they exclude is not even called.

use comity_protocol::{
    block::BlockRange, policy::Policy, refusal::Cause, request::Generate, session::Frame,
};
use comity_shard::fixture::BLOCKS;

use crate::{
    rogue::Rogue,
    swarm::{Swarm, request},
};

/// Only nodes in NL and DE: not the third of the swarm, which stands in FR.
fn nl_de() -> Policy {
    let allowed = ["NL", "DE"].map(|country| country.parse().unwrap());
    Policy { allowed_jurisdictions: allowed.into(), ..Policy::open("nl-de") }
}

fn restricted() -> Generate {
    Generate { policy: "nl-de".into(), ..request("the cat", 4) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_only_an_excluded_country_could_serve_is_refused_by_name_uncalled() {
    let swarm = Swarm::under(3, vec![nl_de()]).await;
    let connections = || -> Vec<usize> {
        swarm.demo.nodes.iter().map(|node| node.context().data.connections()).collect()
    };
    let refused = swarm.home().generate(restricted()).await.unwrap_err().refused();
    assert_eq!(refused.cause, Cause::Policy);
    for named in ["allowed_jurisdictions lacks FR", "agency-south", "blocks [4, 6)"] {
        assert!(refused.detail.contains(named), "{}", refused.detail);
    }
    assert_eq!(connections(), [0, 0, 0], "somebody was called");
    // The same request without the policy is served by all three.
    assert!(swarm.verify(&swarm.ask(request("the cat", 4)).await).complete);
    assert!(connections().iter().all(|count| *count > 0));
    swarm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_of_a_request_only_ever_restrict_the_policy_it_names() {
    let swarm = Swarm::under(3, vec![nl_de()]).await;
    let under = |rules: Policy| Generate {
        policy: rules.name.replace(Policy::OPEN, ""),
        rules: Some(Box::new(rules)),
        ..request("the cat", 4)
    };
    let not_in = |name, country: &str| {
        let forbidden_jurisdictions = [country.parse().unwrap()].into();
        Policy { forbidden_jurisdictions, ..Policy::rules(name) }
    };
    let only = |name, institution: &str| {
        let allowed_institutions = [institution.to_owned()].into();
        Policy { allowed_institutions, ..Policy::rules(name) }
    };
    let refusals = [
        (not_in(Policy::OPEN, "FR"), "policy open: no node may serve blocks [4, 6): forbidden"),
        (not_in(Policy::OPEN, "NL"), "keeps home itself out"),
        (only(Policy::OPEN, "uni-north"), "allowed_institutions lacks"),
        // What the named policy excludes, no rule lets in.
        (only("nl-de", "agency-south"), "allowed_institutions lacks uni-north"),
        (Policy::rules("nl-de"), "allowed_jurisdictions lacks FR"),
        (Policy { allowed_jurisdictions: ["FR".parse().unwrap()].into(), ..nl_de() }, "rules: "),
    ];
    for (rules, named) in refusals {
        let refused = swarm.home().generate(under(rules)).await.unwrap_err().refused();
        assert_eq!(refused.cause, Cause::Policy);
        assert!(refused.detail.contains(named), "{}", refused.detail);
    }
    // The receipt carries the stricter policy, under the name of the charter's.
    let served = swarm.ask(under(not_in(Policy::OPEN, "US"))).await;
    let report = swarm.verify(&served);
    assert_eq!((report.complete, report.policy.as_str()), (true, Policy::OPEN));
    swarm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_goes_round_a_node_that_its_policy_excludes() {
    let swarm = Swarm::under(2, vec![nl_de()]).await;
    // Alone it could serve the whole model, which is always preferred.
    let whole = BlockRange::new(0, BLOCKS).unwrap();
    let mut excluded = Rogue::join(&swarm, 1, "FR", whole).await;
    let answer = swarm.ask(restricted()).await;
    let report = swarm.verify(&answer);
    assert!(report.complete, "{report:?}");
    let places = report.stages.iter().map(|stage| stage.place.jurisdiction.to_string());
    let jurisdictions: Vec<_> = places.collect();
    assert_eq!(jurisdictions, ["NL", "DE"]);
    assert_eq!(excluded.plane.connections(), 0, "the excluded node was called");
    // Without the policy it is the one that is asked.
    let unrestricted = swarm.home().generate(request("the cat", 4)).await.unwrap();
    let mut wire = excluded.accept(swarm.home()).await;
    assert!(matches!(wire.next().await.0, Frame::Open { .. }));
    drop(unrestricted);
    excluded.leave();
    swarm.shutdown().await;
}
