//! Our elementary functions against the standard library's.

use super::{exp, power, sin_cos, tanh};

#[test]
fn exp_is_within_three_units_in_the_last_place() {
    for step in -87_000..88_700_i32 {
        let x = step as f32 / 1_000.0;
        let expected = f64::from(x).exp();
        let error = (f64::from(exp(x)) - expected).abs() / expected;
        assert!(error < 3.6e-7, "exp({x}) = {} differs by {error:e}", exp(x));
    }
}

#[test]
fn exp_saturates_and_keeps_nan() {
    assert_eq!(exp(-1_000.0), 0.0);
    assert_eq!(exp(f32::NEG_INFINITY), 0.0);
    assert_eq!(exp(1_000.0), f32::INFINITY);
    assert!(exp(f32::NAN).is_nan());
    assert_eq!(exp(0.0), 1.0);
}

#[test]
fn tanh_is_close_and_odd() {
    for step in -12_000..12_000_i32 {
        let x = step as f32 / 1_000.0;
        let error = (f64::from(tanh(x)) - f64::from(x).tanh()).abs();
        assert!(error < 3e-7, "tanh({x}) differs by {error:e}");
        assert_eq!(tanh(-x), -tanh(x));
    }
}

#[test]
fn sines_and_powers_agree_with_the_standard_library() {
    for base in [10_000.0, 50_000.0, 1_000_000.0] {
        for i in 0..128 {
            let exponent = -2.0 * f64::from(i) / 256.0;
            let (got, expected) = (power(base, exponent), f64::powf(base, exponent));
            assert!((got - expected).abs() < 1e-13 * expected, "{base}^{exponent}");
        }
    }
    for step in 0..200_000 {
        let angle = f64::from(step) * 0.737;
        let (sine, cosine) = sin_cos(angle);
        assert!((sine - angle.sin()).abs() < 1e-9, "sin({angle})");
        assert!((cosine - angle.cos()).abs() < 1e-9, "cos({angle})");
    }
}
