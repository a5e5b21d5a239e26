//! GPTQ (Frantar et al. 2022, arXiv 2210.17323): columns are quantized one after another, and each column's error is
//! pushed onto those that are not yet fixed.
//!
//! The weight is worked on transposed, `[columns, rows]`: a column is then contiguous, tasks share rows among them, and
//! what is left to the right of a block is one contiguous matrix for the matrix multiply.

use super::grid::Grid;
use super::rtn::not_finite;
use super::{Codes, Layout, grid, split_params};
use crate::cancel::Cancel;
use crate::cpu::gemm::{self, MatRef};
use crate::cpu::pool;
use crate::error::Result;
use crate::format::int;

/// What the inputs say: the same for all layers that read them.
#[derive(Debug, Clone, Copy)]
pub struct Factor<'a> {
    /// `U[columns, columns]`, upper triangular, `UᵀU = (H + λI)⁻¹`, rows and columns in processing order.
    pub upper: &'a [f32],
    /// The column that is processed at each step.
    pub order: &'a [i32],
    /// By column: it is never anything but 0 in the inputs, so its weights are set to 0.
    pub dead: &'a [bool],
}

/// Settings of [`quantize`].
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The grids.
    pub grid: Grid,
    /// Fit all grids to the weights as they came, not as they stand when their group begins.
    pub static_grids: bool,
    /// Columns between two updates of all that follow.
    pub block: usize,
}

/// Rows of a task.
const ROWS: usize = 64;

/// `w[rows, columns]` → codes. Dynamic grids need the identity for an order.
///
/// Errs unless the weights are finite.
pub fn quantize(cancel: &Cancel, w: &[f32], layout: Layout, factor: Factor, options: Options) -> Result<Codes> {
    let Layout { rows, columns, .. } = layout;
    if !grid::all_finite(w) {
        return Err(not_finite(cancel.op()));
    }
    let mut run = Run::new(cancel, w, layout, factor, options)?;
    let mut start = 0;
    while start < columns {
        let end = run.block_end(start);
        let error = run.block(start, end)?;
        run.update(start, end, &error)?;
        start = end;
    }
    let mut codes = layout.codes(options.grid.bits);
    let bytes = int::row_bytes(columns, options.grid.bits);
    let levels = &run.levels;
    pool::rows(
        cancel,
        &mut codes.codes,
        bytes,
        #[inline(always)]
        |first, codes| {
            let mut row_levels = vec![0u8; columns];
            for (n, codes) in codes.chunks_exact_mut(bytes.max(1)).enumerate() {
                for (step, &column) in factor.order.iter().enumerate() {
                    row_levels[column as usize] = levels[step * rows + first + n];
                }
                int::pack_row(&row_levels, options.grid.bits, codes);
            }
        },
    )?;
    let groups = layout.groups();
    let by_row: Vec<_> = (0..rows).flat_map(|row| (0..groups).map(move |group| (row, group))).collect();
    let params: Vec<_> = by_row.into_iter().map(|(row, group)| run.params[group * rows + row]).collect();
    split_params(&params, &mut codes);
    Ok(codes)
}

struct Run<'a> {
    cancel: &'a Cancel,
    layout: Layout,
    factor: Factor<'a>,
    options: Options,
    /// `[columns, rows]`, columns in processing order.
    w: Vec<f32>,
    /// `[columns, rows]`, the same.
    levels: Vec<u8>,
    /// Scale and zero point, `[groups, rows]`.
    params: Vec<(f32, f32)>,
}

/// What a task found out about its rows of one block.
struct Panel {
    /// `[block, rows of the task]`.
    error: Vec<f32>,
    levels: Vec<u8>,
    /// `[groups that began, rows of the task]`.
    params: Vec<(f32, f32)>,
}

impl<'a> Run<'a> {
    fn new(cancel: &'a Cancel, w: &[f32], layout: Layout, factor: Factor<'a>, options: Options) -> Result<Self> {
        let Layout { rows, columns, .. } = layout;
        let mut transposed = vec![0.0f32; columns * rows];
        pool::rows(cancel, &mut transposed, rows, |first, out| {
            for (n, out) in out.chunks_exact_mut(rows.max(1)).enumerate() {
                let column = factor.order[first + n] as usize;
                if factor.dead[column] {
                    continue;
                }
                for (row, out) in out.iter_mut().enumerate() {
                    *out = w[row * columns + column];
                }
            }
        })?;
        let groups = layout.groups();
        let mut params = vec![(0.0, 0.0); groups * rows];
        if options.static_grids || groups <= 1 {
            let fitted = pool::map(
                cancel,
                rows,
                #[inline(always)]
                |row| {
                    let mut row: Vec<f32> = w[row * columns..(row + 1) * columns].to_vec();
                    for (w, &dead) in row.iter_mut().zip(factor.dead) {
                        *w = if dead { 0.0 } else { *w };
                    }
                    row.chunks(layout.size()).map(|w| options.grid.fit(w)).collect::<Vec<_>>()
                },
            )?;
            for (row, fitted) in fitted.into_iter().enumerate() {
                for (group, fitted) in fitted.into_iter().enumerate() {
                    params[group * rows + row] = fitted;
                }
            }
        }
        let levels = vec![0u8; columns * rows];
        Ok(Run { cancel, layout, factor, options, w: transposed, levels, params })
    }

