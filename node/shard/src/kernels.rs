//! Row-wise products of quantised weights with f32 rows. Not a general matrix library.
//!
//! Every output element is computed alone: integer sums per group of weights are exact, the f32 sum
//! over groups runs in ascending order over eight virtual lanes with fused multiply-add and a fixed
//! reduction. So neither the other rows of a call, nor the thread count, nor the instruction set
//! changes a bit. Activations are rounded to 14 bits per 32 elements,
//! where ggml rounds to 8.

mod activations;
mod dot;
mod half;
mod unpack;

use rayon::prelude::*;

use activations::Activations;
use dot::{Dot, Portable};
use unpack::Row;

pub(crate) use dot::floats;

use crate::gguf::GgmlType;

/// Multiply-adds below which a product runs on the calling thread: waking the pool costs about as
/// much as 10 us of work. Changes speed only.
const PARALLEL_MIN: usize = 1 << 18;
/// Output rows of one parallel task: enough to amortise the task, few enough to share evenly.
const TASK_ROWS: usize = 48;

/// Runs a function with the widest instruction set the machine has; results are the same bits.
macro_rules! wide {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $kind:ty),* $(,)?) = $body:ident) => {
        $(#[$doc])*
        pub(crate) fn $name($($arg: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            if $crate::kernels::has_avx2() {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($arg: $kind),*) {
                    $body($($arg),*);
                }
                // SAFETY: `has_avx2` just found both features on this machine.
                #[expect(unsafe_code, reason = "calls code compiled for detected CPU features")]
                unsafe {
                    wide($($arg),*);
                }
                return;
            }
            $body($($arg),*);
        }
    };
}
pub(crate) use wide;

/// Whether the machine has AVX2 and FMA; the answer is cached by the standard library.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma")
}

/// A weight matrix `[outputs, inputs]` as it stands in the file.
#[derive(Debug)]
pub(crate) struct Rows {
    kind: GgmlType,
    inputs: usize,
    outputs: usize,
    bytes: Vec<u8>,
}

/// What one parallel task reads.
struct Job<'a> {
    weights: &'a Rows,
    x: &'a [f32],
    quantised: Option<&'a Activations>,
    rows: usize,
}

impl Rows {
    /// Whether this module has a kernel for `kind`.
    pub(crate) const fn supports(kind: GgmlType) -> bool {
        !matches!(kind, GgmlType::Q2K | GgmlType::Q3K)
    }

    /// A matrix of `kind` with `bytes` as in the file; `bytes` must have the matrix's exact size.
    pub(crate) const fn new(
        kind: GgmlType,
        (inputs, outputs): (usize, usize),
        bytes: Vec<u8>,
    ) -> Self {
        Self { kind, inputs, outputs, bytes }
    }

    /// Resident bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Multiplies `x`: `[rows, inputs]` to `[rows, outputs]`.
    pub(crate) fn forward(&self, x: &[f32], rows: usize) -> Vec<f32> {
        debug_assert_eq!(x.len(), rows * self.inputs, "the caller passes whole rows");
        let quantised = unpack::is_quantised(self.kind).then(|| Activations::new(x, self.inputs));
        let job = Job { weights: self, x, quantised: quantised.as_ref(), rows };
        // `[outputs, rows]`: each task owns whole columns of the result.
        let mut columns = vec![0.0; self.outputs * rows];
        let work = rows * self.inputs * self.outputs;
        if work < PARALLEL_MIN {
            run(&job, 0, &mut columns);
        } else {
            let tasks = columns.par_chunks_mut(TASK_ROWS * rows).enumerate();
            tasks.for_each(|(task, out)| run(&job, task * TASK_ROWS, out));
        }
        if rows == 1 { columns } else { transpose(&columns, rows) }
    }

    /// Row `index` as f32, into `out`: `[inputs]`.
    pub(crate) fn row(&self, index: usize, out: &mut Vec<f32>) {
        let mut row = Row::new(self.inputs);
        unpack::unpack(self.kind, self.row_bytes(index), &mut row);
        row.append_floats(self.kind, out);
    }

    fn row_bytes(&self, index: usize) -> &[u8] {
        let size = self.bytes.len() / self.outputs;
        &self.bytes[index * size..(index + 1) * size]
    }
}

/// Computes output rows from `first` on for every input row: `out` is `[outputs here, rows]`.
fn run(job: &Job<'_>, first: usize, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        #[target_feature(enable = "avx2,fma")]
        fn wide(job: &Job<'_>, first: usize, out: &mut [f32]) {
            run_with::<dot::Avx2>(job, first, out);
        }
        // SAFETY: `has_avx2` just found both features on this machine.
        #[expect(unsafe_code, reason = "calls code compiled for detected CPU features")]
        unsafe {
            wide(job, first, out);
        }
        return;
    }
    run_with::<Portable>(job, first, out);
}

#[inline(always)]
fn run_with<D: Dot>(job: &Job<'_>, first: usize, out: &mut [f32]) {
    let weights = job.weights;
    let mut row = Row::new(weights.inputs);
    for (index, out) in out.chunks_exact_mut(job.rows).enumerate() {
        unpack::unpack(weights.kind, weights.row_bytes(first + index), &mut row);
        let Some(x) = job.quantised else {
            for (out, x) in out.iter_mut().zip(job.x.chunks_exact(weights.inputs)) {
                *out = D::floats(&row.floats, x);
            }
            continue;
        };
        let narrow = unpack::has_groups_of_16(weights.kind);
        let with_minimums = unpack::has_minimums(weights.kind);
        for (position, out) in out.iter_mut().enumerate() {
            let x = x.row(position);
            *out = if narrow {
                D::groups::<16>(&row.quants, &row.scales, x)
            } else {
                D::groups::<32>(&row.quants, &row.scales, x)
            };
            if with_minimums {
                *out += D::floats(&row.minimums, x.sums);
            }
        }
    }
}

/// `[outputs, rows]` to `[rows, outputs]`.
fn transpose(columns: &[f32], rows: usize) -> Vec<f32> {
    let outputs = columns.len() / rows;
    let mut out = vec![0.0; columns.len()];
    for (output, column) in columns.chunks_exact(rows).enumerate() {
        for (row, &value) in column.iter().enumerate() {
            out[row * outputs + output] = value;
        }
    }
    out
}

#[cfg(test)]
mod tests;
