//! What is varied, in words.

use super::*;

#[test]
fn what_is_varied_is_said_in_words_with_its_unit_and_whose_it_is() {
    let document: Value = toml::from_str(
        "[[link]]\nbetween = [\"delft\", \"ghent\"]\n[[link]]\nbetween = [\"bonn\", \"ghent\"]\n\
         [[workload]]\ninstitution = \"north\"\n[[device]]\nname = \"box\"\n[run]\n",
    )
    .unwrap();
    for (key, words) in [
        ("link.0.rate_mbit", "rate, Mbit/s (link delft to ghent)"),
        ("link.*.round_trip_ms", "round trip, ms (all 2 of [[link]])"),
        ("workload.0.arrivals.poisson.per_s", "arrivals, requests/s (workload north)"),
        ("workload.*.audit", "audit"),
        ("device.0.time.measured.block_us", "block, µs (device box)"),
        ("run.seed", "seed"),
        ("link.7.loss", "loss"),
    ] {
        let varied = Varied::parse(&format!("{key}=1,2")).unwrap();
        assert_eq!(varied.words(&document), words, "{key}");
    }
}
