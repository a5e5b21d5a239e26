//! Rounding to integer grids in floating point, and its straight-through gradients.

use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;

/// The grids of a weight `[rows, columns]`: one scale and zero point for each group of a row's columns.
#[derive(Debug, Clone, Copy)]
pub struct Grid<'a> {
    /// `[rows, groups]`, above 0.
    pub scales: &'a [f32],
    /// `[rows, groups]`; rounded and clamped to the levels before use.
    pub zero_points: &'a [f32],
    /// Columns of a row.
    pub columns: usize,
    /// Columns of a group; the last group of a row may be shorter.
    pub size: usize,
    /// The largest level.
    pub top: f32,
}

/// A weight on its grid.
#[derive(Clone, Copy)]
struct Level {
    /// The level, before it is clamped to the grid.
    free: f32,
    q: f32,
    zero: f32,
}

impl Grid<'_> {
    fn groups(&self) -> usize {
        self.columns.div_ceil(self.size.max(1))
    }

    #[inline(always)]
    fn level(&self, w: f32, group: usize) -> Level {
        let zero = self.zero_points[group].round_ties_even().clamp(0.0, self.top);
        let free = (w / self.scales[group]).round_ties_even() + zero;
        Level { free, q: free.clamp(0.0, self.top), zero }
    }

    /// Calls `f(index, group)` for the elements of rows from `first`, `count` elements in all.
    #[inline(always)]
    fn each(&self, first: usize, count: usize, mut f: impl FnMut(usize, usize)) {
        let (groups, columns) = (self.groups(), self.columns.max(1));
        for i in 0..count {
            f(i, (first + i / columns) * groups + (i % columns) / self.size);
        }
    }
}

/// `y = s·(clamp(round(w/s) + z, 0, top) − z)`.
pub fn forward(cancel: &Cancel, w: &[f32], grid: &Grid<'_>, y: &mut [f32]) -> Result<()> {
    pool::rows(
        cancel,
        y,
        grid.columns,
        #[inline(always)]
        |first, y| {
            let w = &w[first * grid.columns..];
            grid.each(first, y.len(), |i, group| {
                let level = grid.level(w[i], group);
                // As the packed kernels decode, so that the packed weight is the same bit for bit.
                y[i] = (level.q - level.zero) * grid.scales[group];
            });
        },
    )
}

/// The levels `q`, one a byte.
pub fn levels(cancel: &Cancel, w: &[f32], grid: &Grid<'_>, q: &mut [u8]) -> Result<()> {
    pool::rows(
        cancel,
        q,
        grid.columns,
        #[inline(always)]
        |first, q| {
            let w = &w[first * grid.columns..];
            grid.each(first, q.len(), |i, group| q[i] = grid.level(w[i], group).q as u8);
        },
    )
}

/// `dw = dy` inside the grid, 0 outside.
pub fn backward_weight(cancel: &Cancel, dy: &[f32], w: &[f32], grid: &Grid<'_>, dw: &mut [f32]) -> Result<()> {
    pool::rows(
        cancel,
        dw,
        grid.columns,
        #[inline(always)]
        |first, dw| {
            let from = first * grid.columns;
            let (w, dy) = (&w[from..], &dy[from..]);
            grid.each(first, dw.len(), |i, group| {
                let level = grid.level(w[i], group);
                dw[i] = if level.free == level.q { dy[i] } else { 0.0 };
            });
        },
    )
}

/// `ds = Σ dy·(round(w/s) − w/s)` inside and `dy·(q − z)` outside the grid; `dz = Σ −s·dy` outside. Both `[rows, groups]`.
pub fn backward_grid(
    cancel: &Cancel,
    dy: &[f32],
    w: &[f32],
    grid: &Grid<'_>,
    ds: &mut [f32],
    dz: &mut [f32],
) -> Result<()> {
    let (groups, columns) = (grid.groups(), grid.columns);
    let per_task = pool::rows_per_task(columns);
    pool::blocks2(
        cancel,
        (ds, groups),
        (dz, groups),
        per_task,
        #[inline(always)]
        |first, ds, dz| {
            for (row, (ds, dz)) in ds.chunks_exact_mut(groups).zip(dz.chunks_exact_mut(groups)).enumerate() {
                let row = first + row;
                for (group, (ds, dz)) in ds.iter_mut().zip(dz).enumerate() {
                    let from = row * columns + group * grid.size;
                    let span = from..(from + grid.size).min((row + 1) * columns);
                    (*ds, *dz) = group_gradient(&dy[span.clone()], &w[span], grid, row * groups + group);
                }
            }
        },
    )
}

#[inline(always)]
fn group_gradient(dy: &[f32], w: &[f32], grid: &Grid<'_>, group: usize) -> (f32, f32) {
    let scale = grid.scales[group];
    let (mut ds, mut dz) = (0.0f64, 0.0f64);
    for (&dy, &w) in dy.iter().zip(w) {
        let level = grid.level(w, group);
        let inside = level.free == level.q;
        let slope = if inside { level.q - level.zero - w / scale } else { level.q - level.zero };
        ds += f64::from(dy * slope);
        dz -= if inside { 0.0 } else { f64::from(dy * scale) };
    }
    (ds as f32, dz as f32)
}
