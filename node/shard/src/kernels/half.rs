//! Conversion from 16-bit floats by plain integer and float operations, the same on every machine.

/// IEEE binary16 to f32, exact; infinities and NaN become NaN, which callers then refuse.
#[inline(always)]
pub(super) fn f16(bits: u16) -> f32 {
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * REBIAS;
    let sign = u32::from(bits & 0x8000) << 16;
    let value = f32::from_bits(magnitude.to_bits() | sign);
    if bits & 0x7c00 == 0x7c00 { f32::NAN } else { value }
}

/// The binary16 at `bytes[at..at + 2]`.
#[inline(always)]
pub(super) fn f16_at(bytes: &[u8], at: usize) -> f32 {
    f16(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

/// bfloat16 to f32, exact.
#[inline(always)]
pub(super) fn bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}
