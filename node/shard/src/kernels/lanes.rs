//! Sixteen virtual lanes: what every kernel is written in. Not the kernels.
//!
//! One source, three forms: plain Rust (the reference), AVX2 and AVX-512. Each operation is defined
//! bit for bit, so the form a machine runs changes speed only.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

pub(crate) use portable::Portable;

/// Lanes of every vector, on every machine.
pub(crate) const LANES: usize = 16;

/// Sixteen f32, sixteen i32, or 64 bytes at a time. Every method is one IEEE or integer operation per
/// lane, so implementations cannot differ.
pub(crate) trait Lanes {
    /// Sixteen f32.
    type Floats: Copy;
    /// Sixteen i32.
    type Ints: Copy;
    /// 64 bytes; lane `i` owns bytes `4 * i..4 * i + 4`.
    type Bytes: Copy;

    /// Whether code for eight rows at a time pays; plain Rust only compiles longer.
    const MANY_SUMS: bool;

    fn splat(value: f32) -> Self::Floats;
    fn load(from: &[f32; LANES]) -> Self::Floats;
    fn store(values: Self::Floats, to: &mut [f32; LANES]);
    /// Sixteen IEEE binary16 as little-endian bytes, widened.
    fn load_half(from: &[u8; 32]) -> Self::Floats;
    /// Rounds to IEEE binary16, nearest, ties to even.
    fn store_half(values: Self::Floats, to: &mut [u8; 32]);
    /// Sixteen bfloat16 as little-endian bytes, widened.
    fn load_bfloat(from: &[u8; 32]) -> Self::Floats;
    /// Sixteen f32 as little-endian bytes.
    fn load_single(from: &[u8; 64]) -> Self::Floats;
    fn add(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a * b + c`, rounded once.
    fn fma(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;

    fn splat_int(value: i32) -> Self::Ints;
    fn add_ints(a: Self::Ints, b: Self::Ints) -> Self::Ints;
    fn times_128(a: Self::Ints) -> Self::Ints;
    /// To the nearest f32, ties to even.
    fn to_floats(a: Self::Ints) -> Self::Floats;

    fn load_bytes(from: &[u8; 64]) -> Self::Bytes;
    /// Each byte's low half.
    fn low_halves(a: Self::Bytes) -> Self::Bytes;
    /// Each byte's high half, shifted down.
    fn high_halves(a: Self::Bytes) -> Self::Bytes;
    /// `a | ((from & mask) moved so that bit `bit` becomes bit 4)`, byte by byte.
    fn with_high_bits<const MASK: u8, const BIT: u32>(
        a: Self::Bytes,
        from: Self::Bytes,
    ) -> Self::Bytes;
    /// Adds to lane `i` of `sum` the products of its four unsigned `weights` with the four signed
    /// bytes of `x`, each of which is -64 to 64.
    fn dot(sum: Self::Ints, weights: Self::Bytes, x: [i8; 4]) -> Self::Ints;

    /// Asks for the cache line `ahead` bytes past the start of `from`, which may lie outside it.
    fn prefetch(from: &[u8], ahead: usize);
}

/// Sum over the lanes, in a fixed tree: halves onto each other until one is left.
#[inline(always)]
pub(crate) fn sum<L: Lanes>(values: L::Floats) -> f32 {
    let mut lanes = [0.0; LANES];
    L::store(values, &mut lanes);
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// A piece of code over lanes, to be compiled for every instruction set.
pub(crate) trait Kernel {
    /// Runs it; implementations are `#[inline(always)]`, else they run without wide instructions.
    fn run<L: Lanes>(self);
}

/// An instruction set; all return the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// Plain Rust.
    Portable,
    /// AVX2 with FMA and F16C.
    Avx2,
    /// AVX-512 F, BW and VNNI.
    Avx512,
}

impl InstructionSet {
    /// All that this machine has, the widest last.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut sets = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            use std::is_x86_feature_detected as has;
            if has!("avx2") && has!("fma") && has!("f16c") {
                sets.push(Self::Avx2);
                if has!("avx512f") && has!("avx512bw") && has!("avx512vnni") {
                    sets.push(Self::Avx512);
                }
            }
        }
        sets
    }

    /// Runs `kernel` compiled for this set, which must be available.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) {
        match self {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls code compiled for CPU features")]
            // SAFETY: a set is taken from `available`, which found its features on this machine.
            Self::Avx2 => unsafe { avx2::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls code compiled for CPU features")]
            // SAFETY: as above.
            Self::Avx512 => unsafe { avx512::run(kernel) },
            _ => kernel.run::<Portable>(),
        }
    }
}

#[cfg(test)]
mod tests;
