//! Who waits for room, and when it is there.

use super::*;

/// People who ask again at once, over nodes with room for one answer at a time.
fn crowded(users: u32, tail: &str) -> Measured {
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", &format!("closed = {{ users = {users} }}"))
        .replace("kv_positions = 20000", "kv_positions = 60");
    simulate(&world(&(text + tail)), options(60.0))
}

#[test]
fn who_finds_no_room_is_served_when_the_answer_before_ends() {
    let alone = crowded(1, "");
    let one = alone.samples[3].ended_s - alone.samples[3].asked_s;
    let three = crowded(3, "");
    assert!(three.samples.len().abs_diff(alone.samples.len()) <= 1, "{:?}", three.samples.len());
    for pair in three.samples.windows(2) {
        assert!((pair[1].ended_s - pair[0].ended_s - one).abs() < 1e-6, "{pair:?}, {one} alone");
    }
    // Each but the first two waits for those of two others.
    for sample in &three.samples[2..] {
        assert!((sample.ended_s - sample.asked_s - 3.0 * one).abs() < 1e-6, "{sample:?}");
    }
    assert_eq!((three.running, three.waiting), (1, 2));
}

#[test]
fn who_waits_for_room_is_served_when_a_node_comes_back() {
    // An answer takes all the time there is; only a node that was away has room for another one.
    let third = "[[node]]\nname = \"c\"\ninstitution = \"south\"\nsite = \"ghent\"\ndevice = \"box\"\n\
                 model = \"toy\"\nblocks = [0, 8]\n[[fault]]\nnode = \"c\"\nat_s = 0\nfor_s = 30\n";
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", "closed = { users = 2 }")
        .replace("output = { fixed = 16 }", "output = { fixed = 10000 }")
        .replace("kv_positions = 20000", "kv_positions = 10040");
    let measured = simulate(&world(&(text + third)), options(60.0));
    assert_eq!((measured.running, measured.waiting), (2, 0));
    let (slice_s, busy) = (measured.slice_s(), &measured.nodes[2].slices);
    let first = busy.iter().position(|busy| *busy > 0.0).unwrap();
    assert!((first as f64 * slice_s - 30.0).abs() <= slice_s, "from slice {first} on");
}
