//! Memory for tensors: aligned to a cache line, and kept for reuse, because the pages of a fresh large allocation cost
//! more than many of the operations that fill it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytemuck::{Pod, Zeroable};

/// A cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes on the heap, aligned to 64.
pub struct Buffer {
    lines: Vec<Line>,
}

/// Whether a new buffer's bytes matter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// All zero.
    Zero,
    /// Whatever was there: the caller writes every element.
    Any,
}

impl Buffer {
    /// A buffer of at least `bytes`; `None` where the system has no memory.
    pub fn new(bytes: usize, fill: Fill) -> Option<Buffer> {
        let count = bytes.div_ceil(64);
        if let Some(mut lines) = SHELF.take(count) {
            if fill == Fill::Zero {
                bytemuck::fill_zeroes(&mut lines);
            }
            return Some(Buffer { lines });
        }
        let fresh = || bytemuck::allocation::try_zeroed_vec(count).ok();
        // Where the system has no more, the shelf still may.
        let lines = fresh().or_else(|| (release_pool() > 0).then(fresh).flatten())?;
        SHELF.lend(count);
        Some(Buffer { lines })
    }

    /// Its first `count` elements.
    pub fn elements<T: Pod>(&self, count: usize) -> &[T] {
        &bytemuck::cast_slice(&self.lines)[..count]
    }

    /// Its first `count` elements, for writing.
    pub fn elements_mut<T: Pod>(&mut self, count: usize) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..count]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        SHELF.put(std::mem::take(&mut self.lines));
    }
}

/// Bytes that lie ready for reuse. They are nobody's: no account counts them.
pub fn pooled_bytes() -> usize {
    SHELF.with(|shelves| shelves.lines * 64)
}

/// Gives the bytes that lie ready for reuse back to the system, and says how many there were.
pub fn release_pool() -> usize {
    SHELF.with(Shelves::clear) * 64
}

/// Freed buffers by size. Training asks for the same sizes in every step.
struct Shelf {
    inner: Mutex<Option<Shelves>>,
}

#[derive(Default)]
struct Shelves {
    by_count: HashMap<usize, Vec<Vec<Line>>>,
    /// Lines that lie here.
    lines: usize,
    /// Lines that are in use, in buffers that will come here.
    lent: usize,
}

/// Smaller buffers are left to the system's allocator, which reuses them itself.
const SMALLEST_KEPT: usize = (128 << 10) / 64;
/// The most that lies on the shelf, unless more is in use: a large model's step frees as much as it will ask for again.
const MOST_KEPT: usize = (384 << 20) / 64;

static SHELF: Shelf = Shelf { inner: Mutex::new(None) };

impl Shelf {
    fn with<R>(&self, f: impl FnOnce(&mut Shelves) -> R) -> R {
        f(self.inner.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
    }

    fn take(&self, count: usize) -> Option<Vec<Line>> {
        if count < SMALLEST_KEPT {
            return None;
        }
        self.with(|shelves| {
            let lines = shelves.by_count.get_mut(&count)?.pop()?;
            shelves.lines -= count;
            shelves.lent += count;
            Some(lines)
        })
    }

    fn lend(&self, count: usize) {
        if count >= SMALLEST_KEPT {
            self.with(|shelves| shelves.lent += count);
        }
    }

    fn put(&self, lines: Vec<Line>) {
        let count = lines.len();
        if count < SMALLEST_KEPT {
            return;
        }
        let dropped = self.with(|shelves| {
            shelves.lent -= count;
            let most = MOST_KEPT.max(shelves.lent);
            if count > most / 2 {
                return Some(lines);
            }
            if shelves.lines + count > most {
                // Sizes have changed (another model, another batch): start again.
                shelves.clear();
            }
            shelves.lines += count;
            shelves.by_count.entry(count).or_default().push(lines);
            None
        });
        drop(dropped);
    }
}

impl Shelves {
    /// Empties the shelf; returns the lines that lay there.
    fn clear(&mut self) -> usize {
        self.by_count.clear();
        std::mem::take(&mut self.lines)
    }
}
