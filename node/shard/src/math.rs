//! Elementary functions whose results are the same bits on every machine. Not the host's libm.
//!
//! All are plain IEEE operations in a fixed order, so no instruction set changes a bit. Source of
//! the method: range reduction to a power of two (exp, ln) or a quarter turn (sin, cos), then the
//! Taylor or atanh series to below half a unit in the last place of `f32`.

#![expect(clippy::excessive_precision, reason = "constants are written to more than f32 needs")]

/// `e^x`; zero below -87.3, infinity above 88.7. Relative error below 2e-7.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_375;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer without a library call.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-88.0, 88.72);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (clamped - n * LN2_HIGH) - n * LN2_LOW;
    let mut p = 1.0 / 5_040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    // Two factors, because 2^n alone leaves the normal range at both ends.
    // The integer, -127 to 128, stands in the low bits; a cast would check for NaN lane by lane.
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()).cast_signed();
    let half = n >> 1;
    let value = p * power_of_two(half) * power_of_two(n - half);
    if x < -87.3 {
        0.0
    } else if x > 88.7 {
        f32::INFINITY
    } else if x.is_nan() {
        x
    } else {
        value
    }
}

/// `tanh(x)`. Absolute error below 3e-7.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let e = exp(-2.0 * x.abs());
    let magnitude = (1.0 - e) / (1.0 + e);
    if x < 0.0 { -magnitude } else { magnitude }
}

/// `2^n` for `n` from -126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    #[expect(clippy::cast_sign_loss, reason = "the caller keeps n in the exponent's range")]
    let bits = (n.wrapping_add(127) as u32) << 23;
    f32::from_bits(bits)
}

/// `base^exponent` for a positive base. Relative error below 1e-13.
pub(crate) fn power(base: f64, exponent: f64) -> f64 {
    exp_f64(exponent * ln_f64(base))
}

/// Sine and cosine of `angle` radians, `|angle|` below 2^31. Absolute error below 1e-9 there.
pub(crate) fn sin_cos(angle: f64) -> (f64, f64) {
    // Pi / 2 in two parts: the high one has 33 bits, so `turns * HIGH` is exact below 2^20 turns.
    const HIGH: f64 = 1.570_796_326_734_125_6;
    const LOW: f64 = 6.077_100_506_506_192_25e-11;
    let turns = (angle * std::f64::consts::FRAC_2_PI).round();
    let r = (angle - turns * HIGH) - turns * LOW;
    let square = r * r;
    let (mut sine, mut cosine) = (1.0, 1.0);
    for k in (0..9).rev() {
        let even = f64::from(2 * k);
        cosine = 1.0 - square / ((even + 1.0) * (even + 2.0)) * cosine;
        sine = 1.0 - square / ((even + 2.0) * (even + 3.0)) * sine;
    }
    let (sine, cosine) = (sine * r, cosine);
    #[expect(clippy::cast_possible_truncation, reason = "turns is an integer below 2^31")]
    match (turns as i64).rem_euclid(4) {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

fn exp_f64(x: f64) -> f64 {
    const LN2_HIGH: f64 = 0.693_147_180_369_123_816_49;
    const LN2_LOW: f64 = 1.908_214_929_270_587_700_02e-10;
    let n = (x * std::f64::consts::LOG2_E).round().clamp(-1_000.0, 1_000.0);
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let series = (1..=20).rev().fold(1.0, |sum, k| 1.0 + sum * r / f64::from(k));
    #[expect(clippy::cast_possible_truncation, reason = "n is an integer within 1000")]
    #[expect(clippy::cast_sign_loss, reason = "1023 + n is positive")]
    let scale = f64::from_bits(((1_023 + n as i64) as u64) << 52);
    series * scale
}

fn ln_f64(x: f64) -> f64 {
    let bits = x.to_bits();
    #[expect(clippy::cast_possible_wrap, reason = "an exponent has 11 bits")]
    let exponent = ((bits >> 52) & 0x7ff) as i64 - 1_023;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1_023 << 52));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = (0..24).rev().fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    #[expect(clippy::cast_precision_loss, reason = "an exponent has 11 bits")]
    let whole = exponent as f64 * std::f64::consts::LN_2;
    whole + 2.0 * s * series
}

#[cfg(test)]
mod tests;
