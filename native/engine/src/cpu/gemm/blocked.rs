//! The blocked product (Goto and van de Geijn, 2008; Van Zee and van de Geijn, BLIS, 2015): A is packed once, strips
//! of B are packed by the tasks that use them, tiles of C are made in registers.
//!
//! Tasks and blocks depend on the shape alone, and each element of C is summed by one task in the order of k: results
//! are the same bits for any number of threads.

#![expect(unsafe_code, reason = "tasks write disjoint tiles of the shared C")]

use fearless_simd::{Simd, dispatch};
use rayon::prelude::*;

use super::Output;
use super::ahead::Ahead;
use super::microkernel::{Kernel, LARGEST_TILE};
use super::pack::{Lane, Span, spans};
use super::rows::{Operand, Rows};
use super::shared::Shared;
use crate::cancel::Cancel;
use crate::cpu::buffer::{Buffer, Fill};
use crate::cpu::pool;
use crate::error::{Error, Result};

/// Steps of a block of depth: a panel of A (12 × 384) stays in the first-level cache, a block of it in the second.
const STEPS: usize = 384;
/// Columns of a strip of B: 384 × 128 lanes leave room for A in a second-level cache of 512 KiB.
pub(super) const STRIP: usize = 128;
/// Rows of A that are swept for each panel of B.
const BLOCK: usize = 144;
/// The most numbers of A that are packed at once.
const MOST_PACKED: usize = 4 << 20;
/// Tasks that are wanted at least; more would pack the same strips of B again.
const TASKS: usize = 4;

/// `C` from `A·B`.
pub(super) struct Product<'a, A, B> {
    pub(super) kernel: Kernel,
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) a: Operand<'a, A>,
    pub(super) b: Operand<'a, B>,
    pub(super) output: Output<'a>,
}

/// A whole stretch of A's rows as panels `[depth block][panel][step][row]`.
pub(super) struct Left {
    kernel: Kernel,
    buffer: Buffer,
    panels: usize,
    k: usize,
}

impl Left {
    /// Packs rows of A on the threads of the pool that this runs on.
    pub(super) fn pack<A: Rows>(
        kernel: Kernel,
        a: Operand<'_, A>,
        rows: Span,
        k: usize,
        cancel: &Cancel,
    ) -> Result<Left> {
        let (height, lanes) = (kernel.rows, kernel.lanes);
        let panels = rows.length.div_ceil(height);
        let mut buffer = workspace(panels * height * lanes.steps(k), cancel)?;
        let mut rest: &mut [Lane] = buffer.elements_mut(panels * height * lanes.steps(k));
        let mut tasks = Vec::new();
        for depth in kernel.blocks(k) {
            for rows in rows.cut(BLOCK.next_multiple_of(height)) {
                let length = rows.length.next_multiple_of(height) * lanes.steps(depth.length);
                let (out, after) = rest.split_at_mut(length);
                tasks.push((depth, rows, out));
                rest = after;
            }
        }
        tasks.into_par_iter().try_for_each(|(depth, rows, out)| {
            cancel.check()?;
            dispatch!(kernel.level, simd => a.pack(simd, lanes, depth, rows, height, out));
            Ok::<_, Error>(())
        })?;
        Ok(Left { kernel, buffer, panels, k })
    }

    /// A panel of a block of depth.
    pub(super) fn panel(&self, depth: Span, panel: usize) -> &[Lane] {
        let Left { kernel: Kernel { rows, lanes, .. }, panels, k, .. } = *self;
        let all: &[Lane] = self.buffer.elements(panels * rows * lanes.steps(k));
        let steps = lanes.steps(depth.length);
        &all[rows * (panels * lanes.steps(depth.start) + panel * steps)..][..rows * steps]
    }
}

impl Kernel {
    /// The blocks of a product's depth.
    pub(super) fn blocks(self, k: usize) -> impl Iterator<Item = Span> {
        spans(k, STEPS * self.lanes.depth())
    }
}

/// Lanes for panels.
pub(super) fn workspace(lanes: usize, cancel: &Cancel) -> Result<Buffer> {
    Buffer::new(lanes * size_of::<Lane>(), Fill::Any)
        .ok_or_else(|| Error::Internal { op: cancel.op(), what: format!("no memory for {lanes} lanes of workspace") })
}

/// Bytes of a product's panels on two threads.
pub(super) fn workspace_bytes(m: usize, k: usize) -> usize {
    (rows_at_once(m, k) * k + 2 * STRIP * STEPS.min(k)) * size_of::<Lane>()
}

fn rows_at_once(m: usize, k: usize) -> usize {
    (MOST_PACKED / k.max(1)).max(BLOCK).min(m)
}

