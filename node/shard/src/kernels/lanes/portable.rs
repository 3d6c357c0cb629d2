//! The lanes in plain Rust: the reference the other forms are tested against.

use super::{LANES, Lanes};
use crate::kernels::half;

/// Plain Rust.
#[derive(Debug)]
pub(crate) enum Portable {}

/// Applies an operation lane by lane.
macro_rules! each {
    (|$i:ident| $value:expr) => {{
        let mut out = [Default::default(); LANES];
        for ($i, out) in out.iter_mut().enumerate() {
            *out = $value;
        }
        out
    }};
}

impl Lanes for Portable {
    type Floats = [f32; LANES];
    type Ints = [i32; LANES];
    type Bytes = [u8; 64];

    const MANY_SUMS: bool = false;

    #[inline(always)]
    fn splat(value: f32) -> Self::Floats {
        [value; LANES]
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self::Floats {
        *from
    }

    #[inline(always)]
    fn store(values: Self::Floats, to: &mut [f32; LANES]) {
        *to = values;
    }

    #[inline(always)]
    fn load_half(from: &[u8; 32]) -> Self::Floats {
        each!(|i| half::f16_at(from, 2 * i))
    }

    #[inline(always)]
    fn store_half(values: Self::Floats, to: &mut [u8; 32]) {
        for (to, value) in to.as_chunks_mut::<2>().0.iter_mut().zip(values) {
            *to = half::to_f16(value).to_le_bytes();
        }
    }

    #[inline(always)]
    fn load_bfloat(from: &[u8; 32]) -> Self::Floats {
        each!(|i| half::bf16(u16::from_le_bytes([from[2 * i], from[2 * i + 1]])))
    }

    #[inline(always)]
    fn load_single(from: &[u8; 64]) -> Self::Floats {
        let (floats, _) = from.as_chunks::<4>();
        each!(|i| f32::from_le_bytes(floats[i]))
    }

    #[inline(always)]
    fn add(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        each!(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        each!(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn fma(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        each!(|i| a[i].mul_add(b[i], c[i]))
    }

    #[inline(always)]
    fn splat_int(value: i32) -> Self::Ints {
        [value; LANES]
    }

    #[inline(always)]
    fn add_ints(a: Self::Ints, b: Self::Ints) -> Self::Ints {
        each!(|i| a[i].wrapping_add(b[i]))
    }

    #[inline(always)]
    fn times_128(a: Self::Ints) -> Self::Ints {
        each!(|i| a[i] << 7)
    }

    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest is the definition")]
    fn to_floats(a: Self::Ints) -> Self::Floats {
        each!(|i| a[i] as f32)
    }

    #[inline(always)]
    fn load_bytes(from: &[u8; 64]) -> Self::Bytes {
        *from
    }

    #[inline(always)]
    fn low_halves(mut a: Self::Bytes) -> Self::Bytes {
        for byte in &mut a {
            *byte &= 15;
        }
        a
    }

    #[inline(always)]
    fn high_halves(mut a: Self::Bytes) -> Self::Bytes {
        for byte in &mut a {
            *byte >>= 4;
        }
        a
    }

    #[inline(always)]
    fn with_high_bits<const MASK: u8, const BIT: u32>(
        mut a: Self::Bytes,
        from: Self::Bytes,
    ) -> Self::Bytes {
        for (byte, from) in a.iter_mut().zip(from) {
            let bits = from & MASK;
            *byte |= if BIT <= 4 { bits << (4 - BIT) } else { bits >> (BIT - 4) };
        }
        a
    }

    #[inline(always)]
    fn dot(mut sum: Self::Ints, weights: Self::Bytes, x: [i8; 4]) -> Self::Ints {
        for (sum, weights) in sum.iter_mut().zip(weights.as_chunks::<4>().0) {
            for (weight, x) in weights.iter().zip(x) {
                *sum += i32::from(*weight) * i32::from(x);
            }
        }
        sum
    }

    #[inline(always)]
    fn prefetch(_: &[u8], _: usize) {}
}
