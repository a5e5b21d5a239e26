//! AWQ's clip search (Lin et al. 2023, arXiv 2306.00978; its released code): the largest magnitude of each group is lowered where
//! that lowers the output error.

use super::Layout;
use super::grid::{self, Grid};
use super::rtn::not_finite;
use crate::cancel::Cancel;
use crate::cpu::gemm::{self, MatRef};
use crate::cpu::pool;
use crate::error::Result;

/// Shares of the largest magnitude that are tried: 1.00, 0.95, … 0.55.
const SHARES: usize = 10;

/// `w[rows, columns]` with each group clamped to the share of its largest magnitude at which rounding it costs the
/// group's own output least: `Δ·H_gg·Δᵀ`, Δ = ŵ − w.
pub fn clip(cancel: &Cancel, w: &[f32], layout: Layout, gram: &[f32], grid: Grid) -> Result<Vec<f32>> {
    let Layout { rows, columns, .. } = layout;
    if !grid::all_finite(w) {
        return Err(not_finite(cancel.op()));
    }
    let mut clipped = w.to_vec();
    for start in (0..columns).step_by(layout.size()) {
        let width = layout.size().min(columns - start);
        let group = |row: usize| &w[row * columns + start..][..width];
        let mut best = vec![(f32::INFINITY, f32::INFINITY); rows];
        let mut difference = vec![0.0f32; rows * width];
        let mut product = vec![0.0f32; rows * width];
        for share in 0..SHARES {
            let limit = |row: usize| largest(group(row)) * (1.0 - share as f32 / 20.0);
            pool::rows(
                cancel,
                &mut difference,
                width,
                #[inline(always)]
                |first, out| {
                    for (n, out) in out.chunks_exact_mut(width).enumerate() {
                        rounding_error(grid, group(first + n), limit(first + n), out);
                    }
                },
            )?;
            let (delta, h) = (
                MatRef { data: &difference, transposed: false, stride: width },
                MatRef { data: &gram[start * columns + start..], transposed: false, stride: columns },
            );
            gemm::matmul(rows, width, width, delta, h, 1.0, &mut product, false, cancel)?;
            for (row, best) in best.iter_mut().enumerate() {
                let at = row * width..(row + 1) * width;
                let error = difference[at.clone()].iter().zip(&product[at]).map(|(a, b)| a * b).sum::<f32>();
                if error < best.0 {
                    *best = (error, limit(row));
                }
            }
        }
        for (row, (_, limit)) in clipped.chunks_exact_mut(columns).zip(&best) {
            row[start..start + width].iter_mut().for_each(|w| *w = w.max(-limit).min(*limit));
        }
    }
    Ok(clipped)
}

fn largest(w: &[f32]) -> f32 {
    w.iter().fold(0.0f32, |largest, w| largest.max(w.abs()))
}

/// `ŵ − w`, the grid being that of `w` clamped to ±limit.
#[inline(always)]
fn rounding_error(grid: Grid, w: &[f32], limit: f32, out: &mut [f32]) {
    for (out, &w) in out.iter_mut().zip(w) {
        *out = w.max(-limit).min(limit);
    }
    let params = grid.fit(out);
    for (out, &w) in out.iter_mut().zip(w) {
        *out = params.0 * (grid.nearest(*out, params) - params.1) - w;
    }
}
