//! Products with packed weights: rows are decoded tile by tile, the whole weight never exists.

use super::{MatRef, matmul};
use crate::cancel::Cancel;
use crate::cpu::simd;
use crate::error::Result;
use crate::format::PackedRef;

/// Rows of the weight that are decoded at a time.
const TILE: usize = 64;

/// Decodes rows in tiles and hands each to `f(first_row, rows)`.
fn each_tile(
    w: &PackedRef<'_>,
    levels: bool,
    mut f: impl FnMut(usize, &[f32]) -> Result<()>,
) -> Result<()> {
    let mut tile = vec![0.0; TILE.min(w.rows) * w.columns];
    for first in (0..w.rows).step_by(TILE) {
        let rows = TILE.min(w.rows - first);
        let tile = &mut tile[..rows * w.columns];
        for (row, out) in tile.chunks_exact_mut(w.columns.max(1)).enumerate() {
            fearless_simd::dispatch!(simd::level(), simd => if levels {
                w.decode_levels(simd, first + row, 0, out);
            } else {
                w.decode(simd, first + row, 0, out);
            });
        }
        f(first, tile)?;
    }
    Ok(())
}

/// `x[tokens, in]`, `w[out, in]` → `y[tokens, out] = x·wᵀ`
pub fn packed_forward(tokens: usize, x: &[f32], w: &PackedRef<'_>, y: &mut [f32], cancel: &Cancel) -> Result<()> {
    let (n, k) = (w.rows, w.columns);
    let mut part = vec![0.0; tokens * TILE];
    each_tile(w, false, |first, tile| {
        let rows = TILE.min(n - first);
        let part = &mut part[..tokens * rows];
        let (a, b) = (MatRef { data: x, transposed: false, stride: k }, MatRef { data: tile, transposed: true, stride: k });
        matmul(tokens, rows, k, a, b, 1.0, part, false, cancel)?;
        for (y, part) in y.chunks_exact_mut(n).zip(part.chunks_exact(rows)) {
            y[first..first + rows].copy_from_slice(part);
        }
        Ok(())
    })
}

/// `dy[tokens, out]`, `w[out, in]` → `dx[tokens, in] = dy·w`
pub fn packed_backward_input(
    tokens: usize,
    dy: &[f32],
    w: &PackedRef<'_>,
    dx: &mut [f32],
    cancel: &Cancel,
) -> Result<()> {
    let (n, k) = (w.rows, w.columns);
    dx.fill(0.0);
    each_tile(w, false, |first, tile| {
        let rows = TILE.min(n - first);
        let a = MatRef { data: dy.get(first..).unwrap_or(&[]), transposed: false, stride: n };
        let b = MatRef { data: tile, transposed: false, stride: k };
        matmul(tokens, k, rows, a, b, 1.0, dx, true, cancel)
    })
}

/// `dy[tokens, out]`, `x[tokens, in]` → `ds[out, groups]`: `Σ_t dy·(Σ_{k in the group} x·(q − zeroPoint))`
pub fn packed_backward_scales(
    tokens: usize,
    dy: &[f32],
    x: &[f32],
    w: &PackedRef<'_>,
    ds: &mut [f32],
    cancel: &Cancel,
) -> Result<()> {
    let (n, k, groups, size) = (w.rows, w.columns, w.groups(), w.group_size());
    let mut gradient = vec![0.0; TILE.min(n) * k];
    each_tile(w, true, |first, levels| {
        let rows = TILE.min(n - first);
        let gradient = &mut gradient[..rows * k];
        let a = MatRef { data: dy.get(first..).unwrap_or(&[]), transposed: true, stride: n };
        let b = MatRef { data: x, transposed: false, stride: k };
        matmul(rows, k, tokens, a, b, 1.0, gradient, false, cancel)?;
        for (i, ds) in ds[first * groups..(first + rows) * groups].iter_mut().enumerate() {
            let (row, group) = (i / groups, i % groups);
            let range = row * k + group * size..row * k + ((group + 1) * size).min(k);
            *ds = levels[range.clone()].iter().zip(&gradient[range]).map(|(level, gradient)| level * gradient).sum();
        }
        Ok(())
    })
}

/// Per channel: `dy[tokens, out]`, `y[tokens, out]` (without bias), `scales[out]` → `ds[out] = Σ_t dy·y / scale`
pub fn packed_backward_scales_from_output(dy: &[f32], y: &[f32], scales: &[f32], ds: &mut [f32]) {
    let n = scales.len();
    assert!(ds.len() == n && dy.len() == y.len(), "one gradient for each scale, one dy for each y");
    ds.fill(0.0);
    if n == 0 {
        return;
    }
    for (dy, y) in dy.chunks_exact(n).zip(y.chunks_exact(n)) {
        for ((ds, dy), y) in ds.iter_mut().zip(dy).zip(y) {
            *ds += dy * y;
        }
    }
    for (ds, scale) in ds.iter_mut().zip(scales) {
        *ds /= scale;
    }
}