    fn dynamic(&self) -> bool {
        !self.options.static_grids && self.layout.groups() > 1
    }

    /// Where a block ends: with dynamic grids no group begins inside of a block that it does not end in, so that a grid
    /// is always fitted to weights that have had every update.
    fn block_end(&self, start: usize) -> usize {
        let Layout { columns, .. } = self.layout;
        let end = (start + self.options.block).min(columns);
        if !self.dynamic() || end == columns {
            return end;
        }
        let size = self.layout.size();
        let boundary = end / size * size;
        if boundary > start { boundary } else { end }
    }

    /// Quantizes the columns of a block; returns `(w − ŵ)/U_ii`, `[block, rows]`.
    fn block(&mut self, start: usize, end: usize) -> Result<Vec<f32>> {
        let rows = self.layout.rows;
        let panels = pool::map(
            self.cancel,
            rows.div_ceil(ROWS),
            #[inline(always)]
            |task| self.panel(start, end, task * ROWS, rows.min((task + 1) * ROWS)),
        )?;
        let mut error = vec![0.0f32; (end - start) * rows];
        let first_group = start.div_ceil(self.layout.size());
        for (task, panel) in panels.into_iter().enumerate() {
            let (from, width) = (task * ROWS, ROWS.min(rows - task * ROWS));
            for (step, part) in panel.error.chunks_exact(width).enumerate() {
                error[step * rows + from..][..width].copy_from_slice(part);
            }
            for (step, part) in panel.levels.chunks_exact(width).enumerate() {
                self.levels[(start + step) * rows + from..][..width].copy_from_slice(part);
            }
            for (n, part) in panel.params.chunks_exact(width).enumerate() {
                self.params[(first_group + n) * rows + from..][..width].copy_from_slice(part);
            }
        }
        Ok(error)
    }

    #[inline(always)]
    fn panel(&self, start: usize, end: usize, from: usize, to: usize) -> Panel {
        let Layout { rows, columns, .. } = self.layout;
        let (width, block) = (to - from, end - start);
        let mut w: Vec<f32> =
            (start..end).flat_map(|column| &self.w[column * rows + from..column * rows + to]).copied().collect();
        let mut panel = Panel { error: vec![0.0; block * width], levels: vec![0; block * width], params: Vec::new() };
        let mut params = vec![(0.0f32, 0.0f32); width];
        for step in 0..block {
            let column = self.factor.order[start + step] as usize;
            let group = column / self.layout.size();
            if self.dynamic() && column.is_multiple_of(self.layout.size()) {
                self.fit_group(start + step, from, &w[step * width..], &mut params);
                panel.params.extend_from_slice(&params);
            } else if !self.dynamic() || step == 0 {
                params.copy_from_slice(&self.params[group * rows + from..group * rows + to]);
            }
            let row = &self.factor.upper[(start + step) * columns + start..][..block];
            let (head, tail) = w.split_at_mut((step + 1) * width);
            let error = &mut panel.error[step * width..(step + 1) * width];
            let levels = &mut panel.levels[step * width..(step + 1) * width];
            fix_column(self.options.grid, &head[step * width..], &params, 1.0 / row[step], levels, error);
            for (w, &factor) in tail.chunks_exact_mut(width).zip(&row[step + 1..]) {
                for (w, &error) in w.iter_mut().zip(error.iter()) {
                    *w -= factor * error;
                }
            }
        }
        panel
    }

    /// Fits the grids of the group that begins at `column`, whose columns inside of the block are in `w`.
    #[inline(always)]
    fn fit_group(&self, column: usize, from: usize, w: &[f32], params: &mut [(f32, f32)]) {
        let (rows, width) = (self.layout.rows, params.len());
        let size = self.layout.size().min(self.layout.columns - column);
        let inside = w.len() / width;
        let mut group = vec![0.0f32; size];
        for (row, params) in params.iter_mut().enumerate() {
            for (n, out) in group.iter_mut().enumerate() {
                *out = if n < inside { w[n * width + row] } else { self.w[(column + n) * rows + from + row] };
            }
            *params = self.options.grid.fit(&group);
        }
    }

    /// `W[:, end..] −= error·U[start..end, end..]`, transposed.
    fn update(&mut self, start: usize, end: usize, error: &[f32]) -> Result<()> {
        let Layout { rows, columns, .. } = self.layout;
        if end == columns {
            return Ok(());
        }
        let factors = MatRef { data: &self.factor.upper[start * columns + end..], transposed: true, stride: columns };
        let errors = MatRef { data: error, transposed: false, stride: rows };
        let rest = &mut self.w[end * rows..];
        gemm::matmul(columns - end, rows, end - start, factors, errors, -1.0, rest, true, self.cancel)
    }
}

#[inline(always)]
fn fix_column(grid: Grid, w: &[f32], params: &[(f32, f32)], reciprocal: f32, levels: &mut [u8], errors: &mut [f32]) {
    for (((&w, &params), level), error) in w.iter().zip(params).zip(levels).zip(errors) {
        let nearest = grid.nearest(w, params);
        *level = nearest as i32 as u8;
        *error = (w - params.0 * (nearest - params.1)) * reciprocal;
    }
}
