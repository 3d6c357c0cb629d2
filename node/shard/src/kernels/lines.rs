//! Bytes aligned to cache lines. Not what they mean.

use std::sync::Arc;

use memmap2::MmapMut;

/// Bytes after which weights are worth a chunk: what loading takes beside them.
pub(crate) const CHUNK_BYTES: u64 = 8 << 20;
/// Bytes of a huge page on the machines that have a kernel for them; below it nothing is gained.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// One cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A fixed run of line-aligned bytes.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Memory);

#[derive(Debug, Clone)]
enum Memory {
    Own(Vec<Line>),
    /// Some bytes of a chunk, which nobody writes to any more.
    Chunk {
        chunk: Arc<MmapMut>,
        from: usize,
        len: usize,
    },
}

impl Lines {
    /// `bytes` zeros, rounded up to whole lines.
    pub(crate) fn zeroed(bytes: usize) -> Self {
        Self(Memory::Own(vec![Line([0; 64]); bytes.div_ceil(64)]))
    }

    /// Bytes held.
    pub(crate) const fn len(&self) -> usize {
        match &self.0 {
            Memory::Own(lines) => lines.len() * 64,
            Memory::Chunk { len, .. } => *len,
        }
    }

    #[inline(always)]
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.0 {
            #[expect(unsafe_code, reason = "a slice of byte arrays as a slice of bytes")]
            // SAFETY: `Line` is 64 bytes without padding; length and lifetime are the vector's.
            Memory::Own(lines) => unsafe {
                std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 64)
            },
            Memory::Chunk { chunk, from, len } => &chunk[*from..*from + *len],
        }
    }

    /// The bytes to write to; those of a chunk are copied first.
    #[inline(always)]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        if let Memory::Chunk { .. } = &self.0 {
            let mut own = Self::zeroed(self.len());
            own.bytes_mut().copy_from_slice(self.bytes());
            *self = own;
        }
        let Memory::Own(lines) = &mut self.0 else { return &mut [] };
        #[expect(unsafe_code, reason = "a slice of byte arrays as a slice of bytes")]
        // SAFETY: as above, and the borrow is exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 64)
        }
    }
}

/// Moves what is read again and again into a chunk that the system is asked to map in huge pages:
/// reading all weights for one token walks through tens of thousands of small ones. Where the system
/// has none to give, only speed differs.
pub(crate) fn settle<'a>(all: impl IntoIterator<Item = &'a mut Lines>) {
    let group: Vec<_> = all.into_iter().collect();
    let size = group.iter().map(|lines| lines.len()).sum();
    let chunk = (size >= HUGE_PAGE_BYTES).then(|| MmapMut::map_anon(size));
    let Some(Ok(mut chunk)) = chunk else { return };
    // Before the first write, which maps the pages. A system that refuses maps small ones.
    #[cfg(target_os = "linux")]
    let _ = chunk.advise(memmap2::Advice::HugePage);
    let mut rest = &mut chunk[..];
    for lines in &group {
        let (place, after) = rest.split_at_mut(lines.len());
        place.copy_from_slice(lines.bytes());
        rest = after;
    }
    let (chunk, mut from) = (Arc::new(chunk), 0);
    for lines in group {
        let len = lines.len();
        *lines = Lines(Memory::Chunk { chunk: chunk.clone(), from, len });
        from += len;
    }
}

#[cfg(test)]
mod tests;
