//! The seam between the model and matrix products: rows in, rows out. Nothing above it knows how
//! weights are stored; nothing below it knows what they mean.

use std::sync::Arc;

use candle_core::{
    Device, Module as _, Tensor,
    quantized::{QMatMul, QTensor, ggml_file::qtensor_from_ggml},
};

use crate::{
    gguf::TensorInfo,
    kernels::{Activations, Compute, Lines, Weights},
};

/// A product failed below the seam; with checked shapes only memory can run out.
#[derive(Debug, Clone, thiserror::Error)]
#[error("matrix product failed")]
pub struct ComputeError(#[source] Arc<dyn std::error::Error + Send + Sync>);

/// A weight matrix `[outputs, inputs]`.
#[derive(Debug)]
pub(crate) struct Linear {
    inputs: usize,
    outputs: usize,
    weights: Stored,
}

#[derive(Debug)]
enum Stored {
    /// Our kernels: the exact numeric class.
    Packed(Weights),
    /// Candle, for kinds the kernels lack; its results may depend on the other rows of a call.
    Candle { product: QMatMul, tensor: Arc<QTensor>, bytes: u64 },
}

impl Linear {
    /// Takes a tensor `[inputs, outputs]` (GGUF order) with its bytes as in the file.
    pub(crate) fn new(tensor: &TensorInfo, bytes: &[u8]) -> Result<Self, ComputeError> {
        let (inputs, outputs) = sizes(tensor)?;
        let weights = if Weights::supports(tensor.kind) {
            Stored::Packed(Weights::new(tensor.kind, (inputs, outputs), bytes))
        } else {
            let loaded = candle_tensor(tensor, bytes, &Device::Cpu)?;
            let product = QMatMul::from_arc(Arc::clone(&loaded)).map_err(compute)?;
            Stored::Candle { product, tensor: loaded, bytes: tensor.bytes }
        };
        Ok(Self { inputs, outputs, weights })
    }

    /// Elements of one output row.
    pub(crate) const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Resident bytes of the weights.
    pub(crate) const fn bytes(&self) -> u64 {
        match &self.weights {
            Stored::Packed(weights) => weights.bytes() as u64,
            Stored::Candle { bytes, .. } => *bytes,
        }
    }

    /// Where our kernels' weights are.
    pub(crate) fn lines_mut(&mut self) -> impl Iterator<Item = &mut Lines> {
        let lines = match &mut self.weights {
            Stored::Packed(weights) => Some(weights.lines_mut()),
            Stored::Candle { .. } => None,
        };
        lines.into_iter().flatten()
    }

    /// Appends row `index` of the weights as f32 to `out`: an embedding look-up.
    pub(crate) fn row(&self, index: usize, out: &mut Vec<f32>) -> Result<(), ComputeError> {
        match &self.weights {
            Stored::Packed(weights) => weights.row(index, out),
            Stored::Candle { tensor, .. } => {
                let kind = tensor.dtype();
                let data = tensor.data().map_err(compute)?;
                let size = data.len() / self.outputs;
                let row = &data[index * size..(index + 1) * size];
                let row = qtensor_from_ggml(kind, row, vec![self.inputs], &Device::Cpu);
                let row = row.and_then(|row| row.dequantize(&Device::Cpu)?.to_vec1::<f32>());
                out.extend(row.map_err(compute)?);
            }
        }
        Ok(())
    }
}

/// Multiplies `x`: `[rows, inputs]` f32, with each matrix, to `[rows, outputs]` f32 each; what the
/// matrices share of the work is done once.
pub(crate) fn products<const N: usize>(
    compute: &Compute,
    x: &[f32],
    rows: usize,
    rounded: &mut Activations,
    products: [(&Linear, &mut Vec<f32>); N],
) -> Result<(), ComputeError> {
    let mut packed = Vec::with_capacity(N);
    for (linear, out) in products {
        match &linear.weights {
            Stored::Packed(weights) => packed.push((weights, out)),
            Stored::Candle { product, .. } => {
                let x = Tensor::from_slice(x, (rows, linear.inputs), &Device::Cpu);
                let made = x.and_then(|x| product.forward(&x)?.flatten_all()?.to_vec1());
                *out = made.map_err(self::compute)?;
            }
        }
    }
    if !packed.is_empty() {
        compute.products(x, rows, rounded, &mut packed);
    }
    Ok(())
}

/// Takes a tensor `[inputs, outputs]` (GGUF order) with its bytes as in the file to `device`.
pub(crate) fn candle_tensor(
    tensor: &TensorInfo,
    bytes: &[u8],
    device: &Device,
) -> Result<Arc<QTensor>, ComputeError> {
    let (inputs, outputs) = sizes(tensor)?;
    let loaded = qtensor_from_ggml(tensor.kind.candle(), bytes, vec![outputs, inputs], device);
    loaded.map(Arc::new).map_err(compute)
}

/// Inputs and outputs of a matrix.
fn sizes(tensor: &TensorInfo) -> Result<(usize, usize), ComputeError> {
    let size = |index: usize| {
        let dim = tensor.dims.get(index).copied().unwrap_or(1);
        usize::try_from(dim).map_err(|error| ComputeError(Arc::new(error)))
    };
    Ok((size(0)?, size(1)?))
}

pub(crate) fn compute(error: candle_core::Error) -> ComputeError {
    ComputeError(Arc::new(error))
}
