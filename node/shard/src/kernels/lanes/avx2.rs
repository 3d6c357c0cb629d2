//! The lanes in AVX2: two registers of eight.
#![expect(unsafe_code, reason = "intrinsics; this form runs only inside `run`")]

use std::arch::x86_64::*;

use super::{Kernel, LANES, Lanes};

/// AVX2 with FMA and F16C.
#[derive(Debug)]
pub(super) enum Avx2 {}

/// Runs `kernel` over AVX2 lanes.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn run<K: Kernel>(kernel: K) {
    kernel.run::<Avx2>();
}

#[inline(always)]
fn both<A: Copy, B: Copy, C>(a: [A; 2], b: [B; 2], of: impl Fn(A, B) -> C) -> [C; 2] {
    [of(a[0], b[0]), of(a[1], b[1])]
}

// SAFETY, for every block below: the lanes are used only by kernels that `run` started, which is
// compiled for these features and called only where they were found; pointers come from arrays of
// the size each instruction reads or writes.
impl Lanes for Avx2 {
    type Floats = [__m256; 2];
    type Ints = [__m256i; 2];
    type Bytes = [__m256i; 2];

    const MANY_SUMS: bool = true;

    #[inline(always)]
    fn splat(value: f32) -> Self::Floats {
        unsafe { [_mm256_set1_ps(value); 2] }
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self::Floats {
        unsafe { [_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))] }
    }

    #[inline(always)]
    fn store(values: Self::Floats, to: &mut [f32; LANES]) {
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), values[0]);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), values[1]);
        }
    }

    #[inline(always)]
    fn load_half(from: &[u8; 32]) -> Self::Floats {
        let from: *const __m128i = from.as_ptr().cast();
        unsafe {
            [_mm256_cvtph_ps(_mm_loadu_si128(from)), _mm256_cvtph_ps(_mm_loadu_si128(from.add(1)))]
        }
    }

    #[inline(always)]
    fn store_half(values: Self::Floats, to: &mut [u8; 32]) {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT;
        let to: *mut __m128i = to.as_mut_ptr().cast();
        unsafe {
            _mm_storeu_si128(to, _mm256_cvtps_ph::<NEAREST>(values[0]));
            _mm_storeu_si128(to.add(1), _mm256_cvtps_ph::<NEAREST>(values[1]));
        }
    }

    #[inline(always)]
    fn load_bfloat(from: &[u8; 32]) -> Self::Floats {
        let from: *const __m128i = from.as_ptr().cast();
        let widen = |half: __m128i| unsafe {
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(half)))
        };
        unsafe { [widen(_mm_loadu_si128(from)), widen(_mm_loadu_si128(from.add(1)))] }
    }

    #[inline(always)]
    fn load_single(from: &[u8; 64]) -> Self::Floats {
        let from: *const f32 = from.as_ptr().cast();
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }

    #[inline(always)]
    fn add(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        both(a, b, |a, b| unsafe { _mm256_add_ps(a, b) })
    }

    #[inline(always)]
    fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        both(a, b, |a, b| unsafe { _mm256_mul_ps(a, b) })
    }

    #[inline(always)]
    fn fma(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn splat_int(value: i32) -> Self::Ints {
        unsafe { [_mm256_set1_epi32(value); 2] }
    }

    #[inline(always)]
    fn add_ints(a: Self::Ints, b: Self::Ints) -> Self::Ints {
        both(a, b, |a, b| unsafe { _mm256_add_epi32(a, b) })
    }

    #[inline(always)]
    fn times_128(a: Self::Ints) -> Self::Ints {
        both(a, a, |a, _| unsafe { _mm256_slli_epi32::<7>(a) })
    }

    #[inline(always)]
    fn to_floats(a: Self::Ints) -> Self::Floats {
        both(a, a, |a, _| unsafe { _mm256_cvtepi32_ps(a) })
    }

    #[inline(always)]
    fn load_bytes(from: &[u8; 64]) -> Self::Bytes {
        let from: *const __m256i = from.as_ptr().cast();
        unsafe { [_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1))] }
    }

    #[inline(always)]
    fn low_halves(a: Self::Bytes) -> Self::Bytes {
        both(a, a, |a, _| unsafe { _mm256_and_si256(a, _mm256_set1_epi8(15)) })
    }

    #[inline(always)]
    fn high_halves(a: Self::Bytes) -> Self::Bytes {
        both(a, a, |a, _| unsafe {
            _mm256_and_si256(_mm256_srli_epi16::<4>(a), _mm256_set1_epi8(15))
        })
    }

    #[inline(always)]
    fn with_high_bits<const MASK: u8, const BIT: u32>(
        a: Self::Bytes,
        from: Self::Bytes,
    ) -> Self::Bytes {
        both(a, from, |a, from| unsafe {
            let bits = _mm256_and_si256(from, _mm256_set1_epi8(MASK.cast_signed()));
            let count = _mm_cvtsi32_si128(4_i32.abs_diff(BIT.cast_signed()).cast_signed());
            // Masked bits stay inside their byte, so shifting pairs of bytes is right.
            let moved = if BIT <= 4 {
                _mm256_sll_epi16(bits, count)
            } else {
                _mm256_srl_epi16(bits, count)
            };
            _mm256_or_si256(a, moved)
        })
    }

    #[inline(always)]
    fn dot(sum: Self::Ints, weights: Self::Bytes, x: [i8; 4]) -> Self::Ints {
        // Two products of at most 255 * 64 stay below 2^15: the pairwise sums never saturate.
        both(sum, weights, |sum, weights| unsafe {
            let pairs =
                _mm256_maddubs_epi16(weights, _mm256_set1_epi32(i32::from_le_bytes(bytes(x))));
            _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        })
    }

    #[inline(always)]
    fn prefetch(from: &[u8], ahead: usize) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.as_ptr().wrapping_add(ahead).cast()) }
    }
}

#[inline(always)]
fn bytes(x: [i8; 4]) -> [u8; 4] {
    [x[0].cast_unsigned(), x[1].cast_unsigned(), x[2].cast_unsigned(), x[3].cast_unsigned()]
}
