//! The blocked product (Goto and van de Geijn, 2008; Van Zee and van de Geijn, BLIS, 2015): A is packed once, strips
//! of B are packed by the tasks that use them, tiles of C are made in registers.
//!
//! Tasks and blocks depend on the shape alone, and each element of C is summed by one task in the order of k: results
//! are the same bits for any number of threads.

#![expect(unsafe_code, reason = "tasks write disjoint tiles of the shared C")]

use fearless_simd::dispatch;
use rayon::prelude::*;

use super::MatRef;
use super::microkernel::{Kernel, LARGEST_TILE};
use super::pack::{Source, Span, pack_left};
use super::shared::Shared;
use crate::cancel::Cancel;
use crate::cpu::buffer::{Buffer, Fill};
use crate::cpu::pool;
use crate::cpu::simd::Isa;
use crate::error::{Error, Result};

/// Depth of a block: a panel of A (12 × 384) stays in the first-level cache, a block of it in the second.
pub(super) const DEPTH: usize = 384;
/// Columns of a strip of B: 384 × 128 numbers leave room for A in a second-level cache of 512 KiB.
pub(super) const STRIP: usize = 128;
/// Rows of A that are swept for each panel of B.
const BLOCK: usize = 144;
/// The most numbers of A that are packed at once.
const MOST_PACKED: usize = 4 << 20;
/// Tasks that are wanted at least; more would pack the same strips of B again.
const TASKS: usize = 4;

/// `C = alpha·A·B`, plus C when accumulating.
pub(super) struct Product<'a, B> {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) a: MatRef<'a>,
    pub(super) b: &'a B,
    pub(super) alpha: f32,
    pub(super) accumulate: bool,
}

/// A whole stretch of A's rows as panels `[depth block][panel][depth][height]`.
pub(super) struct Left {
    buffer: Buffer,
    panels: usize,
    height: usize,
    k: usize,
}

impl Left {
    /// Packs rows of A on all threads.
    pub(super) fn pack(isa: Isa, a: MatRef<'_>, rows: Span, k: usize, cancel: &Cancel) -> Result<Left> {
        let height = Kernel::of(isa).rows();
        let panels = rows.length.div_ceil(height);
        let mut buffer = numbers(panels * height * k, cancel)?;
        let level = isa.level();
        let block = panels * height * DEPTH;
        let filled: &mut [f32] = buffer.elements_mut(panels * height * k);
        let per_task = (BLOCK / height).max(1);
        let tasks = filled.chunks_mut(block.max(1)).enumerate().flat_map(|(block, filled)| {
            let depth = Span { start: block * DEPTH, length: DEPTH.min(k - block * DEPTH) };
            filled
                .chunks_mut((per_task * height * depth.length).max(1))
                .enumerate()
                .map(move |(n, out)| (n, depth, out))
        });
        let tasks: Vec<_> = tasks.collect();
        pool::run(|| {
            tasks.into_par_iter().try_for_each(|(task, depth, out)| {
                cancel.check()?;
                let first = task * per_task * height;
                let length = (per_task * height).min(rows.length - first);
                let rows = Span { start: rows.start + first, length };
                dispatch!(level, simd => pack_left(simd, a, rows, depth, height, out));
                Ok::<_, Error>(())
            })
        })?;
        Ok(Left { buffer, panels, height, k })
    }

    /// A panel of a block of depth.
    pub(super) fn panel(&self, depth: Span, panel: usize) -> &[f32] {
        let all: &[f32] = self.buffer.elements(self.panels * self.height * self.k);
        &all[self.height * (self.panels * depth.start + panel * depth.length)..][..self.height * depth.length]
    }
}

/// Numbers for panels.
pub(super) fn numbers(count: usize, cancel: &Cancel) -> Result<Buffer> {
    Buffer::new(count * size_of::<f32>(), Fill::Any)
        .ok_or_else(|| Error::Internal { op: cancel.op(), what: format!("no memory for {count} numbers of workspace") })
}

