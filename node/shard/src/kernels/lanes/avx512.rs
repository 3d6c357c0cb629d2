//! The lanes in AVX-512: one register of sixteen.
#![expect(unsafe_code, reason = "intrinsics; this form runs only inside `run`")]

use std::arch::x86_64::*;

use super::{Kernel, LANES, Lanes};

/// AVX-512 F, BW and VNNI.
#[derive(Debug)]
pub(super) enum Avx512 {}

/// Runs `kernel` over AVX-512 lanes.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vnni")]
pub(super) fn run<K: Kernel>(kernel: K) {
    kernel.run::<Avx512>();
}

// SAFETY, for every block below: the lanes are used only by kernels that `run` started, which is
// compiled for these features and called only where they were found; pointers come from arrays of
// the size each instruction reads or writes.
impl Lanes for Avx512 {
    type Floats = __m512;
    type Ints = __m512i;
    type Bytes = __m512i;

    const MANY_SUMS: bool = true;

    #[inline(always)]
    fn splat(value: f32) -> Self::Floats {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self::Floats {
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(values: Self::Floats, to: &mut [f32; LANES]) {
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), values) }
    }

    #[inline(always)]
    fn load_half(from: &[u8; 32]) -> Self::Floats {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())) }
    }

    #[inline(always)]
    fn store_half(values: Self::Floats, to: &mut [u8; 32]) {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        unsafe {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm512_cvtps_ph::<NEAREST>(values));
        }
    }

    #[inline(always)]
    fn load_bfloat(from: &[u8; 32]) -> Self::Floats {
        unsafe {
            let half = _mm256_loadu_si256(from.as_ptr().cast());
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half)))
        }
    }

    #[inline(always)]
    fn load_single(from: &[u8; 64]) -> Self::Floats {
        let from: *const f32 = from.as_ptr().cast();
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    fn add(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn fma(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn splat_int(value: i32) -> Self::Ints {
        unsafe { _mm512_set1_epi32(value) }
    }

    #[inline(always)]
    fn add_ints(a: Self::Ints, b: Self::Ints) -> Self::Ints {
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    fn times_128(a: Self::Ints) -> Self::Ints {
        unsafe { _mm512_slli_epi32::<7>(a) }
    }

    #[inline(always)]
    fn to_floats(a: Self::Ints) -> Self::Floats {
        unsafe { _mm512_cvtepi32_ps(a) }
    }

    #[inline(always)]
    fn load_bytes(from: &[u8; 64]) -> Self::Bytes {
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn low_halves(a: Self::Bytes) -> Self::Bytes {
        unsafe { _mm512_and_si512(a, _mm512_set1_epi8(15)) }
    }

    #[inline(always)]
    fn high_halves(a: Self::Bytes) -> Self::Bytes {
        unsafe { _mm512_and_si512(_mm512_srli_epi16::<4>(a), _mm512_set1_epi8(15)) }
    }

    #[inline(always)]
    fn with_high_bits<const MASK: u8, const BIT: u32>(
        a: Self::Bytes,
        from: Self::Bytes,
    ) -> Self::Bytes {
        unsafe {
            let bits = _mm512_and_si512(from, _mm512_set1_epi8(MASK.cast_signed()));
            let count = _mm_cvtsi32_si128(4_i32.abs_diff(BIT.cast_signed()).cast_signed());
            // Masked bits stay inside their byte, so shifting pairs of bytes is right.
            let moved = if BIT <= 4 {
                _mm512_sll_epi16(bits, count)
            } else {
                _mm512_srl_epi16(bits, count)
            };
            _mm512_or_si512(a, moved)
        }
    }

    #[inline(always)]
    fn dot(sum: Self::Ints, weights: Self::Bytes, x: [i8; 4]) -> Self::Ints {
        let x = i32::from_le_bytes([
            x[0].cast_unsigned(),
            x[1].cast_unsigned(),
            x[2].cast_unsigned(),
            x[3].cast_unsigned(),
        ]);
        unsafe { _mm512_dpbusd_epi32(sum, weights, _mm512_set1_epi32(x)) }
    }

    #[inline(always)]
    fn prefetch(from: &[u8], ahead: usize) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.as_ptr().wrapping_add(ahead).cast()) }
    }
}
