//! The ggml element types this crate runs. Not how their bytes are laid out: see `kernels`.

use std::fmt;

use candle_core::quantized::GgmlDType;

/// Element type of a tensor; quantised types store blocks of elements with shared scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are those of the GGUF specification")]
pub enum GgmlType {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
}

/// One row per type: number in the file, elements per block, bytes per block, candle's name.
const TABLE: [(GgmlType, u32, u64, u64, GgmlDType); 13] = [
    (GgmlType::F32, 0, 1, 4, GgmlDType::F32),
    (GgmlType::F16, 1, 1, 2, GgmlDType::F16),
    (GgmlType::Bf16, 30, 1, 2, GgmlDType::BF16),
    (GgmlType::Q4_0, 2, 32, 18, GgmlDType::Q4_0),
    (GgmlType::Q4_1, 3, 32, 20, GgmlDType::Q4_1),
    (GgmlType::Q5_0, 6, 32, 22, GgmlDType::Q5_0),
    (GgmlType::Q5_1, 7, 32, 24, GgmlDType::Q5_1),
    (GgmlType::Q8_0, 8, 32, 34, GgmlDType::Q8_0),
    (GgmlType::Q2K, 10, 256, 84, GgmlDType::Q2K),
    (GgmlType::Q3K, 11, 256, 110, GgmlDType::Q3K),
    (GgmlType::Q4K, 12, 256, 144, GgmlDType::Q4K),
    (GgmlType::Q5K, 13, 256, 176, GgmlDType::Q5K),
    (GgmlType::Q6K, 14, 256, 210, GgmlDType::Q6K),
];

impl GgmlType {
    /// The type with this number in a GGUF file, if this crate runs it.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == number).map(|row| row.0)
    }

    /// Number in a GGUF file.
    #[must_use]
    pub fn number(self) -> u32 {
        self.row().1
    }

    /// Elements of one block.
    #[must_use]
    pub fn block_elements(self) -> u64 {
        self.row().2
    }

    /// Bytes of one block.
    #[must_use]
    pub fn block_bytes(self) -> u64 {
        self.row().3
    }

    /// Bytes of a tensor; `None` if a dimension is zero, rows are no whole blocks, or it overflows.
    #[must_use]
    pub fn tensor_bytes(self, dims: &[u64]) -> Option<u64> {
        let row = *dims.first()?;
        if dims.contains(&0) || !row.is_multiple_of(self.block_elements()) {
            return None;
        }
        let elements = dims.iter().try_fold(1_u64, |product, &dim| product.checked_mul(dim))?;
        (elements / self.block_elements()).checked_mul(self.block_bytes())
    }

    pub(crate) fn candle(self) -> GgmlDType {
        self.row().4
    }

    /// The type candle calls `kind`.
    ///
    /// # Panics
    /// If this crate does not run it; only fixtures ask.
    pub(crate) fn from_candle(kind: GgmlDType) -> Self {
        let row = TABLE.iter().find(|row| row.4 == kind);
        row.expect("fixtures use types the table has").0
    }

    fn row(self) -> &'static (Self, u32, u64, u64, GgmlDType) {
        TABLE.iter().find(|row| row.0 == self).expect("the table has a row for every type")
    }
}

impl fmt::Display for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
