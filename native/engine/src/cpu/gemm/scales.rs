//! The gradient of packed scales (Kim et al., "PEQA", 2023): `dS[n, g] = Σ_{k in g} dW[n, k]·(q − zeroPoint)[n, k]`,
//! with `dW = dyᵀ·x`. Tiles of dW are made in registers and reduced at once against decoded levels; dW never exists.

use fearless_simd::dispatch;
use rayon::prelude::*;

use super::MatRef;
use super::ahead::Ahead;
use super::blocked::{Left, STRIP, workspace};
use super::microkernel::{Kernel, LARGEST_TILE};
use super::pack::{Lane, Span, spans};
use super::rows::Operand;
use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;
use crate::format::PackedRef;

/// The most tokens that are packed at once.
const TOKENS: usize = 2048;

/// See [`super::packed_backward_scales`].
pub(super) fn packed_backward_scales(
    kernel: Kernel,
    tokens: usize,
    dy: &[f32],
    x: &[f32],
    w: &PackedRef<'_>,
    ds: &mut [f32],
    cancel: &Cancel,
) -> Result<()> {
    let (n, k, groups) = (w.rows, w.columns, w.groups());
    assert!(dy.len() == tokens * n && x.len() == tokens * k, "dy is [tokens, out], x is [tokens, in]");
    assert!(w.format.is_integer() && ds.len() == n * groups, "one gradient for each scale of an integer format");
    ds.fill(0.0);
    if n == 0 || k == 0 {
        return cancel.check();
    }
    for batch in spans(tokens, TOKENS) {
        let dy = MatRef { data: &dy[batch.start * n..], transposed: true, stride: n };
        let x = MatRef { data: &x[batch.start * k..], transposed: false, stride: k };
        let dy = Operand { rows: &dy, along: false, round: kernel.round };
        let x = Operand { rows: &x, along: false, round: kernel.round };
        let strips: Vec<_> = spans(k, STRIP).collect();
        let parts: Vec<_> = pool::run(|| {
            let left = Left::pack(kernel, dy, Span { start: 0, length: n }, batch.length, cancel)?;
            strips
                .par_iter()
                .map(|&columns| strip(kernel, &left, x, batch.length, columns, w, cancel))
                .collect::<Result<_>>()
        })?;
        for (columns, part) in strips.iter().zip(parts) {
            let (first, count) = groups_of(w, *columns);
            for (ds, part) in ds.chunks_exact_mut(groups).zip(part.chunks_exact(count)) {
                for (ds, part) in ds[first..first + count].iter_mut().zip(part) {
                    *ds += part;
                }
            }
        }
    }
    Ok(())
}

/// The first group that touches some columns, and the number of them.
fn groups_of(w: &PackedRef<'_>, columns: Span) -> (usize, usize) {
    let size = w.group_size();
    let first = columns.start / size;
    (first, (columns.start + columns.length - 1) / size + 1 - first)
}

/// One task: what some columns add to the gradients of the groups they touch, `[out, groups touched]`.
fn strip(
    kernel: Kernel,
    left: &Left,
    x: Operand<'_, MatRef<'_>>,
    tokens: usize,
    columns: Span,
    w: &PackedRef<'_>,
    cancel: &Cancel,
) -> Result<Vec<f32>> {
    let Kernel { rows: height, columns: width, lanes, level, .. } = kernel;
    let padded = columns.length.next_multiple_of(width);
    let all = padded * lanes.steps(tokens);
    let mut buffer = workspace(all, cancel)?;
    let right: &mut [Lane] = buffer.elements_mut(all);
    for depth in kernel.blocks(tokens) {
        let block = &mut right[padded * lanes.steps(depth.start)..][..padded * lanes.steps(depth.length)];
        dispatch!(level, simd => x.pack(simd, lanes, depth, columns, width, block));
    }
    let (first, count) = groups_of(w, columns);
    let mut sums = vec![0.0; w.rows * count];
    let mut levels = vec![0.0; height * padded];
    let mut tile = [0.0f32; LARGEST_TILE];
    let mut gradient = vec![0.0f32; height * padded];
    for rows in spans(w.rows, height) {
        cancel.check()?;
        gradient.fill(0.0);
        for depth in kernel.blocks(tokens) {
            let steps = lanes.steps(depth.length);
            let block = &right[padded * lanes.steps(depth.start)..][..padded * steps];
            for (j, right) in block.chunks_exact(width * steps).enumerate() {
                let tile = &mut tile[..height * width];
                kernel.tile(rows.length, left.panel(depth, rows.start / height), right, Ahead::NOTHING, tile);
                for (tile, gradient) in tile.chunks_exact(width).zip(gradient.chunks_exact_mut(padded)) {
                    for (tile, gradient) in tile.iter().zip(&mut gradient[j * width..]) {
                        *gradient += tile;
                    }
                }
            }
        }
        for (i, levels) in levels.chunks_exact_mut(padded).take(rows.length).enumerate() {
            let levels = &mut levels[..columns.length];
            dispatch!(level, simd => w.decode_levels(simd, rows.start + i, columns.start, levels));
            let sums = &mut sums[(rows.start + i) * count..][..count];
            reduce(levels, &gradient[i * padded..], w.group_size(), columns.start - first * w.group_size(), sums);
        }
    }
    Ok(sums)
}

/// `sums[group] = Σ levels·gradient`, where the first column is `offset` columns into the first group.
fn reduce(levels: &[f32], gradient: &[f32], size: usize, offset: usize, sums: &mut [f32]) {
    let mut at = 0;
    for (group, sum) in sums.iter_mut().enumerate() {
        let end = levels.len().min((group + 1) * size - offset);
        *sum = dot(&levels[at..end], &gradient[at..end]);
        at = end;
    }
}

/// Eight sums side by side, so that the compiler can use vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, last_a), (b, last_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + last_a.iter().zip(last_b).map(|(a, b)| a * b).sum::<f32>()
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
