//! Kernels against candle's dequantised weights, and against themselves in every other form.

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};

use comity_protocol::id::Digest;

use super::{Activations, Compute, InstructionSet, Weights};
use crate::gguf::GgmlType;

pub(super) const KINDS: [GgmlDType; 11] = [
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
fn matrix(kind: GgmlDType, inputs: usize, outputs: usize) -> (Weights, Vec<f32>) {
    let source = values(inputs * outputs, 7);
    let source = Tensor::from_vec(source, (outputs, inputs), &Device::Cpu).unwrap();
    let quantised = QTensor::quantize(&source, kind).unwrap();
    let floats = quantised.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap();
    let bytes = quantised.data().unwrap();
    (
        Weights::new(GgmlType::from_candle(kind), (inputs, outputs), &bytes),
        floats.to_vec1().unwrap(),
    )
}

fn product(compute: &Compute, weights: &Weights, x: &[f32], rows: usize) -> Vec<f32> {
    let mut out = Vec::new();
    compute.products(x, rows, &mut Activations::default(), &mut [(weights, &mut out)]);
    out
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn rows_dequantise_as_candle_does() {
    for kind in KINDS {
        // 24 outputs: the second tile is half empty.
        let (weights, expected) = matrix(kind, 512, 24);
        let mut got = Vec::new();
        (0..24).for_each(|index| weights.row(index, &mut got));
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
        let got = product(&Compute::new(1), &weights, &x, rows);
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
    let (inputs, outputs, rows) = (256, 300, 23);
    let x = values(rows * inputs, 11);
    let (one, three) = (Compute::new(1), Compute::new(3));
    for kind in KINDS {
        let (weights, _) = matrix(kind, inputs, outputs);
        let together = product(&three, &weights, &x, rows);
        for row in 0..rows {
            let alone = product(&one, &weights, &x[row * inputs..(row + 1) * inputs], 1);
            let together = &together[row * outputs..(row + 1) * outputs];
            assert_eq!(bits(&alone), bits(together), "{kind:?} row {row}");
        }
    }
}

#[test]
fn every_instruction_set_returns_the_same_bits() {
    let (inputs, rows) = (512, 15);
    let mut x = values(rows * inputs, 5);
    // Rows of every scale, subnormal values and zeros among them.
    for (row, x) in (-7..).zip(x.chunks_exact_mut(inputs)) {
        let factor = if row == 0 { 0.0 } else { 10_f32.powi(if row < -5 { 6 * row } else { row }) };
        x.iter_mut().for_each(|value| *value *= factor);
    }
    for kind in KINDS {
        let (weights, _) = matrix(kind, inputs, 40);
        let run = |set| product(&Compute::new(2).with_set(set), &weights, &x, rows);
        let reference = run(InstructionSet::Portable);
        for set in InstructionSet::available() {
            assert_eq!(bits(&run(set)), bits(&reference), "{kind:?} {set:?}");
        }
    }
}

#[test]
fn matrices_of_one_call_have_the_bytes_of_calls_of_their_own() {
    let x = values(5 * 512, 9);
    let compute = Compute::new(2);
    let matrices: Vec<_> = KINDS.iter().map(|&kind| matrix(kind, 512, 37).0).collect();
    let mut outs = vec![Vec::new(); matrices.len()];
    let mut products: Vec<_> = matrices.iter().zip(&mut outs).collect();
    compute.products(&x, 5, &mut Activations::default(), &mut products);
    for (weights, out) in matrices.iter().zip(&outs) {
        assert_eq!(bits(out), bits(&product(&compute, weights, &x, 5)), "{:?}", weights.kind);
    }
}

#[test]
fn largest_quants_and_activations_do_not_overflow() {
    // Every weight and every activation at its end: the sums' bounds.
    for kind in KINDS {
        let source = Tensor::from_vec(vec![-1.0_f32; 512 * 16], (16, 512), &Device::Cpu).unwrap();
        let quantised = QTensor::quantize(&source, kind).unwrap();
        let floats = quantised.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap();
        let expected: f32 = floats.to_vec1::<f32>().unwrap()[..512].iter().sum::<f32>() * 3.0;
        let bytes = quantised.data().unwrap();
        let weights = Weights::new(GgmlType::from_candle(kind), (512, 16), &bytes);
        for set in InstructionSet::available() {
            let compute = Compute::new(1).with_set(set);
            for value in product(&compute, &weights, &[3.0; 512], 1) {
                assert!((value - expected).abs() < 0.5, "{kind:?} {set:?}: {value} {expected}");
            }
        }
    }
}

#[test]
fn values_that_are_not_finite_come_out_as_such() {
    for set in InstructionSet::available() {
        let compute = Compute::new(1).with_set(set);
        for kind in KINDS {
            let (weights, _) = matrix(kind, 256, 4);
            for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut x = vec![poison; 256];
                let out = product(&compute, &weights, &x, 1);
                assert!(out.iter().all(|value| !value.is_finite()), "{kind:?}");
                x[..255].fill(0.5);
                let out = product(&compute, &weights, &x, 1);
                assert!(out.iter().all(|value| !value.is_finite()), "{kind:?}");
            }
        }
    }
}

#[test]
fn products_change_only_with_the_numeric_class() {
    let compute = Compute::new(2);
    let x = values(3 * 512, 13);
    let mut bytes = Vec::new();
    for kind in KINDS {
        let out = product(&compute, &matrix(kind, 512, 20).0, &x, 3);
        bytes.extend(out.iter().flat_map(|value| value.to_le_bytes()));
    }
    let got = (crate::NUMERIC_CLASS, Digest::of(&bytes).to_string());
    let digest = "5d3410a81e52d0c7228b6b8a4d2ecb795c4fc7733ae2d21c2153d50f4254a723";
    let golden = ("cpu-2/wire-f32/kv-f16", digest.to_owned());
    assert_eq!(got, golden, "other bytes need another class: the mesh compares them");
}
