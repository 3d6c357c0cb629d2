//! The part of GML that the Topology Zoo uses.

use super::parse;

#[test]
fn nodes_edges_and_speeds_are_read() {
    let text = "graph [\n  Network \"X\"\n  node [\n    id 0\n    label \"NL\"\n    Latitude 52.3\n    \
        Longitude 4.8\n  ]\n  node [\n    id 7\n    label \"DE\"\n  ]\n  edge [\n    source 0\n    \
        target 7\n    LinkSpeedRaw 10000000000.0\n  ]\n  edge [\n    source 7\n    target 0\n  ]\n]\n";
    let (points, edges) = parse(text);
    assert_eq!(points.iter().map(|it| it.label.as_str()).collect::<Vec<_>>(), ["NL", "DE"]);
    assert_eq!(points[0].latitude, Some(52.3));
    assert_eq!(edges, [(0, 7, Some(1e10)), (7, 0, None)]);
}
