//! Draws of `gumbel-2` as a second implementation, written from its page alone, gave them.

use comity_protocol::sampler::{Sampler, Sampling};

use crate::vectors;

/// The logits the vector file describes.
fn logits(vocab: u32, salt: u32) -> Vec<f32> {
    let step = |token: u32| {
        let mixed = token.wrapping_mul(2_654_435_761).wrapping_add(salt.wrapping_mul(40_503));
        let step = u16::try_from((mixed >> 16) % 4_096).unwrap();
        f32::from(step) / 128.0 - 16.0
    };
    (0..vocab).map(step).collect()
}

#[test]
fn draws_are_those_of_the_specification() {
    let text = vectors::text("gumbel-2.txt");
    let draws: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("draw ")).collect();
    assert!(draws.len() >= 100, "draws are there");
    for line in draws {
        let fields: Vec<_> = line.split(' ').collect();
        let number = |index: usize| fields[index].parse::<u32>().unwrap();
        let sampling = Sampling {
            temperature: number(2),
            top_k: number(3),
            top_p: number(4),
            min_p: number(5),
            repetition_penalty: number(6),
            seed: fields[7].parse().unwrap(),
            ..Sampling::default()
        };
        let seen: Vec<u32> =
            fields[9].split(',').filter(|id| *id != "-").map(|id| id.parse().unwrap()).collect();
        let logits = logits(number(0), number(1));
        let token = Sampler::new(&sampling).unwrap().sample(&logits, &seen, number(8)).unwrap();
        assert_eq!(token, number(10), "{line}");
    }
}
