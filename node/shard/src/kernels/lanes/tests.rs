//! Every instruction set's lanes against plain Rust's, operation by operation.

use super::{InstructionSet, Kernel, LANES, Lanes};
use crate::kernels::half;

/// Runs every operation on fixed operands and keeps the bits.
struct Probe<'a> {
    floats: &'a [[f32; LANES]; 3],
    bytes: &'a [[u8; 64]; 2],
    x: [i8; 4],
    bits: &'a mut Vec<u32>,
}

impl Kernel for Probe<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let [a, b, c] = self.floats.map(|floats| L::load(&floats));
        let bits = self.bits;
        let mut half = [0; 32];
        L::store_half(a, &mut half);
        bits.extend(half.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)));
        let [first, second] = self.bytes.map(|bytes| L::load_bytes(&bytes));
        let start = L::splat_int(-1_000_000);
        let dot = |bytes| L::to_floats(L::dot(start, bytes, self.x));
        let single: [u8; 64] = self.bytes[0];
        for floats in [
            L::add(a, b),
            L::mul(a, b),
            L::fma(a, b, c),
            L::splat(a_value(self.floats)),
            L::load_half(&half),
            L::load_bfloat(&half),
            L::load_single(&finite(single)),
            dot(first),
            dot(L::low_halves(first)),
            dot(L::high_halves(first)),
            dot(L::with_high_bits::<0x01, 0>(L::low_halves(first), second)),
            dot(L::with_high_bits::<0x10, 4>(L::low_halves(first), second)),
            dot(L::with_high_bits::<0x80, 7>(L::low_halves(first), second)),
            dot(L::with_high_bits::<0x03, 0>(L::low_halves(first), second)),
            dot(L::with_high_bits::<0xc0, 6>(L::low_halves(first), second)),
            L::to_floats(L::add_ints(L::times_128(L::splat_int(77_777)), L::splat_int(-3))),
        ] {
            let mut out = [0.0; LANES];
            L::store(floats, &mut out);
            bits.extend(out.map(f32::to_bits));
            bits.push(super::sum::<L>(floats).to_bits());
        }
    }
}

fn a_value(floats: &[[f32; LANES]; 3]) -> f32 {
    floats[0][3]
}

/// Clears an exponent bit of every float, so that none is NaN, whose bits no one defines.
fn finite(mut bytes: [u8; 64]) -> [u8; 64] {
    for byte in bytes.iter_mut().skip(3).step_by(4) {
        *byte &= 0xbf;
    }
    bytes
}

#[test]
fn all_sets_return_the_same_bits() {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    for round in 0..300 {
        // From subnormal halves to beyond their range.
        let exponent = (round % 40) - 28;
        let mut float = || (next() as f32 / (1 << 23) as f32 - 1.0) * 2_f32.powi(exponent);
        let floats: [[f32; LANES]; 3] = std::array::from_fn(|_| std::array::from_fn(|_| float()));
        let bytes: [[u8; 64]; 2] =
            std::array::from_fn(|_| std::array::from_fn(|_| next().to_le_bytes()[0]));
        let x = std::array::from_fn(|_| i8::try_from(next() % 129).map_or(64, |x| x - 64));
        let probe = |set: InstructionSet| {
            let mut bits = Vec::new();
            set.run(Probe { floats: &floats, bytes: &bytes, x, bits: &mut bits });
            bits
        };
        let reference = probe(InstructionSet::Portable);
        for set in InstructionSet::available() {
            assert_eq!(probe(set), reference, "{set:?} in round {round}");
        }
    }
}

#[test]
fn dots_hold_at_the_ends_of_their_operands() {
    struct Ends<'a>(&'a mut Vec<u32>);
    impl Kernel for Ends<'_> {
        #[inline(always)]
        fn run<L: Lanes>(self) {
            for x in [[64; 4], [-64; 4], [64, -64, 64, -64]] {
                let sum = L::dot(L::splat_int(0), L::load_bytes(&[255; 64]), x);
                let mut out = [0.0; LANES];
                L::store(L::to_floats(sum), &mut out);
                self.0.extend(out.map(f32::to_bits));
            }
        }
    }
    for set in InstructionSet::available() {
        let mut bits = Vec::new();
        set.run(Ends(&mut bits));
        let expected = [65_280.0_f32, -65_280.0, 0.0].map(|value| [value.to_bits(); LANES]);
        assert_eq!(bits, expected.as_flattened(), "{set:?}");
    }
}

#[test]
fn halves_round_to_the_nearest_even_and_come_back() {
    for bits in 0..=u16::MAX {
        let value = half::f16(bits);
        if value.is_nan() {
            assert!(half::f16(half::to_f16(value)).is_nan());
        } else {
            assert_eq!(half::to_f16(value), bits, "{value}");
        }
    }
    // Half way between two neighbours goes to the even one; just past it, up.
    let (one, next) = (half::f16(0x3c00), half::f16(0x3c01));
    assert_eq!(half::to_f16(f32::midpoint(one, next)), 0x3c00);
    assert_eq!(half::to_f16(f32::midpoint(one, next) + 1e-6), 0x3c01);
    assert_eq!(half::to_f16(f32::midpoint(next, half::f16(0x3c02))), 0x3c02);
    assert_eq!(half::to_f16(65_519.9), 0x7bff);
    assert_eq!(half::to_f16(65_520.0), 0x7c00);
    assert_eq!(half::to_f16(-1e9), 0xfc00);
    assert_eq!(half::to_f16(1e-9), 0);
}