/// The blocks of `length` that make up `0..total`.
pub(super) fn spans(total: usize, length: usize) -> impl Iterator<Item = Span> {
    (0..total).step_by(length).map(move |start| Span { start, length: length.min(total - start) })
}

/// Workspace of a product, in bytes, for two threads.
pub(super) fn workspace_bytes(m: usize, k: usize) -> usize {
    (rows_at_once(m, k) * k + 2 * STRIP * DEPTH.min(k)) * size_of::<f32>()
}

fn rows_at_once(m: usize, k: usize) -> usize {
    (MOST_PACKED / k.max(1)).max(BLOCK).min(m)
}

impl<B: Source> Product<'_, B> {
    /// Computes it.
    pub(super) fn run(&self, isa: Isa, c: &mut [f32], cancel: &Cancel) -> Result<()> {
        let c = Shared::new(c, self.m, self.n);
        for rows in spans(self.m, rows_at_once(self.m, self.k).max(1)) {
            let left = Left::pack(isa, self.a, rows, self.k, cancel)?;
            let tasks = self.tasks(rows, left.height);
            pool::run(|| {
                tasks
                    .par_iter()
                    .try_for_each(|&(part, columns)| self.strip(isa, &left, rows, part, columns, &c, cancel))
            })?;
        }
        Ok(())
    }

    /// Strips of columns, each cut into stretches of rows where there are too few strips to share out.
    fn tasks(&self, rows: Span, height: usize) -> Vec<(Span, Span)> {
        let strips = self.n.div_ceil(STRIP);
        let parts = (TASKS.div_ceil(strips)).min(rows.length.div_ceil(4 * height)).max(1);
        let part = rows.length.div_ceil(parts).next_multiple_of(height);
        spans(rows.length, part).flat_map(|part| spans(self.n, STRIP).map(move |columns| (part, columns))).collect()
    }

    /// One task: `part` (rows within `rows`) × `columns` of C.
    #[expect(clippy::too_many_arguments, reason = "what a task needs")]
    fn strip(
        &self,
        isa: Isa,
        left: &Left,
        rows: Span,
        part: Span,
        columns: Span,
        c: &Shared<'_>,
        cancel: &Cancel,
    ) -> Result<()> {
        let kernel = Kernel::of(isa);
        let (height, width) = (kernel.rows(), kernel.columns());
        let panels = columns.length.div_ceil(width);
        let mut buffer = numbers(panels * width * DEPTH.min(self.k), cancel)?;
        let mut tile = [0.0f32; LARGEST_TILE];
        let tile = &mut tile[..height * width];
        for depth in spans(self.k, DEPTH) {
            cancel.check()?;
            let right: &mut [f32] = buffer.elements_mut(panels * width * depth.length);
            dispatch!(isa.level(), simd => self.b.pack(simd, depth, columns, width, right));
            let add = self.accumulate || depth.start > 0;
            for block in spans(part.length, BLOCK.next_multiple_of(height)) {
                cancel.check()?;
                for down in spans(block.length, height) {
                    let first = part.start + block.start + down.start;
                    for (j, right) in right.chunks_exact(width * depth.length).enumerate() {
                        let across = width.min(columns.length - j * width);
                        kernel.tile(left.panel(depth, first / height), right, tile);
                        for (i, sums) in tile.chunks_exact(width).take(down.length).enumerate() {
                            let (row, column) = (rows.start + first + i, columns.start + j * width);
                            // SAFETY: tasks have distinct `(part, columns)`, and each segment is dropped at once.
                            let out = unsafe { c.segment(row, column, across) };
                            write(sums, self.alpha, add, out);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

#[inline]
fn write(sums: &[f32], alpha: f32, add: bool, out: &mut [f32]) {
    if add {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out += alpha * sum;
        }
    } else {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = alpha * sum;
        }
    }
}
