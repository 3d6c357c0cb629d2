//! Inner products over eight virtual lanes: once in plain Rust, once in AVX2, the same bits.

use super::activations::ActivationRow;

/// Virtual lanes of every f32 sum; the portable and the AVX2 form share them.
const LANES: usize = 8;

/// A way to compute inner products. All implementations return the same bits.
pub(super) trait Dot {
    /// Sum of `scales[g] * x.scales * (quants · x.quants)` over groups of `GROUP` (16 or 32).
    fn groups<const GROUP: usize>(quants: &[i8], scales: &[f32], x: ActivationRow<'_>) -> f32;

    /// `left · right`; lane `i % 8` takes element `i`.
    fn floats(left: &[f32], right: &[f32]) -> f32;
}

/// Plain Rust.
pub(super) struct Portable;

impl Dot for Portable {
    #[inline(always)]
    fn groups<const GROUP: usize>(quants: &[i8], scales: &[f32], x: ActivationRow<'_>) -> f32 {
        let mut lanes = [0.0_f32; LANES];
        let groups = quants.chunks_exact(GROUP).zip(x.quants.chunks_exact(GROUP)).zip(scales);
        for (index, ((quants, xs), scale)) in groups.enumerate() {
            let scale = scale * x.scales[index * GROUP / 32];
            // Lane l sums elements 2l and 2l + 1 of each sixteen, as `vpmaddwd` does.
            for (lane, sum) in lanes.iter_mut().enumerate() {
                let mut exact = 0_i32;
                for start in (0..GROUP).step_by(16) {
                    let at = start + 2 * lane;
                    exact += i32::from(quants[at]) * i32::from(xs[at]);
                    exact += i32::from(quants[at + 1]) * i32::from(xs[at + 1]);
                }
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "at most 4 * 128 * 8,191, below 2^24"
                )]
                let exact = exact as f32;
                *sum = scale.mul_add(exact, *sum);
            }
        }
        reduce(lanes)
    }

    #[inline(always)]
    fn floats(left: &[f32], right: &[f32]) -> f32 {
        floats(left, right)
    }
}

/// `left · right` over eight lanes; vectorised by the compiler where the caller's features allow.
#[inline(always)]
pub(crate) fn floats(left: &[f32], right: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            lanes[lane] = left[lane].mul_add(right[lane], lanes[lane]);
        }
    }
    for (lane, (left, right)) in left_rest.iter().zip(right_rest).enumerate() {
        lanes[lane] = left.mul_add(*right, lanes[lane]);
    }
    reduce(lanes)
}

/// The fixed tree every sum ends in.
#[inline(always)]
fn reduce(lanes: [f32; LANES]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    //! The AVX2 form. Only called from code compiled for AVX2 and FMA.
    #![expect(unsafe_code, reason = "vector loads and calls into code for detected features")]

    use std::arch::x86_64::{
        __m128i, __m256, __m256i, _mm_loadu_si128, _mm256_add_epi32, _mm256_cvtepi8_epi16,
        _mm256_cvtepi32_ps, _mm256_fmadd_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_ps,
        _mm256_setzero_ps, _mm256_storeu_ps,
    };

    use super::{ActivationRow, Dot, LANES, floats, reduce};

    /// AVX2 with FMA; used only where `has_avx2` said yes.
    pub(in crate::kernels) struct Avx2;

    impl Dot for Avx2 {
        #[inline(always)]
        fn groups<const GROUP: usize>(quants: &[i8], scales: &[f32], x: ActivationRow<'_>) -> f32 {
            // SAFETY: `run` reaches this type only after `has_avx2` found both features.
            unsafe { groups::<GROUP>(quants, scales, x) }
        }

        #[inline(always)]
        fn floats(left: &[f32], right: &[f32]) -> f32 {
            floats(left, right)
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn groups<const GROUP: usize>(quants: &[i8], scales: &[f32], x: ActivationRow<'_>) -> f32 {
        let mut lanes = _mm256_setzero_ps();
        let (quants, _) = quants.as_chunks::<32>();
        let (inputs, _) = x.quants.as_chunks::<32>();
        let blocks = quants.iter().zip(inputs).zip(x.scales);
        if GROUP == 32 {
            for (((quants, inputs), input_scale), scale) in blocks.zip(scales) {
                let (low, high) = products(quants, inputs);
                lanes = add(lanes, _mm256_add_epi32(low, high), scale * input_scale);
            }
        } else {
            let (scales, _) = scales.as_chunks::<2>();
            for (((quants, inputs), input_scale), scales) in blocks.zip(scales) {
                let (low, high) = products(quants, inputs);
                lanes = add(lanes, low, scales[0] * input_scale);
                lanes = add(lanes, high, scales[1] * input_scale);
            }
        }
        let mut out = [0.0; LANES];
        // SAFETY: `out` has room for the eight floats stored.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), lanes) };
        reduce(out)
    }

    /// Pairwise sums of the products of the first and of the second sixteen elements.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn products(quants: &[i8; 32], inputs: &[i16; 32]) -> (__m256i, __m256i) {
        // SAFETY: each load reads 32 of the 64 bytes the reference covers.
        let inputs = unsafe {
            let start = inputs.as_ptr().cast::<__m256i>();
            (_mm256_loadu_si256(start), _mm256_loadu_si256(start.add(1)))
        };
        let quants = widen(quants);
        (_mm256_madd_epi16(quants.0, inputs.0), _mm256_madd_epi16(quants.1, inputs.1))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn widen(bytes: &[i8; 32]) -> (__m256i, __m256i) {
        // SAFETY: both loads read 16 of the 32 bytes the reference covers.
        let (low, high) = unsafe {
            let start = bytes.as_ptr().cast::<__m128i>();
            (_mm_loadu_si128(start), _mm_loadu_si128(start.add(1)))
        };
        (_mm256_cvtepi8_epi16(low), _mm256_cvtepi8_epi16(high))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn add(lanes: __m256, exact: __m256i, scale: f32) -> __m256 {
        _mm256_fmadd_ps(_mm256_set1_ps(scale), _mm256_cvtepi32_ps(exact), lanes)
    }
}
