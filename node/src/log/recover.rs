//! Reading the log file, and finding its end after a crash. Not writing it.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use comity_protocol::id::Digest;

use super::{
    OpenLogError, Position, RECORD_BYTES_MAX,
    frame::{FILE_HEADER, HEADER_BYTES, Header, MAGIC},
    hashes::Tree,
};

/// Bytes read at a time: a few of the longest frames.
const CHUNK_BYTES: usize = 4 * (HEADER_BYTES + RECORD_BYTES_MAX);
/// Bytes of the file before its first frame.
const FIRST_OFFSET: u64 = FILE_HEADER.len() as u64;

/// One record, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub position: Position,
    /// Where the next frame begins.
    pub next_offset: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The end of a log: what the next record continues.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// Number of the last record; 0 if there is none.
    pub(super) sequence: u64,
    /// Its digest; zeros if there is none.
    pub(super) digest: Digest,
    /// Bytes of whole frames, the file's header included.
    pub(super) offset: u64,
    /// Bytes cut off behind them.
    pub(super) cut_bytes: u64,
}

/// Durable records in order. Ends with an error at the first that is damaged.
#[derive(Debug)]
pub struct Records {
    frames: Frames,
    /// Digest of the record before; unknown at first when reading from the middle.
    digest: Option<Digest>,
    /// Whether the file's end may be a frame that is being written.
    growing: bool,
    failed: bool,
}

impl Records {
    pub(super) fn open(path: &Path, offset: u64, end: u64) -> io::Result<Self> {
        let digest = (offset <= FIRST_OFFSET).then_some(Digest::ZERO);
        let frames = Frames::new(File::open(path)?, offset.max(FIRST_OFFSET), end)?;
        Ok(Self { frames, digest, growing: false, failed: false })
    }

    /// Like [`Self::open`] from the first record, but what is no whole frame ends it without error if
    /// nothing after it proves that it was durable: it may be being written.
    pub(super) fn open_to_last(path: &Path, end: u64) -> io::Result<Self> {
        Ok(Self { growing: true, ..Self::open(path, 0, end)? })
    }

    fn read(&mut self) -> io::Result<Option<Record>> {
        loop {
            let offset = self.frames.offset;
            let Some((header, bytes)) = self.frames.next()? else {
                let torn = self.frames.at_end()
                    || (self.growing
                        && !proves_more(&self.frames.file, offset, self.frames.end())?);
                return if torn { Ok(None) } else { Err(damaged(offset)) };
            };
            if self.digest.is_some_and(|digest| digest != header.previous) {
                return Err(damaged(offset));
            }
            if bytes.is_empty() {
                continue;
            }
            let (sequence, previous, digest) =
                (header.sequence, header.previous, Digest::of(&bytes));
            self.digest = Some(digest);
            let position = Position { sequence, previous, digest, offset };
            return Ok(Some(Record { position, next_offset: self.frames.offset, bytes }));
        }
    }
}

impl Iterator for Records {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let record = self.read().transpose();
        self.failed = matches!(record, Some(Err(_)));
        record
    }
}

fn damaged(offset: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("log record at byte {offset} is damaged"))
}

/// Finds the end of the log in `file`, cuts off what a crash left in part, and syncs. `tree` gets
/// the records.
pub(super) fn recover(file: &mut File, path: &Path, tree: &mut Tree) -> Result<End, OpenLogError> {
    let failed = |source| OpenLogError::Io { path: path.into(), source };
    let length = file.metadata().map_err(failed)?.len();
    let mut header = [0; FILE_HEADER.len()];
    if length >= FIRST_OFFSET {
        file.read_exact(&mut header).map_err(failed)?;
    }
    let mut end = End { sequence: 0, digest: Digest::ZERO, offset: FIRST_OFFSET, cut_bytes: 0 };
    if length <= FIRST_OFFSET && header == [0; FILE_HEADER.len()] {
        // Nothing was acknowledged before the header was durable.
        begin(file).and_then(|()| tree.mended()).map_err(failed)?;
        return Ok(End { cut_bytes: length, ..end });
    }
    if header != *FILE_HEADER {
        return Err(OpenLogError::Foreign { path: path.into() });
    }
    let reader = file.try_clone().map_err(failed)?;
    let mut frames = Frames::new(reader, FIRST_OFFSET, length).map_err(failed)?;
    let mut damaged = false;
    while let Some((header, payload)) = frames.next().map_err(failed)? {
        // A whole frame that does not continue the chain was never torn: it was tampered with.
        damaged = (header.sequence, header.previous) != (end.sequence + 1, end.digest)
            || header.durable > end.offset;
        if damaged {
            break;
        }
        if !payload.is_empty() {
            (end.sequence, end.digest) = (header.sequence, Digest::of(&payload));
            tree.mend(&payload).map_err(failed)?;
        }
        end.offset = frames.offset;
    }
    if damaged || proves_more(file, end.offset, length).map_err(failed)? {
        let End { sequence, offset, .. } = end;
        return Err(OpenLogError::Corrupt { path: path.into(), offset, sequence });
    }
    cut(file, end.offset).and_then(|()| tree.mended()).map_err(failed)?;
    Ok(End { cut_bytes: length - end.offset, ..end })
}

