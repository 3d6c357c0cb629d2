//! Bytes stay what they were wherever they are moved.

use super::*;

/// Lines of `bytes` bytes that tell themselves from others.
fn lines(bytes: usize, seed: usize) -> Lines {
    let mut lines = Lines::zeroed(bytes);
    let values = (0_u8..=250).cycle().skip(seed % 251);
    lines.bytes_mut().iter_mut().zip(values).for_each(|(byte, value)| *byte = value);
    lines
}

#[test]
fn what_is_settled_keeps_its_bytes_and_alignment() {
    for (sizes, worth_it) in [(&[64, 3 << 20, 0, 640, 5 << 20][..], true), (&[1 << 20], false)] {
        let mut all: Vec<_> = sizes.iter().enumerate().map(|(at, size)| lines(*size, at)).collect();
        let before: Vec<_> = all.iter().map(|lines| lines.bytes().to_vec()).collect();
        settle(&mut all);
        for (lines, before) in all.iter().zip(&before) {
            assert!(lines.bytes() == before && lines.len() == before.len());
            assert_eq!(lines.bytes().as_ptr().align_offset(64), 0);
            assert_eq!(matches!(lines.0, Memory::Chunk { .. }), worth_it);
        }
    }
}

#[test]
fn writing_to_what_is_settled_changes_nobody_elses_bytes() {
    let mut all = [lines(2 << 20, 1), lines(2 << 20, 2)];
    settle(&mut all);
    let [first, second] = &mut all;
    let (before, other) = (first.bytes().to_vec(), second.bytes().to_vec());
    let copy = first.clone();
    first.bytes_mut().fill(255);
    assert!(first.bytes().iter().all(|byte| *byte == 255));
    assert!(copy.bytes() == before && second.bytes() == other);
}
