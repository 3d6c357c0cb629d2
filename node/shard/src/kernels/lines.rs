//! Bytes aligned to cache lines. Not what they mean.

/// One cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A fixed run of zeroed, line-aligned bytes.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Vec<Line>);

impl Lines {
    /// `bytes` zeros, rounded up to whole lines.
    pub(crate) fn zeroed(bytes: usize) -> Self {
        Self(vec![Line([0; 64]); bytes.div_ceil(64)])
    }

    /// Bytes held.
    pub(crate) const fn len(&self) -> usize {
        self.0.len() * 64
    }

    #[inline(always)]
    pub(crate) const fn bytes(&self) -> &[u8] {
        #[expect(unsafe_code, reason = "a slice of byte arrays as a slice of bytes")]
        // SAFETY: `Line` is 64 bytes without padding; length and lifetime are the vector's.
        unsafe {
            std::slice::from_raw_parts(self.0.as_ptr().cast(), self.len())
        }
    }

    #[inline(always)]
    pub(crate) const fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len();
        #[expect(unsafe_code, reason = "a slice of byte arrays as a slice of bytes")]
        // SAFETY: as above, and the borrow is exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), len)
        }
    }
}
