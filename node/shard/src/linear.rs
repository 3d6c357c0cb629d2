//! The seam between the model and matrix products: rows in, rows out. Nothing above it knows how
//! weights are stored; nothing below it knows what they mean.

use std::sync::Arc;

use candle_core::{
    Device, Module as _, Tensor,
    quantized::{QMatMul, QTensor, ggml_file::qtensor_from_ggml},
};

use crate::{
    gguf::{GgmlType, TensorInfo},
    kernels::Rows,
};

/// A product failed below the seam; with checked shapes only memory can run out.
#[derive(Debug, thiserror::Error)]
#[error("matrix product failed")]
pub struct ComputeError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// A weight matrix `[outputs, inputs]`.
#[derive(Debug)]
pub(crate) struct Linear {
    inputs: usize,
    outputs: usize,
    weights: Weights,
}

#[derive(Debug)]
enum Weights {
    /// Our row-wise kernels: the exact numeric class.
    Rows(Rows),
    /// Candle, for kinds the kernels lack; its results may depend on the other rows of a call.
    Candle { product: QMatMul, tensor: Arc<QTensor>, bytes: u64 },
}

impl Linear {
    /// Takes a tensor `[inputs, outputs]` (GGUF order) with its bytes as in the file.
    pub(crate) fn new(tensor: &TensorInfo, bytes: Vec<u8>) -> Result<Self, ComputeError> {
        let size = |index: usize| {
            let dim = tensor.dims.get(index).copied().unwrap_or(1);
            usize::try_from(dim).map_err(|error| ComputeError(Box::new(error)))
        };
        let (inputs, outputs) = (size(0)?, size(1)?);
        let weights = if Rows::supports(tensor.kind) {
            Weights::Rows(Rows::new(tensor.kind, (inputs, outputs), bytes))
        } else {
            let loaded = candle_tensor(tensor.kind, (inputs, outputs), &bytes)?;
            let product = QMatMul::from_arc(Arc::clone(&loaded)).map_err(compute)?;
            Weights::Candle { product, tensor: loaded, bytes: tensor.bytes }
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
            Weights::Rows(rows) => rows.bytes() as u64,
            Weights::Candle { bytes, .. } => *bytes,
        }
    }

    /// Multiplies `x`: `[rows, inputs]` f32, to `[rows, outputs]` f32.
    pub(crate) fn forward(&self, x: &[f32], rows: usize) -> Result<Vec<f32>, ComputeError> {
        match &self.weights {
            Weights::Rows(weights) => Ok(weights.forward(x, rows)),
            Weights::Candle { product, .. } => {
                let x = Tensor::from_slice(x, (rows, self.inputs), &Device::Cpu);
                let out = x.and_then(|x| product.forward(&x)?.flatten_all()?.to_vec1());
                out.map_err(compute)
            }
        }
    }

    /// Appends row `index` of the weights as f32 to `out`: an embedding look-up.
    pub(crate) fn row(&self, index: usize, out: &mut Vec<f32>) -> Result<(), ComputeError> {
        match &self.weights {
            Weights::Rows(weights) => weights.row(index, out),
            Weights::Candle { tensor, .. } => {
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

fn candle_tensor(
    kind: GgmlType,
    (inputs, outputs): (usize, usize),
    bytes: &[u8],
) -> Result<Arc<QTensor>, ComputeError> {
    let loaded = qtensor_from_ggml(kind.candle(), bytes, vec![outputs, inputs], &Device::Cpu);
    loaded.map(Arc::new).map_err(compute)
}

fn compute(error: candle_core::Error) -> ComputeError {
    ComputeError(Box::new(error))
}