impl<A: Rows, B: Rows> Product<'_, A, B> {
    /// Computes it.
    pub(super) fn run(&self, c: &mut [f32], cancel: &Cancel) -> Result<()> {
        let c = Shared::new(c, self.m, self.n);
        pool::run(|| {
            spans(self.m, rows_at_once(self.m, self.k).max(1)).try_for_each(|rows| {
                let left = Left::pack(self.kernel, self.a, rows, self.k, cancel)?;
                let tasks = self.tasks(rows);
                tasks.par_iter().try_for_each(|&(part, columns)| self.strip(&left, rows, part, columns, &c, cancel))
            })
        })
    }

    /// Strips of columns, each cut into stretches of rows where there are too few strips to share out.
    fn tasks(&self, rows: Span) -> Vec<(Span, Span)> {
        let height = self.kernel.rows;
        let strips = self.n.div_ceil(STRIP);
        let parts = (TASKS.div_ceil(strips)).min(rows.length.div_ceil(4 * height)).max(1);
        let part = rows.length.div_ceil(parts).next_multiple_of(height);
        spans(rows.length, part).flat_map(|part| spans(self.n, STRIP).map(move |columns| (part, columns))).collect()
    }

    /// One task: `part` (rows within `rows`) × `columns` of C.
    fn strip(&self, left: &Left, rows: Span, part: Span, columns: Span, c: &Shared<'_>, cancel: &Cancel) -> Result<()> {
        let Kernel { rows: height, columns: width, lanes, level, .. } = self.kernel;
        let padded = columns.length.next_multiple_of(width);
        let mut buffer = workspace(padded * lanes.steps(self.k).min(STEPS), cancel)?;
        let mut tile = [0.0f32; LARGEST_TILE];
        let tile = &mut tile[..height * width];
        let mut blocks = self.kernel.blocks(self.k).peekable();
        while let Some(depth) = blocks.next() {
            cancel.check()?;
            let steps = lanes.steps(depth.length);
            let right: &mut [Lane] = buffer.elements_mut(padded * steps);
            dispatch!(level, simd => self.b.pack(simd, lanes, depth, columns, width, right));
            let ahead = self.next_block(blocks.peek(), columns);
            for block in part.cut(BLOCK.next_multiple_of(height)) {
                cancel.check()?;
                let place = (rows.start, block, columns);
                dispatch!(level, simd => self.sweep(simd, left, depth, place, right, ahead, tile, c));
            }
        }
        Ok(())
    }

    /// What is packed after a block: the next one of the strip, or the first of the next strip, which the same thread
    /// often takes.
    fn next_block(&self, depth: Option<&Span>, columns: Span) -> Ahead {
        if let Some(depth) = depth {
            return self.b.ahead(*depth, columns);
        }
        let start = columns.start + columns.length;
        match (self.kernel.blocks(self.k).next(), start < self.n) {
            (Some(depth), true) => self.b.ahead(depth, Span { start, length: STRIP.min(self.n - start) }),
            _ => Ahead::NOTHING,
        }
    }

    /// The tiles of a block of rows × the columns of a strip, from panels of the same depth.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the state of the loops around it")]
    fn sweep<S: Simd>(
        &self,
        simd: S,
        left: &Left,
        depth: Span,
        (first, block, columns): (usize, Span, Span),
        right: &[Lane],
        ahead: Ahead,
        tile: &mut [f32],
        c: &Shared<'_>,
    ) {
        let Kernel { rows: height, columns: width, lanes, .. } = self.kernel;
        let add = self.output.accumulate || depth.start > 0;
        let last = depth.start + depth.length == self.k;
        let steps = lanes.steps(depth.length);
        let panels = columns.length.div_ceil(width);
        for down in block.cut(height) {
            let turn = down.start / height * panels;
            let left = left.panel(depth, down.start / height);
            for (j, (across, right)) in columns.cut(width).zip(right.chunks_exact(width * steps)).enumerate() {
                let ahead = ahead.after(turn + j, steps * lanes.depth());
                self.kernel.tile_in(simd, down.length, left, right, ahead, tile);
                for (i, sums) in tile.chunks_exact(width).take(down.length).enumerate() {
                    // SAFETY: tasks have distinct `(part, columns)`, and each segment is dropped at once.
                    let out = unsafe { c.segment(first + down.start + i, across.start, across.length) };
                    write(sums, self.output.alpha, add, out);
                    if last {
                        self.output.finish(self.n, first + down.start + i, across.start, out);
                    }
                }
            }
        }
    }
}

#[inline(always)]
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
