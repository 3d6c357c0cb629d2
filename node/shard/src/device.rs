//! Where a shard's blocks run, as people write it, and the numeric class of what comes out. Not the
//! computation: `blocks`.

use std::{fmt, str::FromStr};

use crate::{
    NUMERIC_CLASS,
    linear::{self, ComputeError},
};

/// What candle computes on NVIDIA GPUs. Neither it nor [`METAL_CLASS`] is exact: bytes may change
/// with the model of the GPU, the driver, and what else is in a batch.
const CUDA_CLASS: &str = "cuda-1/wire-f32/kv-f16/inexact";
/// What candle computes on Apple's GPUs.
const METAL_CLASS: &str = "metal-1/wire-f32/kv-f16/inexact";

/// Every numeric class this crate computes in, the exact one first.
pub const NUMERIC_CLASSES: [&str; 3] = [NUMERIC_CLASS, CUDA_CLASS, METAL_CLASS];

/// Where blocks run. Written `cpu`, `cuda:0`, `metal:0`, with the number of the GPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// This machine's processors, with the kernels of this crate: the exact numeric class.
    #[default]
    Cpu,
    /// An NVIDIA GPU, with candle; needs feature `cuda`. Never run on hardware.
    Cuda(usize),
    /// An Apple GPU, with candle; needs feature `metal`. Never run on hardware.
    Metal(usize),
}

/// Why a text names no device that this build can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDeviceError {
    /// It names none.
    #[error("device `{text}` is none of `cpu`, `cuda:N` and `metal:N`")]
    Unknown {
        /// The text.
        text: String,
    },
    /// The build lacks what it needs.
    #[error("device `{text}` needs a build with `--features {feature}`")]
    Feature {
        /// The text.
        text: String,
        /// Feature of the crates `comity-node` and `comity-shard`.
        feature: &'static str,
    },
}

impl Device {
    /// Numeric class of what blocks on the device compute.
    #[must_use]
    pub const fn numeric_class(self) -> &'static str {
        match self {
            Self::Cpu => NUMERIC_CLASS,
            Self::Cuda(_) => CUDA_CLASS,
            Self::Metal(_) => METAL_CLASS,
        }
    }

    /// Candle's name for it; `None` for the CPU, where our kernels run.
    pub(crate) fn open(self) -> Result<Option<candle_core::Device>, ComputeError> {
        match self {
            Self::Cpu => Ok(None),
            Self::Cuda(index) => candle_core::Device::new_cuda(index).map(Some),
            Self::Metal(index) => candle_core::Device::new_metal(index).map(Some),
        }
        .map_err(linear::compute)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Metal(index) => write!(f, "metal:{index}"),
        }
    }
}

impl FromStr for Device {
    type Err = ParseDeviceError;

    fn from_str(text: &str) -> Result<Self, ParseDeviceError> {
        if text == "cpu" {
            return Ok(Self::Cpu);
        }
        let unknown = || ParseDeviceError::Unknown { text: text.to_owned() };
        let (family, index) = text.split_once(':').ok_or_else(unknown)?;
        let index = index.parse().map_err(|_| unknown())?;
        let (device, feature, compiled) = match family {
            "cuda" => (Self::Cuda(index), "cuda", cfg!(feature = "cuda")),
            "metal" => (Self::Metal(index), "metal", cfg!(feature = "metal")),
            _ => return Err(unknown()),
        };
        let text = text.to_owned();
        if compiled { Ok(device) } else { Err(ParseDeviceError::Feature { text, feature }) }
    }
}

#[cfg(test)]
mod tests;
