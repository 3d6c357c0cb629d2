//! Conversion of 16-bit floats by plain integer and float operations, the same on every machine.

/// IEEE binary16 to f32, exact.
#[inline(always)]
pub(crate) fn f16(bits: u16) -> f32 {
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * REBIAS;
    let sign = u32::from(bits & 0x8000) << 16;
    let special = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(magnitude.to_bits() | special | sign)
}

/// The binary16 at `bytes[at..at + 2]`.
#[inline(always)]
pub(crate) fn f16_at(bytes: &[u8], at: usize) -> f32 {
    f16(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

/// f32 to IEEE binary16: nearest, ties to even, too large to infinity.
#[inline(always)]
pub(crate) fn to_f16(value: f32) -> u16 {
    // 2^(-24) of the smallest subnormal, and the f32 whose last place is as wide.
    const SUBNORMAL: f32 = 0.5;
    const LIMIT: u32 = (127 + 16) << 23;
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    let half = if magnitude > 0x7f80_0000 {
        0x7e00 | (magnitude >> 13) & 0x3ff
    } else if magnitude >= LIMIT {
        0x7c00
    } else if magnitude < (127 - 14) << 23 {
        // Adding one half lines its last place up with the smallest subnormal and rounds.
        (f32::from_bits(magnitude) + SUBNORMAL).to_bits() - SUBNORMAL.to_bits()
    } else {
        let odd = (magnitude >> 13) & 1;
        (magnitude - ((127 - 15) << 23) + 0xfff + odd) >> 13
    };
    #[expect(clippy::cast_possible_truncation, reason = "15 bits in every branch")]
    let half = half as u16;
    sign | half
}

/// bfloat16 to f32, exact.
#[inline(always)]
pub(crate) fn bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}