fn begin(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(FILE_HEADER)?;
    file.sync_all()
}

fn cut(file: &mut File, offset: u64) -> io::Result<()> {
    file.set_len(offset)?;
    file.seek(SeekFrom::Start(offset))?;
    file.sync_all()
}

/// Whether a whole frame after `offset` proves that data beyond `offset` was once durable.
fn proves_more(file: &File, offset: u64, length: u64) -> io::Result<bool> {
    let mut frames = Frames::new(file.try_clone()?, offset, length)?;
    while frames.seek_magic()? {
        if let Some((header, _)) = frames.peek()?
            && header.durable > offset
        {
            return Ok(true);
        }
        frames.skip(1);
    }
    Ok(false)
}

/// Frames of a file, up to a given end.
#[derive(Debug)]
struct Frames {
    file: File,
    /// Bytes read and not yet taken; `start` of them are.
    buffer: Vec<u8>,
    start: usize,
    /// Bytes of the file not read yet.
    unread: u64,
    /// Where the next frame begins.
    offset: u64,
}

impl Frames {
    fn new(mut file: File, offset: u64, end: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        let unread = end.saturating_sub(offset);
        Ok(Self { file, buffer: Vec::new(), start: 0, unread, offset })
    }

    /// Where the last byte that it may read ends.
    const fn end(&self) -> u64 {
        self.offset + (self.buffer.len() - self.start) as u64 + self.unread
    }

    fn at_end(&self) -> bool {
        self.unread == 0 && self.start == self.buffer.len()
    }

    /// Takes the frame at the offset; `None`, and nothing is taken, if there is no whole one.
    fn next(&mut self) -> io::Result<Option<(Header, Vec<u8>)>> {
        let Some((header, payload)) = self.peek()? else { return Ok(None) };
        let payload = payload.to_vec();
        self.skip(HEADER_BYTES + payload.len());
        Ok(Some((header, payload)))
    }

    fn peek(&mut self) -> io::Result<Option<(Header, &[u8])>> {
        self.fill()?;
        Ok(Header::decode(&self.buffer[self.start..]))
    }

    /// Moves on to the next magic; false if there is none.
    fn seek_magic(&mut self) -> io::Result<bool> {
        loop {
            self.fill()?;
            let rest = &self.buffer[self.start..];
            if let Some(at) = rest.windows(MAGIC.len()).position(|window| window == MAGIC) {
                self.skip(at);
                return Ok(true);
            }
            if self.unread == 0 {
                return Ok(false);
            }
            // A magic may be cut by the end of what is read.
            self.skip(rest.len().saturating_sub(MAGIC.len() - 1));
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads on until the longest frame would fit, or to the end.
    fn fill(&mut self) -> io::Result<()> {
        let wanted = HEADER_BYTES + RECORD_BYTES_MAX;
        if self.buffer.len() - self.start >= wanted || self.unread == 0 {
            return Ok(());
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let room = (CHUNK_BYTES - self.buffer.len()) as u64;
        let chunk = self.unread.min(room);
        (&mut self.file).take(chunk).read_to_end(&mut self.buffer)?;
        self.unread -= chunk;
        Ok(())
    }
}
