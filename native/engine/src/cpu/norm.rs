//! Root-mean-square normalization (Zhang and Sennrich 2019).

use crate::cancel::Cancel;
use crate::cpu::exp::dot;
use crate::cpu::pool;
use crate::error::Result;

/// Rows of a block in the sum of the weight's gradient.
pub const ROWS: usize = 64;

/// `y = x·rstd·weight` with `rstd = 1 / √(mean(x²) + epsilon)` for each row.
pub fn rms_norm_forward(
    cancel: &Cancel,
    x: &[f32],
    weight: &[f32],
    epsilon: f32,
    y: &mut [f32],
    rstd: &mut [f32],
) -> Result<()> {
    let n = weight.len();
    pool::blocks2(
        cancel,
        (y, n),
        (rstd, 1),
        pool::rows_per_task(n),
        #[inline(always)]
        |first, y, rstd| {
            for ((y, x), rstd) in y.chunks_exact_mut(n).zip(x[first * n..].chunks_exact(n)).zip(rstd) {
                *rstd = 1.0 / (dot(x, x) / n as f32 + epsilon).sqrt();
                for ((y, &x), &weight) in y.iter_mut().zip(x).zip(weight) {
                    *y = x * *rstd * weight;
                }
            }
        },
    )
}

/// `dx = rstd·(dy·weight − x·rstd²·mean(dy·weight·x))`.
pub fn rms_norm_backward_input(
    cancel: &Cancel,
    (dy, x, weight, rstd): (&[f32], &[f32], &[f32], &[f32]),
    dx: &mut [f32],
) -> Result<()> {
    let n = weight.len();
    pool::rows(
        cancel,
        dx,
        n,
        #[inline(always)]
        |first, dx| {
            let rows = dy[first * n..].chunks_exact(n).zip(x[first * n..].chunks_exact(n)).zip(&rstd[first..]);
            for (dx, ((dy, x), &rstd)) in dx.chunks_exact_mut(n).zip(rows) {
                for ((dx, &dy), &weight) in dx.iter_mut().zip(dy).zip(weight) {
                    *dx = dy * weight;
                }
                let factor = dot(dx, x) / n as f32 * rstd * rstd;
                for (dx, &x) in dx.iter_mut().zip(x) {
                    *dx = rstd * (*dx - x * factor);
                }
            }
        },
    )
}

/// `dweight = Σ over rows of dy·x·rstd`, as one partial sum for each [`ROWS`] rows.
pub fn rms_norm_backward_weight(
    cancel: &Cancel,
    (dy, x, rstd): (&[f32], &[f32], &[f32]),
    n: usize,
    partial: &mut [f32],
) -> Result<()> {
    pool::blocks(
        cancel,
        partial,
        n,
        1,
        #[inline(always)]
        |block, partial| {
            partial.fill(0.0);
            let first = block * ROWS;
            let rows = dy[first * n..].chunks_exact(n).zip(x[first * n..].chunks_exact(n)).zip(&rstd[first..]);
            for ((dy, x), &rstd) in rows.take(ROWS) {
                for ((sum, &dy), &x) in partial.iter_mut().zip(dy).zip(x) {
                    *sum += dy * x * rstd;
                }
            }
        },
    )
}
