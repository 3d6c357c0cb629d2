//! Kernels against candle's dequantised weights, and against themselves in another shape.

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};

use super::{Activations, Dot, Portable, Rows, unpack};
use crate::gguf::GgmlType;

const KINDS: [GgmlDType; 11] = [
    GgmlDType::F32,
    GgmlDType::F16,
    GgmlDType::BF16,
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
];

/// Repeatable values in about `[-1, 1]`, unlike from row to row.
fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A matrix of `kind` and its values as candle dequantises them.
fn matrix(kind: GgmlDType, inputs: usize, outputs: usize) -> (Rows, Vec<f32>) {
    let source = values(inputs * outputs, 7);
    let source = Tensor::from_vec(source, (outputs, inputs), &Device::Cpu).unwrap();
    let quantised = QTensor::quantize(&source, kind).unwrap();
    let floats = quantised.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap();
    let bytes = quantised.data().unwrap().into_owned();
    (Rows::new(GgmlType::from_candle(kind), (inputs, outputs), bytes), floats.to_vec1().unwrap())
}

#[test]
fn rows_dequantise_as_candle_does() {
    for kind in KINDS {
        let (rows, expected) = matrix(kind, 512, 24);
        let mut got = Vec::new();
        (0..24).for_each(|index| rows.row(index, &mut got));
        for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert!((got - expected).abs() < 1e-6, "{kind:?} at {index}: {got} {expected}");
        }
    }
}

#[test]
fn products_are_those_of_the_dequantised_weights() {
    let (inputs, outputs, rows) = (512, 24, 3);
    let x = values(rows * inputs, 3);
    for kind in KINDS {
        let (weights, floats) = matrix(kind, inputs, outputs);
        let got = weights.forward(&x, rows);
        for (index, got) in got.iter().enumerate() {
            let (row, output) = (index / outputs, index % outputs);
            let x = &x[row * inputs..(row + 1) * inputs];
            let weights = &floats[output * inputs..(output + 1) * inputs];
            let expected: f64 =
                x.iter().zip(weights).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            // 14-bit activations: 512 products err by up to half a step of 1/8191 each, together
            // by 0.0005 (one standard deviation).
            assert!((f64::from(*got) - expected).abs() < 0.0025, "{kind:?}: {got} {expected}");
        }
    }
}

#[test]
fn a_row_has_the_same_bytes_alone_and_in_a_large_parallel_batch() {
    let (inputs, outputs, rows) = (256, 300, 17);
    let x = values(rows * inputs, 11);
    for kind in KINDS {
        let (weights, _) = matrix(kind, inputs, outputs);
        let together = weights.forward(&x, rows);
        for row in 0..rows {
            let alone = weights.forward(&x[row * inputs..(row + 1) * inputs], 1);
            assert_eq!(alone, together[row * outputs..(row + 1) * outputs], "{kind:?} row {row}");
        }
    }
}

#[test]
fn portable_and_vector_code_return_the_same_bits() {
    let inputs = 512;
    let x = values(inputs, 5);
    for kind in KINDS {
        let (weights, _) = matrix(kind, inputs, 16);
        let vector = weights.forward(&x, 1);
        let quantised =
            unpack::is_quantised(weights.kind).then(|| Activations::new(&x, weights.inputs));
        let job = super::Job { weights: &weights, x: &x, quantised: quantised.as_ref(), rows: 1 };
        let mut portable = vec![0.0; 16];
        super::run_with::<Portable>(&job, 0, &mut portable);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&portable), bits(&vector), "{kind:?}");
    }
}

#[test]
fn sums_do_not_lose_a_tail_shorter_than_the_lanes() {
    let (left, right) = (values(13, 1), values(13, 2));
    let expected: f32 = left.iter().zip(&right).map(|(left, right)| left * right).sum();
    assert!((Portable::floats(&left, &right) - expected).abs() < 1e-5);
}

#[test]
fn values_that_are_not_finite_come_out_as_such() {
    for kind in KINDS {
        let (weights, _) = matrix(kind, 256, 4);
        for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = vec![poison; 256];
            assert!(weights.forward(&x, 1).iter().all(|value| !value.is_finite()), "{kind:?}");
            x[..255].fill(0.5);
            assert!(weights.forward(&x, 1).iter().all(|value| !value.is_finite()), "{kind:?}");
        }
    }
}
