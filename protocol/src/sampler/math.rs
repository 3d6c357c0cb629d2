//! Logarithm and exponential that give the same bytes on every machine. Not libm: additions,
//! multiplications, divisions and bit operations in `f64` alone, each rounded as written.
//!
//! Source: `ln` is the series of `2·atanh(s)`, `exp` Taylor's around 0, both after the usual
//! reduction by powers of two; ln 2 is split in two so that `k·LN2_HIGH` is exact for |k| < 2^20.

/// The upper 33 bits of ln 2.
const LN2_HIGH: f64 = f64::from_bits(0x3FE6_2E42_FEE0_0000);
/// ln 2 − [`LN2_HIGH`].
const LN2_LOW: f64 = f64::from_bits(0x3DEA_39EF_3579_3C76);
/// 1 / ln 2.
const LN2_INVERSE: f64 = f64::from_bits(0x3FF7_1547_652B_82FE);
/// The bits of a `f64` that are its mantissa.
const MANTISSA: u64 = (1 << 52) - 1;
/// The bits of √2's mantissa, where the reduction of `ln` halves once more.
const SQRT2_MANTISSA: u64 = 0x6_A09E_667F_3BCD;
/// Odd terms of the series of atanh, s³ to s²³: the next is below 2^-64 of the sum.
const ATANH_TERMS: u32 = 11;
/// Terms of Taylor's series, up to x¹⁴: the next is below 2^-63 of the sum.
const EXP_TERMS: u32 = 14;

/// Natural logarithm of a positive, normal number; the error is below 2 units in the last place.
pub(super) fn ln(x: f64) -> f64 {
    debug_assert!(x.is_normal() && x > 0.0, "ln of a positive, normal number");
    let bits = x.to_bits();
    let mantissa = bits & MANTISSA;
    let halve = u64::from(mantissa >= SQRT2_MANTISSA);
    #[expect(clippy::cast_precision_loss, reason = "an exponent of 11 bits is exact")]
    let k = ((bits >> 52) + halve) as f64 - 1_023.0;
    // x = 2^k · m with √½ ≤ m < √2, and m − 1 is exact.
    let f = f64::from_bits(mantissa | ((1_023 - halve) << 52)) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let mut sum = 0.0;
    for term in (1..=ATANH_TERMS).rev() {
        sum = z * (sum + 1.0 / f64::from(2 * term + 1));
    }
    // ln m = 2s + 2s·sum = f − s·f + 2s·sum, the last form losing least.
    k * LN2_HIGH + (f - (s * (f - 2.0 * sum) - k * LN2_LOW))
}

/// Exponential of a number from −700 to 0; the error is below 2 units in the last place.
pub(super) fn exp(x: f64) -> f64 {
    debug_assert!((-700.0..=0.0).contains(&x), "exp of a number from -700 to 0");
    #[expect(clippy::cast_possible_truncation, reason = "at most 1,011 in size; rounds to nearest")]
    let k = (x * LN2_INVERSE - 0.5) as i32;
    let r = (x - f64::from(k) * LN2_HIGH) - f64::from(k) * LN2_LOW;
    let mut sum = 1.0;
    for term in (1..=EXP_TERMS).rev() {
        sum = 1.0 + r * sum / f64::from(term);
    }
    #[expect(clippy::cast_sign_loss, reason = "k is above -1,023")]
    let scale = f64::from_bits(((1_023 + i64::from(k)) as u64) << 52);
    sum * scale
}
