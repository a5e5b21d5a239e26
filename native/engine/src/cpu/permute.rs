//! Other orders of dimensions, copied.

use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;

/// Rows and columns of a tile, so that both matrices are touched in whole cache lines.
const TILE: usize = 16;

/// `x[a, b]` → `y[b, a]`.
pub fn transpose(cancel: &Cancel, x: &[f32], [a, b]: [usize; 2], y: &mut [f32]) -> Result<()> {
    pool::blocks(cancel, y, a.max(1), TILE, |first, y| {
        let columns = y.len() / a.max(1);
        for from in (0..a).step_by(TILE) {
            for column in 0..columns {
                for row in from..(from + TILE).min(a) {
                    y[column * a + row] = x[row * b + first + column];
                }
            }
        }
    })
}

/// `x` of `shape` → `y`, whose dimension `i` is dimension `axes[i]` of `x`.
pub fn permute(cancel: &Cancel, x: &[f32], shape: &[usize], axes: &[usize], y: &mut [f32]) -> Result<()> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    let sizes: Vec<_> = axes.iter().map(|&axis| shape[axis]).collect();
    let strides: Vec<_> = axes.iter().map(|&axis| strides[axis]).collect();
    let (Some((&n, outer)), Some((&step, outer_strides))) = (sizes.split_last(), strides.split_last()) else {
        y.copy_from_slice(x);
        return cancel.check();
    };
    pool::rows(cancel, y, n, |first, y| {
        for (i, y) in y.chunks_exact_mut(n.max(1)).enumerate() {
            let (mut row, mut at) = (first + i, 0);
            for (size, stride) in outer.iter().zip(outer_strides).rev() {
                at += row % size * stride;
                row /= size;
            }
            for (j, y) in y.iter_mut().enumerate() {
                *y = x[at + j * step];
            }
        }
    })
}
